"""Who asks Azure: the login that azure-identity finds, or the emulator's token."""

import functools
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken

from ..endpoint import Endpoint
from ..errors import LoginError
from .azure_profile import tenant_of
from .login_advice import explained
from .login_reasons import (
    CHOICE,
    ENVIRONMENT,
    IDENTITY,
    KINDS,
    PROGRAMS,
    WORKLOAD,
    Failure,
    failure_of,
)
from .patience import uncounted
from .threads import TimedOut, within

# `az` takes a second, but 12 and more with slow disks, on Windows, on a computer with much to do
LOGIN_TIMEOUT_S = 60.0
OTHER_LOGIN_S = 15.0  # for kinds of login that start no program
SPARE_S = 300.0  # before a token expires another one is asked for
NOT_AGAIN_S = 10.0  # after a failure, for which several requests may have waited
AUTHORITIES = {  # of the sovereign clouds; everywhere else azure-identity's own default is right
    "https://management.usgovcloudapi.net": "https://login.microsoftonline.us",
    "https://management.chinacloudapi.cn": "https://login.chinacloudapi.cn",
}


class FileToken:
    """The emulator's credential: a bearer token in a file that only this user can read."""

    kind = "the emulator's token"

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        try:
            token = self._path.read_text(encoding="ascii").strip()
        except OSError as error:
            raise LoginError(
                f"The emulator's token can't be read ({error}). If the emulator has ended, its "
                "machines are gone with it; `ipcluster start` starts another."
            ) from error
        return AccessToken(token, 2**31)


class Login:
    """The first login that azure-identity finds, one for all clients; its tokens are kept.

    `tenant_id` is asked for whatever the kind of login, `program_tenant_id` only where a program
    such as `az` gives the token. Nobody is ever prompted. `kind`: what was found, in words.
    """

    def __init__(self, authority: str, tenant_id: str, program_tenant_id: str) -> None:
        self._authority = authority
        self._tenant_id, self._program_tenant_id = tenant_id, program_tenant_id
        self._lock = threading.Lock()
        self._found: tuple[str, Any] | None = None
        self._tokens: dict[tuple[str, ...], AccessToken] = {}
        self._failure, self._failed_at = "", -NOT_AGAIN_S
        self.kind = ""

    def get_token(
        self, *scopes: str, claims: str | None = None, enable_cae: bool = False, **options: Any
    ) -> AccessToken:
        """Called by the SDK's clients. Raises LoginError."""
        with uncounted(), self._lock:
            kept = None if claims else self._tokens.get(scopes)
            left_s = kept.expires_on - time.time() if kept is not None else 0.0
            if kept is not None and left_s > SPARE_S:
                return kept
            try:
                token = self._new(scopes, {"claims": claims, "enable_cae": enable_cae})
            except LoginError:
                if kept is not None and left_s > 0:
                    return kept
                raise
            self._tokens[scopes] = token
            return token

    def _new(self, scopes: Sequence[str], options: dict[str, Any]) -> AccessToken:
        if time.monotonic() - self._failed_at < NOT_AGAIN_S:
            raise LoginError(self._failure)
        try:
            return self._ask_each(scopes, options)
        except LoginError as error:
            self._failure, self._failed_at = str(error), time.monotonic()
            raise

    def _ask_each(self, scopes: Sequence[str], options: dict[str, Any]) -> AccessToken:
        failures: list[Failure] = []
        chain, end = self._chain(), time.monotonic() + LOGIN_TIMEOUT_S
        for kind, credential in chain:
            try:
                token = self._ask(kind, credential, scopes, options)
            except Exception as error:  # whatever it is: another kind may do
                failures.append(failure_of(kind, error))
                if _is_final(kind, error) or time.monotonic() > end:
                    break
            else:
                self._found, self.kind = (kind, credential), kind
                return token
        raise LoginError(explained(failures, [kind for kind, _ in chain[len(failures) :]]))

    def _chain(self) -> list[tuple[str, Any]]:
        """Each kind of login with its credential; that alone which was found, once one was."""
        if self._found is not None:
            return [self._found]
        from azure.identity import DefaultAzureCredential

        options: dict[str, Any] = {"process_timeout": int(LOGIN_TIMEOUT_S)}
        if self._authority:
            options["authority"] = self._authority
        if self._tenant_id:
            options["additionally_allowed_tenants"] = ["*"]
        try:
            found = DefaultAzureCredential(**options).credentials
        except (ValueError, OSError) as error:
            kind = CHOICE if CHOICE in str(error) else ENVIRONMENT
            raise LoginError(explained([failure_of(kind, error)])) from error
        return [(KINDS.get(type(one).__name__, type(one).__name__), one) for one in found]

    def _ask(
        self, kind: str, credential: Any, scopes: Sequence[str], options: dict[str, Any]
    ) -> AccessToken:
        tenant = self._tenant_id or (self._program_tenant_id if kind in PROGRAMS else "")
        ask = functools.partial(credential.get_token, *scopes, tenant_id=tenant or None, **options)
        limit_s = LOGIN_TIMEOUT_S if kind in PROGRAMS else OTHER_LOGIN_S
        waiting = f"Waiting for the login to Azure, by {kind}: at most {limit_s:.0f} s"
        # a moment more: azure-identity ends a program after that time, and then it is gone
        token: AccessToken = within(limit_s + 2, ask, while_waiting=waiting)
        return token


def _is_final(kind: str, error: Exception) -> bool:
    """Return whether to ask no other kind, as azure-identity has it: one that is set up for this
    computer was refused, and whoever is logged in otherwise may be somebody else."""
    from azure.identity import CredentialUnavailableError

    return kind in (ENVIRONMENT, WORKLOAD, IDENTITY) and not isinstance(
        error, (CredentialUnavailableError, TimedOut)
    )


def credential_for(endpoint: Endpoint, subscription_id: str) -> Login | FileToken:
    """Return who asks a subscription at an endpoint: one for all that asks it in this process."""
    if endpoint.token_file:
        return FileToken(endpoint.token_file)
    authority = AUTHORITIES.get(endpoint.url, "")
    return _login(authority, endpoint.tenant_id, tenant_of(subscription_id))


@functools.lru_cache
def _login(authority: str, tenant_id: str, program_tenant_id: str) -> Login:
    # a warning for each kind of login that isn't there would bury the one line that matters
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
    return Login(authority, tenant_id, program_tenant_id)


def check_login(endpoint: Endpoint, subscription_id: str) -> str:
    """Return which kind of login there is, in words; raises LoginError if there is none.

    Blocking, for LOGIN_TIMEOUT_S or a little more.
    """
    credential = credential_for(endpoint, subscription_id)
    credential.get_token(f"{endpoint.audience}/.default")
    return credential.kind

"""What the SDK's clients log in with and talk through: one credential and one set of connections
for each endpoint and process."""

import atexit
import functools
import logging
import threading
from pathlib import Path
from typing import Any

import requests
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import ClientAuthenticationError
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from ..endpoint import Endpoint
from ..errors import LoginError
from .azure_time import clock_at
from .error_mapping import translate
from .patience import PatientTransport, Silence

LOGIN_TIMEOUT_S = 8.0
CONNECTIONS = 16
AUTHORITIES = {  # of the sovereign clouds; everywhere else azure-identity's own default is right
    "https://management.usgovcloudapi.net": "https://login.microsoftonline.us",
    "https://management.chinacloudapi.cn": "https://login.chinacloudapi.cn",
}


class FileToken:
    """The emulator's credential: a bearer token in a file that only this user can read."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        try:
            token = self._path.read_text(encoding="ascii").strip()
        except OSError as error:
            raise ClientAuthenticationError(f"can't read the emulator's token: {error}") from error
        return AccessToken(token, 2**31)


def credential_for(endpoint: Endpoint) -> TokenCredential:
    return _credential(endpoint.url, endpoint.token_file)


@functools.lru_cache
def _credential(url: str, token_file: str) -> TokenCredential:
    """The credential of an endpoint, found once: that may start `az`, which takes a second."""
    if token_file:
        return FileToken(token_file)
    from azure.identity import DefaultAzureCredential

    # a warning for each kind of login that isn't there would bury the one line that matters
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
    authority = {"authority": AUTHORITIES[url]} if url in AUTHORITIES else {}
    return DefaultAzureCredential(process_timeout=int(LOGIN_TIMEOUT_S), **authority)


def client_options(endpoint: Endpoint) -> dict[str, Any]:
    """What every client of Azure's SDK is made with, besides the subscription; they all share
    their connections."""
    verify = {"connection_verify": endpoint.ca_file} if endpoint.ca_file else {}
    session = session_for(endpoint)
    return {
        "credential": credential_for(endpoint),
        "base_url": endpoint.url,
        "credential_scopes": [f"{endpoint.audience}/.default"],
        "transport": PatientTransport(
            _silence(endpoint.url), session=session, session_owner=False, **verify
        ),
    }


@functools.lru_cache
def _silence(url: str) -> Silence:
    return Silence()


def session_for(endpoint: Endpoint) -> requests.Session:
    # the emulator listens on the loopback, where no proxy leads
    return _session(endpoint.url, trust_env=not endpoint.ca_file)


@functools.lru_cache
def _session(url: str, *, trust_env: bool) -> requests.Session:
    """The connections to an endpoint, kept: to open one with TLS takes three round trips."""
    session = requests.Session()
    session.trust_env = trust_env
    # the SDK's own policies retry; create_all asks for several things at once
    never = Retry(total=False, redirect=False, raise_on_status=False)
    session.mount("https://", HTTPAdapter(max_retries=never, pool_maxsize=CONNECTIONS))
    session.hooks["response"].append(clock_at(url).hear)
    atexit.register(session.close)
    return session


def check_login(endpoint: Endpoint) -> None:
    """Raise LoginError within LOGIN_TIMEOUT_S seconds unless a token can be had."""
    scope = f"{endpoint.audience}/.default"
    credential = credential_for(endpoint)
    outcome: list[BaseException | None] = []

    def attempt() -> None:
        try:
            credential.get_token(scope)
            outcome.append(None)
        except BaseException as error:
            outcome.append(error)

    # some kinds of login wait for a network that isn't there, and have no time limit
    thread = threading.Thread(target=attempt, daemon=True, name="azure-login")
    thread.start()
    thread.join(LOGIN_TIMEOUT_S)
    if not outcome:
        raise LoginError(
            f"The login to Azure did not answer within {LOGIN_TIMEOUT_S:.0f} s. Run `az login`."
        )
    if outcome[0] is not None:
        raise translate(outcome[0], "logging in") from outcome[0]

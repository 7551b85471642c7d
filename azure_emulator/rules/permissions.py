"""Tokens, and what each of them may do.

The emulator's own token may do everything unless it has been restricted; the control routes are
open to it alone, also then.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import timedelta

from ..base import errors, front_errors
from ..base.calls import Call
from ..base.clock import Clock
from ..base.declared import SIGNED_SECONDS, TEXT, TEXTS, checked
from ..base.json_web_tokens import Issuer
from ..base.messages import Json
from ..base.principals import Principal
from . import linked_access

ROLE = {"actions": TEXTS, "not_actions": TEXTS}
TOKEN = {**ROLE, "expires_in_s": SIGNED_SECONDS, "object_id": TEXT}
# Whoever was let begin an operation may follow it.
FREE = re.compile(
    r"microsoft\.[^/]+/locations/operation(s|results)/read"
    r"|microsoft\.resources/subscriptions/operationresults/read",
    re.IGNORECASE,
)


class Permissions:
    """All tokens. own_token: the one in the token file; tenant_id: of all principals; issuer: who
    makes tokens, to be registered."""

    def __init__(self, clock: Clock, object_id: str, tenant_id: str) -> None:
        self._clock = clock
        self.tenant_id = tenant_id
        self.issuer = Issuer(tenant_id)
        self.own_token = self.issuer.of_user(object_id, clock.now(), None)
        self._own = self._unrestricted = Principal(object_id)
        # By digest: how long a look-up takes then tells nothing about a token.
        self._others: dict[bytes, Principal] = {}

    # Declaring

    def issue(self, body: Json) -> Json:
        checked(body, TOKEN, required=("actions",))
        expires = None
        if "expires_in_s" in body:
            expires = self._clock.now() + timedelta(seconds=body["expires_in_s"])
        object_id = body.get("object_id", self._own.object_id)
        token = self.issuer.of_user(object_id, self._clock.now(), expires)
        self.register(token, Principal(object_id, *_role(body), expires))
        return {
            "token": token,
            "object_id": object_id,
            "expires_on": expires.isoformat() if expires else None,
        }

    def register(self, token: str, principal: Principal) -> None:
        """Let whoever has this token of the issuer's be this principal from now on."""
        self._others[_digest(token)] = principal

    def restrict(self, body: Json) -> Json:
        """Set what the emulator's own token may do from now on."""
        checked(body, ROLE, required=("actions",))
        actions, not_actions = _role(body)
        self._own = replace(self._own, actions=actions, not_actions=not_actions)
        return self.shown()

    def lift(self) -> Json:
        self._own = self._unrestricted
        return self.shown()

    def shown(self) -> Json:
        return {
            "object_id": self._own.object_id,
            "actions": list(self._own.actions),
            "not_actions": list(self._own.not_actions),
        }

    # Checking

    def authenticate(self, header: str | None) -> Principal:
        """Return the principal of an Authorization header; raises ARM's refusal."""
        if header is None:
            raise errors.authentication_failed("The 'Authorization' header is missing.")
        scheme, _, token = header.partition(" ")
        digest = _digest(token)
        if scheme.lower() == "bearer" and digest == _digest(self.own_token):
            return self._own
        principal = self._others.get(digest)
        if scheme.lower() != "bearer" or principal is None:
            raise errors.authentication_failed("The access token is invalid.")
        now = self._clock.now()
        if principal.expires and principal.expires <= now:
            raise front_errors.token_expired(principal.expires, now, self.tenant_id)
        return principal

    def check_owner(self, principal: Principal) -> None:
        if principal is not self._own:
            raise errors.ArmError(403, "Forbidden", "Only the emulator's own token may do that.")


def check(principal: Principal, call: Call, body: object) -> None:
    """Refuse a call whose action, or something its body refers to, the principal may not use."""
    if FREE.fullmatch(call.action):
        return
    if not principal.may(call.action, call.scope):
        raise front_errors.authorization_failed(principal.object_id, call.action, _scope(call))
    missing = [
        (action, scope)
        for action, scope in linked_access.needed(call, body)
        if not principal.may(action, scope)
    ]
    if missing:
        raise front_errors.linked_authorization_failed(
            principal.object_id, call.action, call.scope, missing
        )


def _scope(call: Call) -> str:
    """Return the scope that is asked about; a list's ends with the provider, or what is above."""
    return call.scope if call.name else call.scope.rpartition("/")[0]


def _role(body: Json) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(body["actions"]), tuple(body.get("not_actions", ()))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()

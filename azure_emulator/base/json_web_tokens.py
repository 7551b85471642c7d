"""Tokens in the form of Azure's: JSON Web Tokens (RFC 7519) with the claims of Microsoft Entra.

Clients such as az and msal read them, to know who is logged in. What a token allows is not in it:
the emulator looks its own tokens up.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from datetime import datetime

from .messages import Json

AUDIENCE = "https://management.azure.com/"
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"  # the application that `az login` logs in to
NEVER = 2**31 - 1  # seconds since 1970
HEADER = {"typ": "JWT", "alg": "HS256"}  # Azure's are RS256; nobody checks these but the emulator


class Issuer:
    """Issues the tokens of one tenant; nobody else can make them."""

    def __init__(self, tenant_id: str) -> None:
        self._tenant_id = tenant_id
        self._secret = secrets.token_bytes(32)

    def of_user(self, object_id: str, now: datetime, expires: datetime | None) -> str:
        """Return a new token of a user who has logged in with `az login`; None: for ever."""
        claims = {"appid": AZURE_CLI, "appidacr": "0", "idtyp": "user", "scp": "user_impersonation"}
        return self._token(object_id, AUDIENCE, now, expires, claims)

    def of_identity(
        self,
        object_id: str,
        audience: str,
        now: datetime,
        expires: datetime,
        *,
        client_id: str,
        resource_id: str,
    ) -> str:
        """Return a new token of a managed identity; `resource_id` is the identity's own."""
        claims = {
            "appid": client_id,
            "appidacr": "2",
            "idtyp": "app",
            "xms_mirid": resource_id,
        }
        return self._token(object_id, audience, now, expires, claims)

    def _token(
        self, object_id: str, audience: str, now: datetime, expires: datetime | None, more: Json
    ) -> str:
        issuer = f"https://sts.windows.net/{self._tenant_id}/"
        issued = int(now.timestamp())
        claims = {
            "aud": audience,
            "iss": issuer,
            "iat": issued,
            "nbf": issued,
            "exp": NEVER if expires is None else int(expires.timestamp()),
            "idp": issuer,
            "oid": object_id,
            "sub": object_id,
            "tid": self._tenant_id,
            "uti": secrets.token_urlsafe(16),  # makes each token another one
            "ver": "1.0",
            **more,
        }
        signed = f"{_coded(_json(HEADER))}.{_coded(_json(claims))}"
        signature = hmac.new(self._secret, signed.encode("ascii"), hashlib.sha256).digest()
        return f"{signed}.{_coded(signature)}"


def _json(content: Json) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode("utf-8")


def _coded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode("ascii").rstrip("=")

"""What a token of Azure's says of who is logged in.

It is for the Resource Manager to check; here it is only read. What it says becomes a tag.
"""

import base64
import json
import re
from typing import Any

CLAIM = re.compile(r"[\w.-]{1,100}", re.ASCII)  # object ids and tenants are UUIDs


def login_of(token: str) -> str:
    """Return object id@tenant of an access token; empty if it is opaque, or doesn't say.

    https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
    """
    claims = _claims(token)
    parts = [str(claims.get(name, "")) for name in ("oid", "tid")]
    return "@".join(parts) if all(map(CLAIM.fullmatch, parts)) else ""


def _claims(token: str) -> dict[str, Any]:
    """The claims of a JSON Web Token (RFC 7519), unverified; none if it is something else."""
    try:
        _, claims, _ = token.split(".")
        found = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

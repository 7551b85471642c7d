"""As much of Microsoft Graph as az asks to show role assignments: who has an object id.

The directory has the managed identities that are here, and nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..base import errors
from ..base.messages import ArmResponse, Json
from ..base.resource_types import IDENTITY
from ..state import Emulator

PREFIX = "/v1.0/"
BY_NAME = re.compile(r"servicePrincipalNames/any\(\w+:\w+ eq '(?P<name>[^']*)'\)", re.IGNORECASE)
KNOWN_EMPTY = ("users", "groups")


def answer(em: Emulator, method: str, path: str, query: dict[str, str], body: Any) -> ArmResponse:
    """Answer a request on the directory; path: as it came, below PREFIX in any case."""
    asked = path[len(PREFIX) :].lower()
    if (method, asked) == ("POST", "directoryobjects/getbyids"):
        wanted = body.get("ids") if isinstance(body, dict) else None
        if not isinstance(wanted, list):
            raise errors.bad_request("The member 'ids' must be a list.")
        ids = {str(item).lower() for item in wanted}
        return _page([item for item in _principals(em) if item["id"].lower() in ids])
    if (method, asked) == ("GET", "serviceprincipals"):
        found = list(_principals(em))
        match = BY_NAME.fullmatch(query.get("$filter", "").strip())
        if match:
            name = match["name"].lower()
            found = [
                item for item in found if name in map(str.lower, item["servicePrincipalNames"])
            ]
        return _page(found)
    if method == "GET" and asked in KNOWN_EMPTY:
        return _page([])
    raise errors.no_such_route(method, path)


def _page(found: list[Json]) -> ArmResponse:
    return ArmResponse(200, {"value": found})


def _principals(em: Emulator) -> Iterator[Json]:
    """Yield the service principals of identities, and of machines that have one of their own."""
    for group in em.store.groups():
        for resource in group.resources.values():
            if resource.type == IDENTITY:
                held = resource.properties
                yield _principal(resource.name, held["principalId"], held["clientId"])
            own = resource.top.get("identity")
            if isinstance(own, dict) and own.get("principalId"):
                yield _principal(resource.name, own["principalId"], own["principalId"])


def _principal(name: str, object_id: str, app_id: str) -> Json:
    return {
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "id": object_id,
        "appId": app_id,
        "displayName": name,
        "servicePrincipalNames": [app_id],
        "servicePrincipalType": "ManagedIdentity",
    }

"""Long lists come in pages, each with the address of the next."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from ..base import errors
from ..base.calls import Call
from ..base.declared import LIMIT, checked
from ..base.messages import ArmRequest, ArmResponse, Json

PAGE_SIZE = 1000
LARGEST_TOP = 10**9


class Paging:
    """Cuts lists into pages.

    page_size: of every list; a small one shows which clients read the first page alone.
    """

    def __init__(self) -> None:
        self._page_size = PAGE_SIZE

    def shown(self) -> Json:
        return {"page_size": self._page_size}

    def set(self, body: Json) -> Json:
        self._page_size = checked(body, {"page_size": LIMIT}, required=("page_size",))["page_size"]
        return self.shown()

    def unset(self) -> Json:
        self._page_size = PAGE_SIZE
        return self.shown()

    def page(self, call: Call, request: ArmRequest, answer: ArmResponse) -> ArmResponse:
        """Return the wanted part of a list; an answer that is no list stays as it is."""
        if request.method != "GET" or call.name or not isinstance(answer.body, dict):
            return answer
        items = answer.body.get("value")
        if not isinstance(items, list):
            return answer
        size = min(self._page_size, _top(call, request))
        start = _start(request.query.get("$skiptoken"), items)
        body = {**answer.body, "value": items[start : start + size]}
        if start + size < len(items):
            body["nextLink"] = _next_link(request, items, start + size)
        return replace(answer, body=body)


def _top(call: Call, request: ArmRequest) -> int:
    """Return how many items $top asks for; only ARM's own lists know it."""
    text = request.query.get("$top")
    if text is None or not call.resource_type.startswith("Microsoft.Resources/"):
        return LARGEST_TOP
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:10]) <= LARGEST_TOP):
        raise errors.ArmError(
            400,
            "InvalidTopInQueryString",
            f"Invalid $top '{text[:50]}' specified in the query.",
            headers=errors.GATEWAY,
        )
    return int(text[:10])


def _next_link(request: ArmRequest, items: list[Any], end: int) -> str:
    """Return the next page's URL: the whole query, and the item after which to go on."""
    place = json.dumps({"after": _id(items[end - 1]), "at": end})
    token = base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
    query = {**request.query, "$skiptoken": token}
    text = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in query.items())
    return f"{request.base_url}{quote(request.path)}?{text}"


def _start(token: str | None, items: list[Any]) -> int:
    if token is None:
        return 0
    try:
        place = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        after, at = place["after"], place["at"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise errors.ArmError(
            400, "InvalidSkipToken", "The provided skip token is invalid.", headers=errors.GATEWAY
        ) from None
    for number, item in enumerate(items, start=1):
        if after is not None and _id(item) == after:
            return number
    return at if isinstance(at, int) and at >= 0 else 0


def _id(item: Any) -> str | None:
    return item.get("id") if isinstance(item, dict) else None

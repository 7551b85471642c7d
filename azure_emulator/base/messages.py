"""One ARM request and one ARM response, apart from any HTTP library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import errors
from .principals import Principal

Json = dict[str, Any]
# Some of Azure's empty answers have it too.
JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True)
class ArmRequest:
    """One request.

    params: the named parts of the path, spelled as the caller did. The names of the query's members
    and of headers are in lower case.
    """

    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    base_url: str
    headers: Mapping[str, str]
    principal: Principal

    @property
    def api_version(self) -> str:
        return self.query["api-version"]

    def json_object(self) -> Json:
        if not isinstance(self.body, dict):
            raise errors.invalid_content("The request body must be a JSON object")
        return self.body

    def flag(self, name: str) -> bool:
        return self.query.get(name.lower(), "").lower() == "true"


@dataclass(frozen=True)
class ArmResponse:
    """One answer. A body of None is an empty one, as Azure sends with 202 and 204."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def page(items: list[Json]) -> ArmResponse:
    return ArmResponse(200, {"value": items})

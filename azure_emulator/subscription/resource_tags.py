"""Microsoft.Resources/tags/default: the tags of the subscription, a group or a resource."""

from __future__ import annotations

from ..base.errors import GATEWAY, ArmError
from ..base.messages import ArmRequest, ArmResponse, Json
from ..base.schema import check_resources
from ..base.store import Group, Resource
from ..identity import scopes
from ..state import Emulator

TYPE = "Microsoft.Resources/tags"


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    return _answer(em, request)


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Replace all tags."""
    body = check_resources("TagsResource", request.json_object())
    _set(em, request, body["properties"].get("tags") or {})
    return _answer(em, request)


def patch(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Replace, merge or delete tags; what is deleted must have the given value."""
    body = check_resources("TagsPatchResource", request.json_object(), "patch")
    given: dict[str, str] = (body.get("properties") or {}).get("tags") or {}
    operation = body.get("operation")
    if operation is None:
        raise ArmError(
            400,
            "InvalidTagsOperation",
            "The operation must be one of 'Replace', 'Merge', 'Delete'.",
            headers=GATEWAY,
        )
    tags = {} if operation == "Replace" else dict(_held(em, request))
    for name, value in given.items():
        known = next((tag for tag in tags if tag.lower() == name.lower()), None)
        if operation != "Delete":
            tags[known or name] = value
        elif known is not None and tags[known] == value:
            del tags[known]
    _set(em, request, tags)
    return _answer(em, request)


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    _set(em, request, {})
    return ArmResponse(200)


def _target(em: Emulator, request: ArmRequest) -> Group | Resource | None:
    """Return whose tags they are; None: the subscription's."""
    scope = scopes.of_request(em, request)
    if "kind" in request.params:
        return em.store.find(scope)
    return em.store.group(request.params["group"]) if "group" in request.params else None


def _held(em: Emulator, request: ArmRequest) -> dict[str, str]:
    target = _target(em, request)
    return (em.store.tags if target is None else target.tags) or {}


def _set(em: Emulator, request: ArmRequest, tags: dict[str, str]) -> None:
    target = _target(em, request)
    if target is None:
        em.store.tags = tags
        return
    em.store.writable_group(request.params["group"])
    target.tags = tags
    if isinstance(target, Resource):
        target.touch()


def _answer(em: Emulator, request: ArmRequest) -> ArmResponse:
    scope = scopes.of_request(em, request)
    body: Json = {
        "id": f"{scope}/providers/{TYPE}/default",
        "name": "default",
        "type": TYPE,
        "properties": {"tags": dict(_held(em, request))},
    }
    return ArmResponse(200, body)

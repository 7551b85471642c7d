"""If-Match and If-None-Match, where Azure has them: Network's resources, VMs and scale sets."""

from __future__ import annotations

from dataclasses import replace

from ..base import front_errors
from ..base.calls import Call
from ..base.messages import ArmRequest, ArmResponse
from ..base.resource_types import NETWORK, SCALE_SET, VM
from ..base.store import Resource
from ..state import Emulator

ETAGS_SINCE = "2024-11-01"  # the version of Compute's API from which on its bodies have an etag


def check(em: Emulator, call: Call, request: ArmRequest) -> None:
    if call.method not in ("PUT", "PATCH", "DELETE") or not _has_etag(call):
        return
    wanted, unwanted = request.headers.get("if-match"), request.headers.get("if-none-match")
    if wanted is None and unwanted is None:
        return
    resource = _found(em, call)
    if wanted is not None and not _matches(wanted, resource):
        raise front_errors.precondition_failed("if-match", wanted, _etag(resource), call.scope)
    if unwanted is not None and _matches(unwanted, resource):
        raise front_errors.precondition_failed(
            "if-none-match", unwanted, _etag(resource), call.scope
        )


def stamp(em: Emulator, call: Call, request: ArmRequest, answer: ArmResponse) -> ArmResponse:
    """Add Compute's etag, which changes with each write; Network's handlers see to theirs."""
    resource = em.store.find(call.scope)
    if resource is None or resource.type not in (VM, SCALE_SET) or answer.status > 201:
        return answer
    if call.method in ("PUT", "PATCH"):
        resource.touch()
    shown = isinstance(answer.body, dict) and answer.body.get("id") == resource.id
    if not shown or request.api_version < ETAGS_SINCE:
        return answer
    headers = {**answer.headers, "ETag": resource.etag}
    return replace(answer, body={**answer.body, "etag": resource.etag}, headers=headers)


def _has_etag(call: Call) -> bool:
    if call.resource_type.lower() in (VM.lower(), SCALE_SET.lower()):
        return call.method != "DELETE"
    return call.resource_type.lower().startswith(f"{NETWORK}/".lower())


def _found(em: Emulator, call: Call) -> Resource | None:
    """Return the resource, or the one of which it is a part: they have one etag."""
    parent = call.scope.rsplit("/", 2)[0]
    is_part = call.resource_type.count("/") > 1
    return em.store.find(parent if is_part else call.scope)


def _etag(resource: Resource | None) -> str:
    return resource.etag if resource else ""


def _matches(header: str, resource: Resource | None) -> bool:
    if resource is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or resource.etag.removeprefix("W/") in tags

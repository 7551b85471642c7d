"""whatIf: what a deployment would change, found out without changing anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..base import errors
from ..base.errors import ArmError
from ..base.messages import ArmRequest, ArmResponse, Json
from ..base.resource_types import NETWORK
from ..base.schema import check_compute, check_network
from ..base.store import Group, Resource
from ..resources.views import show, show_group
from ..state import Emulator
from ..subscription.groups import result_headers
from ..templates.expand import GROUP, Planned
from ..templates.values import Unknown
from .requests import place, planned_deployment

FORMATS = ("FullResourcePayloads", "ResourceIdOnly")
# How the resources' bodies are called whose read-only members are known.
BODIES = {
    "virtualnetworks": "VirtualNetwork",
    "networksecuritygroups": "NetworkSecurityGroup",
    "publicipaddresses": "PublicIPAddress",
    "networkinterfaces": "NetworkInterface",
    "natgateways": "NatGateway",
    "virtualmachines": "VirtualMachine",
    "virtualmachinescalesets": "VirtualMachineScaleSet",
    "disks": "Disk",
    "availabilitysets": "AvailabilitySet",
    "proximityplacementgroups": "ProximityPlacementGroup",
}


def begin(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Accept the request at once.

    That a template is wrong is said by the result, too (recorded).
    """
    group = place(em, request, writable=True)
    body = request.json_object()
    result_format = _format(body)

    async def finish() -> Json:
        try:
            deployment = planned_deployment(em, request, group)
        except ArmError as error:
            return {"status": "Failed", **error.body()}
        whole = deployment.mode == "Complete"
        changes = list(_changes(em, group, deployment.plan.deployed, whole=whole))
        if result_format == "ResourceIdOnly":
            changes = [_bare(change) for change in changes]
        properties = {"correlationId": deployment.correlation_id, "changes": changes}
        return {"status": "Succeeded", "properties": properties}

    duration_s = em.durations.draw("deployment")
    location = group.location or str(body.get("location") or "")
    operation = em.operations.start("Microsoft.Resources", location, duration_s, finish)
    return ArmResponse(202, None, result_headers(em, request, operation))


def _format(body: Json) -> str:
    properties = body.get("properties")
    settings = properties.get("whatIfSettings") if isinstance(properties, dict) else None
    if not isinstance(settings, dict) or "resultFormat" not in settings:
        return FORMATS[0]
    for known in FORMATS:
        if str(settings["resultFormat"]).lower() == known.lower():
            return known
    raise errors.invalid_content(
        f"Error converting value \"{settings['resultFormat']}\" to type 'WhatIfResultFormat'. "
        "Path 'properties.whatIfSettings.resultFormat'."
    )


def _changes(em: Emulator, group: Group, planned: list[Planned], *, whole: bool) -> Iterator[Json]:
    for item in sorted(planned, key=lambda item: item.key):
        existing = em.store.find(item.id)
        after = _after(item)
        of_group = em.store.find_group(item.name) if item.type.lower() == GROUP else None
        if of_group:
            before = {"apiVersion": item.api_version, **show_group(of_group, item.api_version)}
            before.pop("properties")
            yield _compared(of_group.id, before, after)
            continue
        if existing is None:
            yield {"resourceId": item.id, "changeType": "Create", "after": after}
            continue
        before = _before(em, existing, item.api_version)
        yield _compared(existing.id, before, after)
    wanted = {item.key for item in planned}
    for resource in group.resources.values():
        if resource.key not in wanted and not resource.nested:
            kind = "Delete" if whole else "Ignore"
            envelope = _envelope(resource.id, resource.name, resource.type)
            before = envelope | {"location": resource.location}
            yield {"resourceId": resource.id, "changeType": kind, "before": before}


def _compared(identifier: str, before: Json, after: Json) -> Json:
    """Return the change of what exists already."""
    delta = list(_delta(before, after, ""))
    change = {"resourceId": identifier, "changeType": "Modify" if delta else "NoChange"}
    return change | {"before": before, "after": {**before, **after}, "delta": delta}


def _envelope(identifier: str, name: str, kind: str) -> Json:
    return {"id": identifier, "name": name, "type": kind}


def _after(planned: Planned) -> Json:
    envelope = _envelope(planned.id, planned.name, planned.type)
    known = _known(planned.draft)
    return {"apiVersion": planned.api_version, **envelope, **known}


def _known(value: Any) -> Any:
    """Return the value without what only the deployment itself would tell."""
    if isinstance(value, dict):
        kept = {name: item for name, item in value.items() if not isinstance(item, Unknown)}
        return {name: _known(item) for name, item in kept.items()}
    if isinstance(value, list):
        return [_known(item) for item in value if not isinstance(item, Unknown)]
    return value


def _before(em: Emulator, resource: Resource, api_version: str) -> Json:
    """Return the existing resource without what no request could set."""
    shown = show(em, resource, api_version)
    envelope = _envelope(resource.id, resource.name, resource.type)
    body = BODIES.get(resource.type.partition("/")[2].lower())
    if body:
        check = check_network if resource.type.startswith(NETWORK) else check_compute
        shown = check(body, shown, "replace")
    return {"apiVersion": api_version, **shown, **envelope}


def _delta(before: Json, after: Json, path: str) -> Iterator[Json]:
    """Yield the differences. Lists are compared as wholes; what a template leaves out stays."""
    for name, new in after.items():
        place = f"{path}.{name}" if path else name
        if place in ("apiVersion", "id", "name", "type"):
            continue
        old = before.get(name)
        if old is None and new in ({}, []):
            continue
        if old is None:
            yield {"path": place, "propertyChangeType": "Create", "after": new}
        elif isinstance(old, dict) and isinstance(new, dict):
            yield from _delta(old, new, place)
        elif not _alike(old, new):
            yield {"path": place, "propertyChangeType": "Modify", "before": old, "after": new}
    for name, old in before.items():
        if name not in after and isinstance(old, (dict, list)) and old and path:
            place = f"{path}.{name}"
            yield {"path": place, "propertyChangeType": "Delete", "before": old}


def _alike(old: Any, new: Any) -> bool:
    """Return whether the new value asks for nothing that the old one does not say already."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(name in old and _alike(old[name], item) for name, item in new.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_alike, old, new))
    if isinstance(old, str) and isinstance(new, str):
        return old.replace(" ", "").lower() == new.replace(" ", "").lower()
    return bool(old == new)


def _bare(change: Json) -> Json:
    """Return the change without payloads, where it isn't said either whether something changes."""
    kind = "Deploy" if change["changeType"] in ("Modify", "NoChange") else change["changeType"]
    return {"resourceId": change["resourceId"], "changeType": kind}

"""Extensions of a scale set's model, as its children /extensions/{name}."""

from __future__ import annotations

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import SCALE_SET
from ..base.schema import check_compute
from ..base.store import Resource
from ..state import Emulator
from . import vm_extensions
from .compute_answers import begin


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Make or change an extension; the answer is 201 also for a PATCH (as recorded)."""
    em.store.writable_group(request.params["group"])
    scale_set = em.store.get(request.params["group"], SCALE_SET, request.params["name"])
    old = next((item for item in _items(scale_set) if _is_named(item, request)), None)
    if request.method == "PATCH" and old is None:
        raise _not_found(scale_set, request)
    kind = "VirtualMachineScaleSetExtension" + ("Update" if request.method == "PATCH" else "")
    body = check_compute(kind, request.json_object(), "patch" if old else "create")
    given = {**(old or {}).get("properties", {}), **(body.get("properties") or {})}
    for name in ("publisher", "type", "typeHandlerVersion"):
        if not given.get(name):
            raise errors.missing_parameter(name)
    check_possible(em)
    item = {
        "name": (old or {}).get("name", request.params["extension"]),
        "properties": {
            "autoUpgradeMinorVersion": False,
            **{key: value for key, value in given.items() if key not in vm_extensions.SECRET},
        },
    }
    kept = [other for other in _items(scale_set) if not _is_named(other, request)]
    _replace(scale_set, [*kept, item])
    answer = item
    if request.method == "PATCH":  # which answers what it was asked alone
        answer = {**item, "properties": body.get("properties") or {}}
    return _begin(em, request, scale_set, 201, shown(scale_set, answer))


def check_possible(em: Emulator) -> None:
    """Refuse extensions where machines are real: nothing here may claim to have run."""
    if em.settings.machines != "none":
        raise errors.invalid_parameter(
            "extensionProfile",
            "The machines of this local endpoint run no extensions of scale sets; with "
            "--machines=none they are accepted, and none is run.",
        )


def shown(scale_set: Resource, item: Json) -> Json:
    return {
        "name": item["name"],
        "id": f"{scale_set.id}/extensions/{item['name']}",
        "type": f"{SCALE_SET}/extensions",
        "properties": {"provisioningState": "Succeeded", **item["properties"]},
    }


def _items(scale_set: Resource) -> list[Json]:
    profile = scale_set.properties.get("virtualMachineProfile") or {}
    return (profile.get("extensionProfile") or {}).get("extensions") or []


def _is_named(item: Json, request: ArmRequest) -> bool:
    return str(item["name"]).lower() == request.params["extension"].lower()


def _not_found(scale_set: Resource, request: ArmRequest) -> errors.ArmError:
    name = f"{scale_set.name}/extensions/{request.params['extension']}"
    return errors.resource_not_found(SCALE_SET, name, scale_set.group)


def _replace(scale_set: Resource, items: list[Json]) -> None:
    profile = dict(scale_set.properties.get("virtualMachineProfile") or {})
    profile["extensionProfile"] = {**profile.get("extensionProfile", {}), "extensions": items}
    if not items:
        del profile["extensionProfile"]
    scale_set.properties["virtualMachineProfile"] = profile
    scale_set.hidden["model"] = scale_set.hidden.get("model", 0) + 1


def _begin(
    em: Emulator, request: ArmRequest, scale_set: Resource, status: int, body: Json | None
) -> ArmResponse:
    async def finish() -> None:
        scale_set.properties["provisioningState"] = "Succeeded"

    scale_set.properties["provisioningState"] = "Updating"
    duration_s = em.durations.draw("scale_set")
    location = scale_set.location
    return begin(
        em,
        request,
        location,
        finish,
        duration_s=duration_s,
        status=status,
        body=body,
        charge=scale_set.top["sku"]["capacity"],
    )


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    scale_set = em.store.get(request.params["group"], SCALE_SET, request.params["name"])
    for item in _items(scale_set):
        if _is_named(item, request):
            return ArmResponse(200, shown(scale_set, item))
    raise _not_found(scale_set, request)


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    scale_set = em.store.get(request.params["group"], SCALE_SET, request.params["name"])
    return page([shown(scale_set, item) for item in _items(scale_set)])


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    em.store.writable_group(request.params["group"])
    scale_set = em.store.get(request.params["group"], SCALE_SET, request.params["name"])
    kept = [item for item in _items(scale_set) if not _is_named(item, request)]
    if len(kept) == len(_items(scale_set)):
        return ArmResponse(204)
    _replace(scale_set, kept)
    return _begin(em, request, scale_set, 202, None)

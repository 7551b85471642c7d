"""Requests on Microsoft.Compute/virtualMachineScaleSets, in both orchestration modes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..base import errors, names
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import SCALE_SET
from ..base.schema import check_compute, write_to
from ..base.store import Group, Resource
from ..base.versions import includes
from ..base.versions_compute import MORE_RETRY_AFTER
from ..identity.managed_identities import set_identity
from ..resources.views import show
from ..rules.sku_restrictions import check_zones
from ..state import Emulator, merged_tags
from . import (
    failures,
    image_fit,
    instance_views,
    scale_set_model,
    size_fit,
    vm_body,
    vm_lifecycle,
)
from .compute_answers import begin
from .scale_set_instances import add_instances, chosen

# Members beside properties that a request sets.
TOP = ("zones", "plan", "extendedLocation")


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_machine(name)
    existing = em.store.lookup(group.name, SCALE_SET, name)
    body = check_compute("VirtualMachineScaleSet", request.json_object(), write_to(existing))
    if existing:
        em.check_same_location(existing, body)
        return _change(em, request, group, existing, body, body.get("tags"))
    scale_set = _create(em, group, name, body)
    try:
        vms = add_instances(em, group, scale_set, scale_set.top["sku"]["capacity"])
    except errors.ArmError:
        em.store.remove(scale_set)
        raise
    return _begin(em, request, scale_set, vms, 201)


def _create(em: Emulator, group: Group, name: str, body: Json) -> Resource:
    scale_set = em.new_resource(group, SCALE_SET, name, body)
    scale_set.top = {"sku": scale_set_model.checked_sku(body.get("sku"))}
    scale_set.top |= {key: body[key] for key in TOP if key in body}
    check_zones(scale_set.top.get("zones", []), scale_set.location, scale_set.id)
    set_identity(em, scale_set, body.get("identity"))
    scale_set_model.set_properties(em, scale_set, body["properties"])
    vm_body.check_references(em, scale_set, scale_set.properties)
    if profile := scale_set.properties.get("virtualMachineProfile"):
        size = vm_body.checked_size(scale_set.top["sku"]["name"])
        size_fit.check(size, profile)
        image_fit.check(em, scale_set, size, profile)
    scale_set.touch()
    em.store.add(scale_set)
    return scale_set


def _begin(
    em: Emulator, request: ArmRequest, scale_set: Resource, vms: Sequence[Resource], status: int
) -> ArmResponse:
    async def finish() -> None:
        outcomes = await asyncio.gather(*(_make(em, scale_set, vm) for vm in vms))
        failed = [error for error in outcomes if error]
        if scale_set.deleting:
            raise vm_lifecycle.preempted()
        scale_set.properties["provisioningState"] = "Failed" if failed else "Succeeded"
        if failed:
            raise failed[0]

    return begin(
        em,
        request,
        scale_set.location,
        finish,
        duration_s=em.durations.draw("scale_set"),
        status=status,
        body=show(em, scale_set, request.api_version),
        notified=True,
        retry_after_s=10,
        charge=len(vms),
    )


async def _make(em: Emulator, scale_set: Resource, vm: Resource) -> errors.ArmError | None:
    """Make one machine; returns why it failed, so that it keeps no other from being made."""
    fault = failures.of_instance(em, vm)
    duration_s = em.durations.draw("vm_create")

    async def finish() -> None:
        if refusal := image_fit.wrong_plan(em, scale_set, vm.properties):
            vm.properties["provisioningState"] = "Failed"
            raise refusal
        await vm_lifecycle.finish_creation(em, vm)

    try:
        if fault:
            await fault.run(em.clock, duration_s, finish)
        else:
            await em.clock.sleep(duration_s)
            await finish()
    except errors.ArmError as error:
        return error
    return None


def patch(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    scale_set = em.store.get(group.name, SCALE_SET, request.params["name"])
    body = check_compute("VirtualMachineScaleSetUpdate", request.json_object(), "patch")
    return _change(em, request, group, scale_set, body, merged_tags(body, scale_set.tags))


def _change(
    em: Emulator,
    request: ArmRequest,
    group: Group,
    scale_set: Resource,
    body: Json,
    tags: dict[str, str] | None,
) -> ArmResponse:
    """Change the model, and grow by new machines or shrink by the newest."""
    size_fit.check_same_zones(scale_set, body)
    sku = body.get("sku") or {}
    if sku.get("name"):
        vm_body.checked_size(sku["name"])
    vms = [vm for vm in vm_lifecycle.vms_of(em, scale_set.key, group.name) if not vm.deleting]
    capacity = sku.get("capacity", len(vms))
    scale_set_model.check_capacity(capacity)
    scale_set_model.change(em, scale_set, body.get("properties") or {})
    scale_set.tags = tags
    set_identity(em, scale_set, body.get("identity"))
    if sku.get("name"):
        scale_set.top["sku"]["name"] = vm_body.checked_size(sku["name"]).name
    _renew_model(scale_set, vms, bool(body.get("properties") or sku.get("name")))
    added = add_instances(em, group, scale_set, max(0, capacity - len(vms)))
    surplus = vms[capacity:]
    if surplus:
        duration_s = em.durations.draw("vm_delete")
        em.operations.spawn(vm_lifecycle.delete_all(em, surplus, duration_s))
    scale_set.top["sku"]["capacity"] = capacity
    scale_set.properties["provisioningState"] = "Updating"
    scale_set.touch()
    return _begin(em, request, scale_set, added, 200)


def _renew_model(scale_set: Resource, vms: Sequence[Resource], changed: bool) -> None:
    """Give the machines a new model at once, but not in upgrade mode Manual: see manualupgrade."""
    if changed:
        model = scale_set.hidden.get("model", 0) + 1
        scale_set.hidden["model"] = model
        if (scale_set.properties.get("upgradePolicy") or {}).get("mode") != "Manual":
            for vm in vms:
                vm.hidden["model"] = model


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.group(request.params["group"])
    scale_set = em.store.lookup(group.name, SCALE_SET, request.params["name"])
    if scale_set is None:
        return ArmResponse(204)
    table = "vm_delete_force" if request.flag("forceDeletion") else "vm_delete"
    duration_s = em.durations.draw(table)
    scale_set.deleting = True
    scale_set.properties["provisioningState"] = "Deleting"
    vms = vm_lifecycle.vms_of(em, scale_set.key, group.name)
    for vm in vms:
        vm.deleting = True

    async def finish() -> None:
        await vm_lifecycle.delete_all(em, vms, duration_s)
        em.store.remove(scale_set)

    waits = includes(MORE_RETRY_AFTER, request.api_version)
    return begin(
        em,
        request,
        scale_set.location,
        finish,
        notified=True,
        retry_after_s=10 if waits else None,
        charge=len(vms),
    )


def delete_instances(em: Emulator, request: ArmRequest) -> ArmResponse:
    """POST .../delete {"instanceIds": [numbers, or of a Flexible set the VMs' names]}."""
    group = em.store.group(request.params["group"])
    scale_set = em.store.get(group.name, SCALE_SET, request.params["name"])
    kind = "VirtualMachineScaleSetVMInstanceRequiredIDs"
    body = check_compute(kind, request.json_object())
    vms = chosen(em, vm_lifecycle.vms_of(em, scale_set.key, group.name), body["instanceIds"])
    table = "vm_delete_force" if request.flag("forceDeletion") else "vm_delete"
    return begin_deletion(em, request, scale_set, vms, em.durations.draw(table))


def begin_deletion(
    em: Emulator, request: ArmRequest, scale_set: Resource, vms: list[Resource], duration_s: float
) -> ArmResponse:
    gone = sum(not vm.deleting for vm in vms)
    scale_set.top["sku"]["capacity"] = max(0, scale_set.top["sku"]["capacity"] - gone)
    for vm in vms:
        vm.deleting = True

    async def finish() -> None:
        await vm_lifecycle.delete_all(em, vms, duration_s)

    return begin(em, request, scale_set.location, finish, charge=len(vms))


def get_instance_view(em: Emulator, request: ArmRequest) -> ArmResponse:
    scale_set = em.store.get(request.params["group"], SCALE_SET, request.params["name"])
    vms = vm_lifecycle.vms_of(em, scale_set.key, scale_set.group)
    if not scale_set_model.is_uniform(scale_set):
        vms = []
    return ArmResponse(200, instance_views.of_scale_set(em, scale_set, vms))


def list_skus(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer the sizes that the scale set could have."""
    scale_set = em.store.get(request.params["group"], SCALE_SET, request.params["name"])
    most = scale_set_model.LARGEST
    if scale_set.properties.get("singlePlacementGroup"):
        most = scale_set_model.LARGEST_PLACEMENT_GROUP
    capacity: Json = {
        "minimum": 0,
        "maximum": most,
        "defaultCapacity": 1,
        "scaleType": "Automatic",
    }
    return page(
        [
            {
                "resourceType": SCALE_SET,
                "sku": {"name": size.name, "tier": size.name.split("_")[0]},
                "capacity": capacity,
            }
            for size in vm_body.all_sizes()
        ]
    )

"""Requests on Microsoft.Compute/virtualMachineScaleSets in orchestration mode Flexible."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from . import errors, failures, names, schemas_scale_set, vm_body, vm_identity, vm_lifecycle
from .arm import ArmRequest, ArmResponse, Json, page
from .scale_set_instances import add_instances
from .schema import check_compute
from .state import Emulator, merged_tags
from .store import Group, Resource
from .views import COMPUTE, SCALE_SET, show
from .virtual_machines import accepted

LARGEST = 1000


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_machine(name)
    body = check_compute(schemas_scale_set.SCALE_SET, request.json_object())
    existing = em.store.lookup(group.name, SCALE_SET, name)
    if existing:
        return _update(em, request, group, existing, body)
    scale_set = em.new_resource(group, SCALE_SET, name, body)
    sku = _checked_sku(body.get("sku"))
    properties = body["properties"]
    _check_mode(properties)
    scale_set.properties, scale_set.hidden = _set_properties(em, properties, sku["name"])
    scale_set.top = {"sku": sku}
    scale_set.top |= {key: body[key] for key in ("zones", "plan") if key in body}
    identity = vm_identity.filled_in(em, body.get("identity"), None, scale_set.id)
    if identity:
        scale_set.top["identity"] = identity
    em.store.add(scale_set)
    try:
        vms = add_instances(em, group, scale_set, sku["capacity"])
    except errors.ArmError:
        em.store.remove(scale_set)
        raise
    return _begin(em, request, scale_set, vms, 201)


def _checked_sku(sku: Json | None) -> Json:
    if not sku or not sku.get("name"):
        raise errors.missing_parameter("sku")
    size = vm_body.checked_size(sku["name"])
    capacity = sku.get("capacity", 0)
    _check_capacity(capacity)
    return {"name": size.name, "tier": sku.get("tier", "Standard"), "capacity": capacity}


def _check_capacity(capacity: int) -> None:
    if not 0 <= capacity <= LARGEST:
        raise errors.invalid_parameter(
            "sku.capacity",
            f"The value {capacity} of parameter 'sku.capacity' is invalid. A virtual machine "
            f"scale set has between 0 and {LARGEST} instances.",
        )


def _check_mode(properties: Json) -> None:
    if properties.get("orchestrationMode") != "Flexible":
        raise errors.invalid_parameter(
            "orchestrationMode",
            "This local endpoint serves only scale sets with orchestrationMode 'Flexible'.",
        )
    if properties.get("overprovision"):
        raise errors.invalid_parameter(
            "overprovision",
            "Overprovisioning is not supported for a scale set with orchestration mode Flexible.",
        )


def _set_properties(em: Emulator, properties: Json, size_name: str) -> tuple[Json, Json]:
    """(shown, hidden); the profile is checked as each VM of it would be."""
    profile = dict(properties.get("virtualMachineProfile") or {})
    hidden: Json = {}
    if profile:
        vm_body.checked_priority(profile, vm_body.checked_size(size_name))
        shown_os, hidden = vm_body.split_os_profile(profile.get("osProfile"))
        hidden |= vm_body.user_data(profile)
        profile["osProfile"] = shown_os
        profile["storageProfile"] = vm_body.storage_profile(
            profile.get("storageProfile"), delete_option="Delete"
        )
        if not (profile.get("networkProfile") or {}).get("networkInterfaceConfigurations"):
            raise errors.missing_parameter("networkInterfaceConfigurations")
        if "networkApiVersion" not in profile["networkProfile"]:
            raise errors.missing_parameter("networkApiVersion")
    shown: Json = {
        "singlePlacementGroup": False,
        "platformFaultDomainCount": 1,
        **properties,
        "orchestrationMode": "Flexible",
        "provisioningState": "Creating",
        "uniqueId": em.new_uuid(),
    }
    if profile:
        shown["virtualMachineProfile"] = profile
    return shown, hidden


def _begin(
    em: Emulator, request: ArmRequest, scale_set: Resource, vms: Sequence[Resource], status: int
) -> ArmResponse:
    async def one(vm: Resource) -> errors.ArmError | None:
        fault = failures.of_instance(em, vm)
        duration_s = em.durations.draw("vm_create")

        async def finish() -> None:
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

    async def finish() -> None:
        failures = [error for error in await asyncio.gather(*map(one, vms)) if error]
        if scale_set.deleting:
            raise vm_lifecycle.PREEMPTED
        scale_set.properties["provisioningState"] = "Failed" if failures else "Succeeded"
        if failures:
            raise failures[0]

    duration_s = em.durations.draw("scale_set")
    operation = em.operations.start(COMPUTE, scale_set.location, duration_s, finish)
    headers = em.operations.headers(request, operation, retry_after_s=10)
    headers["x-ms-request-charge"] = str(max(1, len(vms)))
    return ArmResponse(status, show(em, scale_set), headers)


def _update(
    em: Emulator, request: ArmRequest, group: Group, scale_set: Resource, body: Json
) -> ArmResponse:
    em.check_same_location(scale_set, body)
    properties = body["properties"]
    if properties.get("orchestrationMode", "Flexible") != "Flexible":
        raise errors.property_change("orchestrationMode")
    if "virtualMachineProfile" in properties:
        new_os = properties["virtualMachineProfile"].get("osProfile") or {}
        old_os = scale_set.properties.get("virtualMachineProfile", {}).get("osProfile", {})
        for name in ("adminUsername", "computerNamePrefix"):
            if name in new_os and old_os and new_os[name] != old_os.get(name):
                raise errors.property_change(f"osProfile.{name}")
    scale_set.tags = body.get("tags", scale_set.tags)
    return _resize(em, request, group, scale_set, body.get("sku") or {})


def patch(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    scale_set = em.store.get(group.name, SCALE_SET, request.params["name"])
    body = check_compute(schemas_scale_set.SCALE_SET_PATCH, request.json_object())
    scale_set.tags = merged_tags(body, scale_set.tags)
    return _resize(em, request, group, scale_set, body.get("sku") or {})


def _resize(
    em: Emulator, request: ArmRequest, group: Group, scale_set: Resource, sku: Json
) -> ArmResponse:
    """Grow by new machines, or shrink by the newest."""
    if sku.get("name"):
        scale_set.top["sku"]["name"] = vm_body.checked_size(sku["name"]).name
    vms = [vm for vm in vm_lifecycle.vms_of(em, scale_set.key, group.name) if not vm.deleting]
    capacity = sku.get("capacity", len(vms))
    _check_capacity(capacity)
    added = add_instances(em, group, scale_set, max(0, capacity - len(vms)))
    surplus = vms[capacity:]
    if surplus:
        duration_s = em.durations.draw("vm_delete")
        em.operations.spawn(vm_lifecycle.delete_all(em, surplus, duration_s))
    scale_set.top["sku"]["capacity"] = capacity
    scale_set.properties["provisioningState"] = "Updating"
    return _begin(em, request, scale_set, added, 200)


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

    return accepted(em, request, scale_set, finish)


def delete_instances(em: Emulator, request: ArmRequest) -> ArmResponse:
    """POST .../delete {"instanceIds": [VM names]}."""
    group = em.store.group(request.params["group"])
    scale_set = em.store.get(group.name, SCALE_SET, request.params["name"])
    body = check_compute(schemas_scale_set.INSTANCE_IDS, request.json_object())
    members = {vm.name.lower(): vm for vm in vm_lifecycle.vms_of(em, scale_set.key, group.name)}
    unknown = [name for name in body["instanceIds"] if name.lower() not in members]
    if unknown:
        raise errors.invalid_parameter(
            "instanceIds",
            f"The provided instanceId {unknown[0]} is not an active Virtual Machine Scale Set VM "
            "instanceId.",
        )
    vms = [members[name.lower()] for name in body["instanceIds"]]
    duration_s = em.durations.draw("vm_delete")
    gone = sum(not vm.deleting for vm in vms)
    scale_set.top["sku"]["capacity"] = max(0, scale_set.top["sku"]["capacity"] - gone)
    for vm in vms:
        vm.deleting = True

    async def finish() -> None:
        await vm_lifecycle.delete_all(em, vms, duration_s)

    return accepted(em, request, scale_set, finish)


def list_instances(em: Emulator, request: ArmRequest) -> ArmResponse:
    scale_set = em.store.get(request.params["group"], SCALE_SET, request.params["name"])
    items = []
    for vm in vm_lifecycle.vms_of(em, scale_set.key, scale_set.group):
        body = show(em, vm)
        body["id"] = f"{scale_set.id}/virtualMachines/{vm.name}"
        body["type"] = f"{SCALE_SET}/virtualMachines"
        body["instanceId"] = vm.name
        body["sku"] = {key: scale_set.top["sku"][key] for key in ("name", "tier")}
        items.append(body)
    return page(items)

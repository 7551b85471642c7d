"""Requests on Microsoft.Compute/virtualMachineScaleSets in orchestration mode Flexible."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from . import errors, names, networks, quota, schemas_compute, vm_body, vm_lifecycle, vm_network
from .addresses import RESERVED_FIRST, Network
from .arm import ArmRequest, ArmResponse, Json, page
from .schema import check_compute
from .state import Emulator, merged_tags
from .store import Group, Resource
from .views import COMPUTE, SCALE_SET, VM, show
from .virtual_machines import accepted

LARGEST = 1000
PUT_QUOTA = (
    "Microsoft.Compute/CreateVMScaleSetSubscriptionMaximum;374,"
    "Microsoft.Compute/CreateVMScaleSetResource;11"
)


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_machine(name)
    body = check_compute(schemas_compute.SCALE_SET, request.json_object())
    existing = em.store.lookup(group.name, SCALE_SET, name)
    if existing:
        return _update(em, request, group, existing, body)
    scale_set = em.new_resource(group, SCALE_SET, name, body)
    sku = _checked_sku(body.get("sku"))
    properties = body["properties"]
    _check_mode(properties)
    scale_set.properties, scale_set.hidden = _set_properties(em, properties, sku["name"])
    scale_set.top = {"sku": sku}
    scale_set.top |= {key: body[key] for key in ("zones", "identity", "plan") if key in body}
    em.store.add(scale_set)
    try:
        vms = _add_instances(em, group, scale_set, sku["capacity"])
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


def _add_instances(em: Emulator, group: Group, scale_set: Resource, count: int) -> list[Resource]:
    """Make the VMs' resources; nothing is left of them if one is refused."""
    profile = scale_set.properties.get("virtualMachineProfile")
    if count == 0:
        return []
    if not profile:
        raise errors.missing_parameter("virtualMachineProfile")
    size = vm_body.checked_size(scale_set.top["sku"]["name"])
    quota.check(em, scale_set.location, size, count, profile.get("priority"))
    _check_room(em, scale_set, profile, count)
    vms: list[Resource] = []
    try:
        for _ in range(count):
            vms.append(_instance(em, group, scale_set, profile))
    except errors.ArmError:
        for vm in vms:
            em.store.remove(vm)
            vm_network.detach(em, vm)
        raise
    return vms


def _check_room(em: Emulator, scale_set: Resource, profile: Json, count: int) -> None:
    for nic in profile["networkProfile"]["networkInterfaceConfigurations"]:
        for item in (nic.get("properties") or {}).get("ipConfigurations", []):
            subnet_id = ((item.get("properties") or {}).get("subnet") or {}).get("id")
            found = networks.find_subnet(em, subnet_id)
            if found is None:
                raise errors.invalid_reference(str(subnet_id), scale_set.id)
            vnet, subnet = found
            prefix = subnet["properties"]["addressPrefix"]
            used = len(em.private_addresses.owners(f"{vnet.id}/subnets/{subnet['name']}"))
            if Network(prefix).num_addresses - RESERVED_FIRST - 1 - used < count:
                raise errors.ArmError(
                    400,
                    "SubnetIsFull",
                    f"Subnet {subnet['name']} with address prefix {prefix} does not have enough "
                    f"capacity for {count} IP addresses.",
                )


def _instance(em: Emulator, group: Group, scale_set: Resource, profile: Json) -> Resource:
    suffix = em.new_hex(8)
    name = f"{scale_set.name}_{suffix}"
    body: Json = {"location": scale_set.location, "tags": scale_set.tags}
    vm = em.new_resource(group, VM, name, body)
    os_profile = dict(profile["osProfile"])
    prefix = os_profile.pop("computerNamePrefix", None) or scale_set.name[:9]
    storage = profile["storageProfile"]
    vm.properties = {
        "hardwareProfile": {"vmSize": scale_set.top["sku"]["name"]},
        "provisioningState": "Creating",
        "vmId": em.new_uuid(),
        "virtualMachineScaleSet": {"id": scale_set.id},
        # osDisk gets a name of its own later: not shared.
        "storageProfile": {**storage, "osDisk": dict(storage["osDisk"])},
        "osProfile": {"computerName": f"{prefix}{em.new_hex(6).upper()}", **os_profile},
    }
    for other, value in profile.items():
        if other not in vm.properties and other not in ("networkProfile", "userData"):
            vm.properties[other] = value
    vm.hidden = dict(scale_set.hidden)
    vm_network.attach(em, group, vm, profile["networkProfile"], nic_suffix=f"-{suffix}")
    vm.touch()
    em.store.add(vm)
    return vm


def _begin(
    em: Emulator, request: ArmRequest, scale_set: Resource, vms: Sequence[Resource], status: int
) -> ArmResponse:
    async def one(vm: Resource) -> errors.ArmError | None:
        await asyncio.sleep(em.durations.draw("vm_create"))
        try:
            await vm_lifecycle.finish_creation(em, vm)
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
    headers["x-ms-ratelimit-remaining-resource"] = PUT_QUOTA
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
    body = check_compute(schemas_compute.SCALE_SET_PATCH, request.json_object())
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
    added = _add_instances(em, group, scale_set, max(0, capacity - len(vms)))
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
    body = check_compute(schemas_compute.INSTANCE_IDS, request.json_object())
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

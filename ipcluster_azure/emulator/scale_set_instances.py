"""The machines of a scale set: made all together, or not at all."""

from __future__ import annotations

from . import errors, machine_faults, networks, quota, vm_body, vm_network
from .addresses import RESERVED_FIRST, Network
from .arm import Json
from .state import Emulator
from .store import Group, Resource
from .views import VM


def add_instances(em: Emulator, group: Group, scale_set: Resource, count: int) -> list[Resource]:
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
    for vm in vms:
        machine_faults.prepare(em, vm)
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
    if "identity" in scale_set.top:
        vm.top["identity"] = scale_set.top["identity"]
    vm_network.attach(em, group, vm, profile["networkProfile"], nic_suffix=f"-{suffix}")
    vm.touch()
    em.store.add(vm)
    return vm

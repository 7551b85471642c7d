"""The machines of a scale set: made all together, or not at all."""

from __future__ import annotations

import string
from copy import deepcopy

from ..base import errors
from ..base.messages import Json
from ..base.resource_types import VM
from ..base.store import Group, Resource
from ..base.timestamps import compute_timestamp
from ..guest.addresses import RESERVED_FIRST, Network
from ..network import networks
from ..rules import sku_restrictions
from ..state import Emulator
from . import images, machine_faults, quota, vm_body, vm_network
from .scale_set_model import is_uniform

DIGITS = string.digits + string.ascii_uppercase


def add_instances(em: Emulator, group: Group, scale_set: Resource, count: int) -> list[Resource]:
    """Make the VMs' resources; if one is refused, nothing is left of the others."""
    profile = scale_set.properties.get("virtualMachineProfile")
    if count == 0:
        return []
    if not profile:
        raise errors.missing_parameter("virtualMachineProfile")
    size = vm_body.checked_size(scale_set.top["sku"]["name"])
    zones = scale_set.top.get("zones", [])
    sku_restrictions.check(em.sku_restrictions, size, scale_set.location, zones)
    quota.check(em, scale_set.location, size, count, profile.get("priority"))
    _check_room(em, scale_set, profile, count)
    vms: list[Resource] = []
    make = _uniform if is_uniform(scale_set) else _flexible
    try:
        for _ in range(count):
            vms.append(make(em, group, scale_set, profile))
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


def _flexible(em: Emulator, group: Group, scale_set: Resource, profile: Json) -> Resource:
    """Return a VM of its own right, with a random name."""
    suffix = em.new_hex(8)
    vm = _new(em, group, scale_set, f"{scale_set.name}_{suffix}", None)
    _fill(em, vm, scale_set, profile, em.new_hex(6).upper())
    vm.properties["virtualMachineScaleSet"] = {"id": scale_set.id}
    return _attached(em, group, vm, profile, f"-{suffix}")


def _uniform(em: Emulator, group: Group, scale_set: Resource, profile: Json) -> Resource:
    """Return a machine that is part of the scale set, with a number that is never given again."""
    number = scale_set.hidden.setdefault("next_number", 0)
    scale_set.hidden["next_number"] = number + 1
    nested_id = f"{scale_set.id}/virtualMachines/{number}"
    vm = _new(em, group, scale_set, f"{scale_set.name}_{number}", nested_id)
    _fill(em, vm, scale_set, profile, base_36(number, 6))
    vm.hidden |= {
        "number": number,
        "model": scale_set.hidden.get("model", 0),
        "networkConfigurations": profile["networkProfile"]["networkInterfaceConfigurations"],
        "placementGroup": scale_set.hidden.setdefault("placementGroup", em.new_uuid()),
    }
    zones = scale_set.top.get("zones")
    if zones:
        vm.top["zones"] = [zones[number % len(zones)]]
    return _attached(em, group, vm, profile, "")


def base_36(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, rest = divmod(number, len(DIGITS))
        text = DIGITS[rest] + text
    return text


def _new(
    em: Emulator, group: Group, scale_set: Resource, name: str, nested_id: str | None
) -> Resource:
    body: Json = {"location": scale_set.location, "tags": scale_set.tags}
    return em.new_resource(group, VM, name, body, nested_id)


def _fill(em: Emulator, vm: Resource, scale_set: Resource, profile: Json, suffix: str) -> None:
    login = dict(profile["osProfile"])
    prefix = login.pop("computerNamePrefix", None) or scale_set.name[:9]
    vm.properties = {
        "hardwareProfile": {"vmSize": scale_set.top["sku"]["name"]},
        "provisioningState": "Creating",
        "vmId": em.new_uuid(),
        "timeCreated": compute_timestamp(em.clock.now()),
        "storageProfile": _own_disks(profile["storageProfile"]),
        "osProfile": {"computerName": f"{prefix}{suffix}", **login},
    }
    for other, value in profile.items():
        if other not in vm.properties and other not in ("networkProfile", "extensionProfile"):
            vm.properties[other] = value
    vm.hidden = {
        name: scale_set.hidden[name]
        for name in ("customData", "adminPassword", "userData")
        if name in scale_set.hidden
    }
    if "identity" in scale_set.top:
        vm.top["identity"] = scale_set.top["identity"]


def _own_disks(storage: Json) -> Json:
    """Return one machine's copy of the storage profile; its disks get their own names later."""
    disk = {key: value for key, value in storage["osDisk"].items() if key != "vhdContainers"}
    containers = storage["osDisk"].get("vhdContainers")
    if containers:
        disk["vhd"] = {"uri": f"{containers[0]}/{disk.get('name', 'osdisk')}.vhd"}
    own = {**storage, "osDisk": disk}
    own["imageReference"] = images.resolve(storage["imageReference"])
    if "managedDisk" in disk:
        shown = [{**item, "toBeDetached": False} for item in storage.get("dataDisks") or []]
        own["dataDisks"] = deepcopy(shown)
        # A model may name its disk; the disks of several machines can't share that name.
        disk.pop("name", None)
    return own


def _attached(em: Emulator, group: Group, vm: Resource, profile: Json, suffix: str) -> Resource:
    vm_network.attach(em, group, vm, profile["networkProfile"], nic_suffix=suffix)
    vm.touch()
    em.store.add(vm)
    return vm


def chosen(em: Emulator, vms: list[Resource], wanted: list[str] | None) -> list[Resource]:
    """Return the VMs of these ids (Uniform: numbers, Flexible: names).

    No ids, or *, mean all of them.
    """
    if wanted is None or wanted == ["*"]:
        return vms
    known = {instance_id(vm).lower(): vm for vm in vms}
    for name in wanted:
        if name.lower() not in known:
            raise errors.invalid_parameter(
                "instanceIds",
                f"The provided instanceId {name} is not an active Virtual Machine Scale Set VM "
                "instanceId.",
            )
    return [known[name] for name in dict.fromkeys(name.lower() for name in wanted)]


def instance_id(vm: Resource) -> str:
    return str(vm.hidden["number"]) if vm.nested else vm.name

"""What happens to a VM with time: created, booted, stopped, started, deleted."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from . import errors, vm_machine, vm_network
from .arm import Json
from .operations import timestamp
from .state import Emulator
from .store import Resource
from .views import DISK, VM

log = logging.getLogger(__name__)

POWER = {
    "starting": ("PowerState/starting", "VM starting"),
    "running": ("PowerState/running", "VM running"),
    "stopped": ("PowerState/stopped", "VM stopped"),
    "deallocated": ("PowerState/deallocated", "VM deallocated"),
}
PREEMPTED = errors.ArmError(
    409, "OperationPreempted", "The operation was preempted by a more recent operation."
)


async def finish_creation(em: Emulator, vm: Resource) -> None:
    """The VM's disk appears, the machine boots; a failure is kept in provisioningState."""
    if not _present(em, vm):
        raise PREEMPTED
    _make_disk(em, vm)
    vm.properties["timeCreated"] = timestamp(em.clock.now())
    try:
        await vm_machine.wait_for_guest(em, vm)
        await boot(em, vm)
    except errors.ArmError:
        vm.properties["provisioningState"] = "Failed"
        raise
    if not _present(em, vm):
        raise PREEMPTED
    vm.properties["provisioningState"] = "Succeeded"


def _present(em: Emulator, vm: Resource) -> bool:
    return em.store.find(vm.id) is vm and not vm.deleting


async def boot(em: Emulator, vm: Resource) -> None:
    """Azure reports success early in the boot: sshd may answer only seconds later."""
    vm.hidden["power"] = "running"
    lag_s = em.durations.draw("boot_lag")
    if lag_s > 0 and not em.clock.immediate:
        em.operations.spawn(_boot_later(em, vm, lag_s))
    else:
        await vm_machine.boot(em, vm)
        if not _present(em, vm):
            await em.machines.destroy([vm.properties["vmId"]])


async def _boot_later(em: Emulator, vm: Resource, lag_s: float) -> None:
    await em.clock.sleep(lag_s)
    if not _present(em, vm) or vm.hidden["power"] != "running":
        return
    try:
        await vm_machine.boot(em, vm)
    except errors.ArmError as error:
        log.warning("%s does not boot: %s", vm.name, error.message)


def _make_disk(em: Emulator, vm: Resource) -> None:
    group = em.store.group(vm.group)
    disk = vm.properties["storageProfile"]["osDisk"]
    name = disk.get("name") or f"{vm.name}_OsDisk_1_{em.new_hex(32)}"
    resource = em.new_resource(group, DISK, name, {"location": vm.location, "tags": vm.tags})
    account = disk["managedDisk"]["storageAccountType"]
    size_gb = disk.get("diskSizeGB", 30)
    resource.top = {"managedBy": vm.id, "sku": {"name": account, "tier": account.split("_")[0]}}
    resource.properties = {
        "osType": "Linux",
        "creationData": {"createOption": "FromImage"},
        "diskSizeGB": size_gb,
        "provisioningState": "Succeeded",
        "diskState": "Attached",
        "timeCreated": timestamp(em.clock.now()),
        "uniqueId": em.new_uuid(),
    }
    disk["name"] = name
    disk["diskSizeGB"] = size_gb
    if "diffDiskSettings" not in disk:
        em.store.add(resource)
        disk["managedDisk"] = {**disk["managedDisk"], "id": resource.id}


async def delete_all(em: Emulator, vms: Sequence[Resource], duration_s: float) -> None:
    """The machines die within the first quarter of the time, the resources go at the end."""
    for vm in vms:
        vm.deleting = True
        vm.properties["provisioningState"] = "Deleting"
    notices = await em.scheduled_events.before_deletion(vms)
    await em.clock.sleep(duration_s / 4)
    await em.machines.destroy([vm.properties["vmId"] for vm in vms])
    await em.clock.sleep(duration_s * 3 / 4)
    for vm in vms:
        if em.store.find(vm.id) is vm:
            _remove(em, vm)
    for notice in notices:
        em.scheduled_events.over(notice)


def _remove(em: Emulator, vm: Resource) -> None:
    em.store.remove(vm)
    vm_network.detach(em, vm)
    shown = vm.properties["storageProfile"]["osDisk"]
    disk = em.store.find((shown.get("managedDisk") or {}).get("id"))
    if disk is None:
        return
    if shown.get("deleteOption") == "Delete":
        em.store.remove(disk)
    else:
        disk.top.pop("managedBy", None)
        disk.properties["diskState"] = "Unattached"


async def change_power(em: Emulator, vm: Resource, power: str) -> None:
    """running, stopped or deallocated; stopping kills all processes, the disk stays."""
    if not _present(em, vm):
        raise PREEMPTED
    if power == "running":
        if vm.hidden.get("power") != "running":
            await boot(em, vm)
    else:
        vm.hidden["power"] = power
        await em.machines.halt([vm.properties["vmId"]])
    vm.properties["provisioningState"] = "Succeeded"


async def restart(em: Emulator, vm: Resource) -> None:
    if not _present(em, vm):
        raise PREEMPTED
    await em.machines.halt([vm.properties["vmId"]])
    await boot(em, vm)
    vm.properties["provisioningState"] = "Succeeded"


def instance_view(em: Emulator, vm: Resource) -> Json:
    state = vm.properties["provisioningState"]
    statuses = [
        {
            "code": f"ProvisioningState/{state.lower()}",
            "level": "Error" if state == "Failed" else "Info",
            "displayStatus": {"Succeeded": "Provisioning succeeded"}.get(state, state),
            "time": timestamp(em.clock.now()),
        }
    ]
    power = vm.hidden.get("power")
    if power and state != "Creating":
        code, shown = POWER[power]
        statuses.append({"code": code, "level": "Info", "displayStatus": shown})
    view: Json = {"disks": [], "hyperVGeneration": "V2", "statuses": statuses}
    if power == "running":
        view["computerName"] = vm.properties["osProfile"]["computerName"]
        view |= {"osName": "ubuntu", "osVersion": "24.04"}
    return view


def vms_of(em: Emulator, scale_set_key: str, group: str) -> list[Resource]:
    return [
        vm
        for vm in em.store.all(VM, group)
        if (vm.properties.get("virtualMachineScaleSet") or {}).get("id", "").lower()
        == scale_set_key
    ]

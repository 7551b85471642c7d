"""What happens to a VM with time: created, booted, stopped, started, deleted."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..base import errors
from ..base.resource_types import VM
from ..base.store import Resource
from ..state import Emulator
from . import disks, vm_disks, vm_machine, vm_network

log = logging.getLogger(__name__)


def preempted() -> errors.ArmError:
    message = "The operation was preempted by a more recent operation."
    return errors.ArmError(409, "OperationPreempted", message)


async def finish_creation(em: Emulator, vm: Resource) -> None:
    """Make the VM's disk and boot its machine; a failure is kept in provisioningState."""
    if not _present(em, vm):
        raise preempted()
    vm_disks.make(em, vm)
    try:
        await vm_machine.wait_for_guest(em, vm)
        await boot(em, vm)
    except errors.ArmError:
        vm.properties["provisioningState"] = "Failed"
        raise
    if not _present(em, vm):
        raise preempted()
    vm.properties["provisioningState"] = "Succeeded"


def _present(em: Emulator, vm: Resource) -> bool:
    return em.store.find(vm.id) is vm and not vm.deleting


async def boot(em: Emulator, vm: Resource) -> None:
    """Boot the machine. Azure reports success early: sshd may answer only seconds later."""
    vm.hidden["power"] = "running"
    vm_network.give_dynamic_addresses(em, vm)
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


async def delete_all(em: Emulator, vms: Sequence[Resource], duration_s: float) -> None:
    """Delete VMs: machines die in the first quarter of the time, resources go at its end."""
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
    vm_disks.leave(em, vm)


async def change_power(em: Emulator, vm: Resource, power: str) -> None:
    """Make the VM running, stopped or deallocated; stopping kills all processes, the disk stays."""
    if not _present(em, vm):
        raise preempted()
    if power == "running":
        if vm.hidden.get("power") != "running":
            await boot(em, vm)
    else:
        vm.hidden["power"] = power
        if power == "deallocated":
            vm_network.take_dynamic_addresses(em, vm)
        await em.machines.halt([vm.properties["vmId"]])
    for disk in vm_disks.held(em, vm):
        disks.hold(disk, vm)
    vm.properties["provisioningState"] = "Succeeded"


async def restart(em: Emulator, vm: Resource) -> None:
    if not _present(em, vm):
        raise preempted()
    await em.machines.halt([vm.properties["vmId"]])
    await boot(em, vm)
    vm.properties["provisioningState"] = "Succeeded"


async def reimage(em: Emulator, vm: Resource) -> None:
    """Give the machine a new OS disk, so that all files are gone, and boot it as the first time."""
    if not _present(em, vm):
        raise preempted()
    await em.machines.destroy([vm.properties["vmId"]])
    await boot(em, vm)
    vm.properties["provisioningState"] = "Succeeded"


async def convert_disks(em: Emulator, vm: Resource) -> None:
    """Make managed disks of the VM's blobs; it runs afterwards."""
    storage = vm.properties["storageProfile"]
    for shown in (storage["osDisk"], *storage.get("dataDisks", [])):
        shown.pop("vhd", None)
        shown.setdefault("managedDisk", {"storageAccountType": "Standard_LRS"})
    vm_disks.make(em, vm)
    await change_power(em, vm, "running")


def vms_of(em: Emulator, scale_set_key: str, group: str) -> list[Resource]:
    """Return a scale set's machines, whatever its orchestration mode."""
    return [vm for vm in em.store.all(VM, group) if set_of(vm) == scale_set_key]


def set_of(vm: Resource) -> str:
    if vm.nested:
        return vm.key.rsplit("/", 2)[0]
    return str((vm.properties.get("virtualMachineScaleSet") or {}).get("id", "")).lower()

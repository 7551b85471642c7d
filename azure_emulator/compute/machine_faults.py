"""What declared faults do to a machine some time after its first boot, or while it runs."""

from __future__ import annotations

import asyncio
import logging

from ..base.resource_types import VM
from ..base.store import Resource
from ..rules.faults import MachineFault
from ..state import Emulator
from . import eviction, vm_lifecycle, vm_machine

log = logging.getLogger(__name__)

TIMED = ("no_network", "dies", "evicted")


def prepare(em: Emulator, vm: Resource) -> None:
    """Draw what will happen to a new VM, and keep its addresses silent from now on."""
    in_scale_set = bool(vm_lifecycle.set_of(vm))
    faults = em.faults.for_machine(vm.name, in_scale_set=in_scale_set)
    vm.hidden |= {"faults": faults, "booted": asyncio.Event()}
    if vm_machine.has_guest(em):
        em.machines.prepare(vm_machine.machine_spec(em, vm))
    for fault in faults:
        if fault.kind in TIMED:
            em.operations.spawn(_strike(em, vm, fault))


def strike_running(em: Emulator, identifier: str) -> None:
    """Let a fault that was just declared meet the machines that run already."""
    for vm in em.store.all(VM):
        if vm.deleting or vm.hidden.get("power") != "running":
            continue
        in_scale_set = bool(vm_lifecycle.set_of(vm))
        for fault in em.faults.for_running(identifier, vm.name, in_scale_set=in_scale_set):
            em.operations.spawn(_strike(em, vm, fault))


async def _strike(em: Emulator, vm: Resource, fault: MachineFault) -> None:
    await vm.hidden["booted"].wait()
    await em.clock.wait(fault.after_s)
    if em.store.find(vm.id) is not vm or vm.deleting:
        return
    vm_ids = [vm.properties["vmId"]]
    log.info("%s: %s", vm.name, fault.kind)
    if fault.kind == "no_network":
        await em.machines.lose_network(vm_ids)
        if fault.for_s is not None:
            await em.clock.wait(fault.for_s)
            await em.machines.restore_network(vm_ids)
    elif fault.kind == "dies":
        vm.hidden["power"] = "stopped"
        await em.machines.crash(vm_ids)
    else:
        await eviction.evict(em, vm, fault.notice_s)

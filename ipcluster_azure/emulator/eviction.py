"""Eviction of Spot machines: a notice, then the power is gone and evictionPolicy decides."""

from __future__ import annotations

from . import vm_lifecycle
from .state import Emulator
from .store import Resource


async def evict(em: Emulator, vm: Resource, notice_s: float) -> None:
    """Deallocate (Azure's default) keeps the VM and its disk, Delete removes it as a deletion."""
    event = await em.scheduled_events.announce(vm, "Preempt", notice_s)
    try:
        if em.store.find(vm.id) is not vm or vm.deleting:
            return
        await em.machines.crash([vm.properties["vmId"]])
        if vm.properties.get("evictionPolicy", "Deallocate") == "Delete":
            await vm_lifecycle.delete_all(em, [vm], em.durations.draw("vm_delete"))
        else:
            await vm_lifecycle.change_power(em, vm, "deallocated")
    finally:
        em.scheduled_events.over(event)

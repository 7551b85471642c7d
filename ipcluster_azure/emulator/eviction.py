"""Eviction of Spot machines: a notice, then the power is gone and evictionPolicy decides."""

from __future__ import annotations

from . import vm_lifecycle
from .state import Emulator
from .store import Resource

NOTICE_S = 30.0  # what Azure promises at the least


async def evict(em: Emulator, vm: Resource, notice_s: float | None = None) -> None:
    """Deallocate (Azure's default) keeps the VM and its disk, Delete removes it as a deletion.

    notice_s: asked for by someone; None: Azure's own.
    """
    passing = em.clock.sleep if notice_s is None else em.clock.wait
    seconds = NOTICE_S if notice_s is None else notice_s
    event = await em.scheduled_events.announce(vm, "Preempt", seconds, "Platform", passing)
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

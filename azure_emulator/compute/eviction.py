"""Azure takes a Spot VM back: after a notice it is deallocated or deleted, as its policy says."""

from __future__ import annotations

from ..base import errors
from ..base.store import Resource
from ..state import Emulator
from . import vm_body, vm_lifecycle

NOTICE_S = 30.0  # what Scheduled Events promises at the least


def check_evictable(vm: Resource) -> None:
    if vm.properties.get("priority") not in vm_body.SPOT:
        raise errors.operation_not_allowed(
            f"Simulate eviction is not supported for VM '{vm.name}': it is no Azure Spot Virtual "
            "Machine."
        )
    if vm.hidden.get("power") != "running":
        raise errors.operation_not_allowed(
            f"Simulate eviction requires VM '{vm.name}' to be running."
        )


async def evict(em: Emulator, vm: Resource, notice_s: float | None = None) -> None:
    """Take the Spot VM back, and return when it is deleted or stopped.

    Nothing happens if it is gone or stopped by then anyway. notice_s: how long before it is told;
    None: as Azure.
    """
    passing = em.clock.sleep if notice_s is None else em.clock.wait
    seconds = NOTICE_S if notice_s is None else notice_s
    event = await em.scheduled_events.announce(vm, "Preempt", seconds, "Platform", passing)
    try:
        if vm.deleting or em.store.find(vm.id) is not vm or vm.hidden.get("power") != "running":
            return
        await em.machines.crash([vm.properties["vmId"]])
        if vm.properties.get("evictionPolicy", "Deallocate") == "Delete":
            await vm_lifecycle.delete_all(em, [vm], em.durations.draw("vm_delete_force"))
            forget(em, vm)
        else:
            await vm_lifecycle.change_power(em, vm, "deallocated")
    finally:
        em.scheduled_events.over(event)


def forget(em: Emulator, vm: Resource) -> None:
    """Let the scale set of a machine that is gone count one less."""
    scale_set = em.store.find(vm_lifecycle.set_of(vm))
    if scale_set is not None and "sku" in scale_set.top:
        sku = scale_set.top["sku"]
        sku["capacity"] = max(0, sku["capacity"] - 1)

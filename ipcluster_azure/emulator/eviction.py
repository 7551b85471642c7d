"""Azure takes a Spot VM back: after a notice it is deallocated or deleted, as its policy says."""

from __future__ import annotations

from . import errors, vm_body, vm_lifecycle
from .state import Emulator
from .store import Resource

# What Scheduled Events promises at the least.
NOTICE_S = 30.0


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


async def evict(em: Emulator, vm: Resource, notice_s: float = NOTICE_S) -> None:
    """Returns when the VM is gone or stopped; nothing happens if it is by then anyway."""
    await em.clock.sleep(notice_s)
    if vm.deleting or em.store.find(vm.id) is not vm or vm.hidden.get("power") != "running":
        return
    if vm.properties.get("evictionPolicy", "Deallocate") == "Delete":
        await vm_lifecycle.delete_all(em, [vm], em.durations.draw("vm_delete_force"))
        forget(em, vm)
    else:
        await vm_lifecycle.change_power(em, vm, "deallocated")


def forget(em: Emulator, vm: Resource) -> None:
    """A scale set whose machine is gone counts one less."""
    scale_set = em.store.find(vm_lifecycle.set_of(vm))
    if scale_set is not None and "sku" in scale_set.top:
        sku = scale_set.top["sku"]
        sku["capacity"] = max(0, sku["capacity"] - 1)

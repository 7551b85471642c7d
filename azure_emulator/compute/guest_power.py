"""A guest that ends itself: it is "stopped" and, as on Azure, still there and still billed."""

from __future__ import annotations

from ..base.store import Resource
from ..state import Emulator
from . import vm_lifecycle

ACTIONS = ("off", "restart")


async def act(em: Emulator, vm: Resource, action: str) -> None:
    if vm.deleting or vm.hidden.get("power") != "running":
        return
    if action == "restart":
        await vm_lifecycle.restart(em, vm)
    else:
        await vm_lifecycle.change_power(em, vm, "stopped")

"""Operations that fail or never end because a fault says so, and what they leave behind."""

from __future__ import annotations

from ..base.resource_types import SCALE_SET
from ..base.store import Resource
from ..rules.fault_rules import DeclaredFault
from ..rules.interference import Finish, Interference, never
from ..state import Emulator
from . import vm_lifecycle

# Azure has given up waiting, but the machine is there.
IN_VAIN = ("OSProvisioningTimedOut", "VMStartTimedOut")


def interference(em: Emulator, fault: DeclaredFault, identifier: str, name: str) -> Interference:
    """Return what a fault of kind fail or never_ends makes of an operation on that resource."""
    if fault.kind == "never_ends":
        return Interference(None, never)

    async def fail(finish: Finish) -> None:
        error = fault.error(name)
        if error.code in IN_VAIN:
            await finish()
        _mark_failed(em, identifier)
        raise error

    return Interference(fault.seconds("after_s"), fail)


def of_instance(em: Emulator, vm: Resource) -> Interference | None:
    """Return what happens to the creation of a scale set's new machine, if a fault meets it."""
    fault = em.faults.of_instance(vm)
    return interference(em, fault, vm.id, vm.name) if fault else None


def _mark_failed(em: Emulator, identifier: str) -> None:
    """Show a resource that was to change as Failed; one that was to be deleted stays."""
    resource = em.store.find(identifier)
    if resource:
        _fail(resource)
        if resource.type == SCALE_SET:
            for vm in vm_lifecycle.vms_of(em, resource.key, resource.group):
                vm.deleting = False
                if vm.properties["provisioningState"] == "Creating":
                    _fail(vm)
        return
    for group in em.store.groups():
        if group.id.lower() == identifier.lower():
            group.state = "Succeeded"


def _fail(resource: Resource) -> None:
    resource.deleting = False
    resource.properties["provisioningState"] = "Failed"

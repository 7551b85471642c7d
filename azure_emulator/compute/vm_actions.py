"""POST on a virtual machine: power, maintenance, eviction, commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse
from ..base.resource_types import VM
from ..base.store import Resource
from ..resources.crud import Handler
from ..state import Emulator
from . import eviction, run_command, vm_lifecycle
from .compute_answers import begin

Act = Callable[[Emulator, Resource], Awaitable[None]]
# Recorded: only these two answers say when to ask again.
WAITED_FOR = ("start", "deallocate")


async def start(em: Emulator, vm: Resource) -> None:
    if vm.hidden.get("generalized"):
        raise errors.operation_not_allowed(
            f"Operation 'start' is not allowed on VM '{vm.name}' since the VM is generalized."
        )
    await vm_lifecycle.change_power(em, vm, "running")


async def power_off(em: Emulator, vm: Resource) -> None:
    await vm_lifecycle.change_power(em, vm, "stopped")


async def deallocate(em: Emulator, vm: Resource) -> None:
    await vm_lifecycle.change_power(em, vm, "deallocated")


async def restart(em: Emulator, vm: Resource) -> None:
    """Restart a running machine; start one that is stopped."""
    await vm_lifecycle.restart(em, vm)


async def redeploy(em: Emulator, vm: Resource) -> None:
    """Move a machine to another host; a stopped one stays stopped (recorded)."""
    if vm.hidden.get("power") == "running":
        await vm_lifecycle.restart(em, vm)
    vm.properties["provisioningState"] = "Succeeded"


async def reapply(em: Emulator, vm: Resource) -> None:
    vm.properties["provisioningState"] = "Succeeded"


# skipShutdown of powerOff is accepted: a machine here has no shutdown that could be skipped.
POWER: dict[str, Act] = {
    "start": start,
    "powerOff": power_off,
    "deallocate": deallocate,
    "restart": restart,
    "redeploy": redeploy,
    "reapply": reapply,
}


def _vm(em: Emulator, request: ArmRequest) -> Resource:
    em.store.writable_group(request.params["group"])
    return em.store.get(request.params["group"], VM, request.params["name"])


def power(name: str) -> Handler:
    def act(em: Emulator, request: ArmRequest) -> ArmResponse:
        vm = _vm(em, request)
        vm.properties["provisioningState"] = "Updating"

        async def finish() -> None:
            await POWER[name](em, vm)

        return begin(
            em,
            request,
            vm.location,
            finish,
            duration_s=em.durations.draw("vm_power"),
            retry_after_s=10 if name in WAITED_FOR else None,
        )

    return act


def simulate_eviction(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = _vm(em, request)
    eviction.check_evictable(vm)
    em.operations.spawn(eviction.evict(em, vm))
    return ArmResponse(204)


def run(em: Emulator, request: ArmRequest) -> ArmResponse:
    return run_command.begin_run(em, request, _vm(em, request), None)


def perform_maintenance(em: Emulator, request: ArmRequest) -> ArmResponse:
    raise maintenance_refused(_vm(em, request))


def maintenance_refused(vm: Resource) -> errors.ArmError:
    return errors.operation_not_allowed(
        f"Operation 'performMaintenance' is not allowed on VM '{vm.name}' since the Subscription "
        "of this VM is not eligible."
    )


def reimage(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Make a machine's OS disk anew; refused (as recorded) unless that is an ephemeral one."""
    vm = _vm(em, request)
    if "diffDiskSettings" not in vm.properties["storageProfile"]["osDisk"]:
        raise errors.operation_not_allowed(
            "The Reimage and OSUpgrade Virtual Machine actions require that the virtual machine "
            "has Automatic OS Upgrades enabled."
        )

    async def finish() -> None:
        await vm_lifecycle.reimage(em, vm)

    return begin(em, request, vm.location, finish, duration_s=em.durations.draw("vm_power"))


def convert_to_managed_disks(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = _vm(em, request)
    if "managedDisk" in vm.properties["storageProfile"]["osDisk"]:
        raise errors.operation_not_allowed(f"VM '{vm.name}' already uses managed disks.")
    if vm.hidden.get("power") != "deallocated":
        raise errors.operation_not_allowed(
            f"VM '{vm.name}' must be deallocated before its disks can be converted."
        )

    async def finish() -> None:
        await vm_lifecycle.convert_disks(em, vm)

    return begin(em, request, vm.location, finish, duration_s=em.durations.draw("vm_update"))


def retrieve_boot_diagnostics(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer where the serial log and the screen's picture are; nothing is behind the URLs."""
    vm = _vm(em, request)
    boot = (vm.properties.get("diagnosticsProfile") or {}).get("bootDiagnostics") or {}
    if not boot.get("enabled"):
        raise errors.operation_not_allowed(
            f"Boot diagnostics is not enabled for the virtual machine '{vm.name}'."
        )
    place = f"https://md-{em.new_hex(12)}.z1.blob.storage.azure.net/bootdiagnostics-{vm.name[:9]}"
    body = {
        "consoleScreenshotBlobUri": f"{place}/screenshot.bmp?sig={em.new_hex(40)}",
        "serialConsoleLogBlobUri": f"{place}/serialconsole.log?sig={em.new_hex(40)}",
    }
    return ArmResponse(200, body)

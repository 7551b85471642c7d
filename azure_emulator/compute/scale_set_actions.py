"""POST on a scale set or on one of its machines: power, new models, maintenance, commands."""

from __future__ import annotations

import asyncio

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse
from ..base.resource_types import SCALE_SET
from ..base.schema import check_compute
from ..base.store import Resource
from ..resources.crud import Handler
from ..state import Emulator
from . import eviction, run_command, uniform, vm_actions, vm_lifecycle
from .compute_answers import begin
from .scale_set_instances import chosen


async def reimage(em: Emulator, vm: Resource) -> None:
    await vm_lifecycle.reimage(em, vm)


ACTIONS: dict[str, vm_actions.Act] = {
    **vm_actions.POWER,
    "reimage": reimage,
    "reimageall": reimage,
}


def _set(em: Emulator, request: ArmRequest) -> Resource:
    em.store.writable_group(request.params["group"])
    return em.store.get(request.params["group"], SCALE_SET, request.params["name"])


def of_set(name: str) -> Handler:
    """Return the handler of an action on the machines in {"instanceIds": [...]}, or on all."""

    def act(em: Emulator, request: ArmRequest) -> ArmResponse:
        scale_set = _set(em, request)
        given = request.json_object() if request.body is not None else {}
        body = check_compute("VirtualMachineScaleSetVMInstanceIDs", given, "patch")
        vms = vm_lifecycle.vms_of(em, scale_set.key, scale_set.group)
        return _begin(em, request, scale_set, chosen(em, vms, body.get("instanceIds")), name)

    return act


def of_instance(name: str) -> Handler:
    def act(em: Emulator, request: ArmRequest) -> ArmResponse:
        _set(em, request)
        scale_set, vm = uniform.find(em, request)
        return _begin(em, request, scale_set, [vm], name)

    return act


def _begin(
    em: Emulator, request: ArmRequest, scale_set: Resource, vms: list[Resource], name: str
) -> ArmResponse:
    for vm in vms:
        vm.properties["provisioningState"] = "Updating"

    async def finish() -> None:
        await asyncio.gather(*(ACTIONS[name](em, vm) for vm in vms if not vm.deleting))

    return begin(
        em,
        request,
        scale_set.location,
        finish,
        duration_s=em.durations.draw("vm_power"),
        charge=len(vms),
    )


def manual_upgrade(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Give the named machines the scale set's present model."""
    scale_set = _set(em, request)
    kind = "VirtualMachineScaleSetVMInstanceRequiredIDs"
    body = check_compute(kind, request.json_object())
    vms = vm_lifecycle.vms_of(em, scale_set.key, scale_set.group)
    upgraded = chosen(em, vms, body["instanceIds"])

    async def finish() -> None:
        for vm in upgraded:
            vm.hidden["model"] = scale_set.hidden.get("model", 0)

    return begin(
        em,
        request,
        scale_set.location,
        finish,
        duration_s=em.durations.draw("vm_update"),
        charge=len(upgraded),
    )


def perform_maintenance(em: Emulator, request: ArmRequest) -> ArmResponse:
    scale_set = _set(em, request)
    vms = vm_lifecycle.vms_of(em, scale_set.key, scale_set.group)
    if "instance" in request.params:
        vms = [uniform.find(em, request)[1]]
    if not vms:
        raise errors.operation_not_allowed(f"Scale set '{scale_set.name}' has no machines.")
    raise vm_actions.maintenance_refused(vms[0])


def simulate_eviction(em: Emulator, request: ArmRequest) -> ArmResponse:
    _set(em, request)
    _, vm = uniform.find(em, request)
    eviction.check_evictable(vm)
    em.operations.spawn(eviction.evict(em, vm))
    return ArmResponse(204)


def run(em: Emulator, request: ArmRequest) -> ArmResponse:
    _set(em, request)
    return run_command.begin_run(em, request, uniform.find(em, request)[1], 1)

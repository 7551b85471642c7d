"""Requests on Microsoft.Compute/virtualMachines."""

from __future__ import annotations

import re

from . import (
    errors,
    machine_faults,
    names,
    quota,
    schemas_compute,
    vm_body,
    vm_identity,
    vm_lifecycle,
    vm_network,
)
from .arm import ArmRequest, ArmResponse, Json, page
from .crud import Handler
from .operations import Finish
from .schema import check_compute
from .state import Emulator, merged_tags
from .store import Group, Resource
from .views import COMPUTE, SCALE_SET, VM, show

SET_FILTER = re.compile(r"\s*'virtualMachineScaleSet/id'\s+eq\s+'(?P<id>[^']+)'\s*", re.IGNORECASE)


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_machine(name)
    body = check_compute(schemas_compute.VIRTUAL_MACHINE, request.json_object())
    existing = em.store.lookup(group.name, VM, name)
    if existing:
        return _update(em, request, existing, body)
    vm = _create(em, group, name, body)

    async def finish() -> None:
        await vm_lifecycle.finish_creation(em, vm)

    return _begin(em, request, vm, 201, "vm_create", finish)


def _create(em: Emulator, group: Group, name: str, body: Json) -> Resource:
    vm = em.new_resource(group, VM, name, body)
    vm.properties, vm.hidden = vm_body.new_vm_properties(em, body, name, "Detach")
    vm.top = {key: body[key] for key in ("zones", "plan") if key in body}
    identity = vm_identity.filled_in(em, body.get("identity"), None, vm.id)
    if identity:
        vm.top["identity"] = identity
    if "virtualMachineScaleSet" in vm.properties:
        _check_scale_set(em, vm)
    size = vm_body.checked_size(vm.properties["hardwareProfile"]["vmSize"])
    quota.check(em, vm.location, size, 1, vm.properties.get("priority"))
    vm_network.attach(em, group, vm, body["properties"].get("networkProfile"))
    vm.touch()
    em.store.add(vm)
    machine_faults.prepare(em, vm)
    return vm


def _check_scale_set(em: Emulator, vm: Resource) -> None:
    found = em.store.find(vm.properties["virtualMachineScaleSet"]["id"])
    if found is None or found.type != SCALE_SET:
        raise errors.invalid_reference(vm.properties["virtualMachineScaleSet"]["id"], vm.id)


def _update(em: Emulator, request: ArmRequest, vm: Resource, body: Json) -> ArmResponse:
    em.check_same_location(vm, body)
    vm_body.check_immutable(vm.properties, vm.hidden, body["properties"])
    _check_same_interfaces(vm, body["properties"].get("networkProfile") or {})
    vm.tags = body.get("tags", vm.tags)
    return _begin_update(em, request, vm, body["properties"].get("hardwareProfile") or {})


def _check_same_interfaces(vm: Resource, profile: Json) -> None:
    wanted = profile.get("networkInterfaces")
    held = {item["id"].lower() for item in vm.properties["networkProfile"]["networkInterfaces"]}
    if wanted is not None and {item["id"].lower() for item in wanted} != held:
        raise errors.operation_not_allowed(
            f"Network interfaces of virtual machine '{vm.name}' cannot be changed here."
        )


def _begin_update(em: Emulator, request: ArmRequest, vm: Resource, hardware: Json) -> ArmResponse:
    if hardware.get("vmSize"):
        size = vm_body.checked_size(hardware["vmSize"])
        if size.name != vm.properties["hardwareProfile"]["vmSize"]:
            quota.check(em, vm.location, size, 1, vm.properties.get("priority"))
        vm.properties["hardwareProfile"] = {**hardware, "vmSize": size.name}
    if vm.properties["provisioningState"] == "Creating":
        return ArmResponse(200, show(em, vm))
    vm.properties["provisioningState"] = "Updating"

    async def finish() -> None:
        if not vm.deleting:
            vm.properties["provisioningState"] = "Succeeded"

    return _begin(em, request, vm, 200, "vm_update", finish)


def _begin(
    em: Emulator, request: ArmRequest, vm: Resource, status: int, table: str, finish: Finish
) -> ArmResponse:
    operation = em.operations.start(COMPUTE, vm.location, em.durations.draw(table), finish)
    headers = em.operations.headers(request, operation, retry_after_s=10)
    return ArmResponse(status, show(em, vm), headers)


def patch(em: Emulator, request: ArmRequest) -> ArmResponse:
    em.store.writable_group(request.params["group"])
    vm = em.store.get(request.params["group"], VM, request.params["name"])
    body = check_compute(schemas_compute.VIRTUAL_MACHINE_PATCH, request.json_object())
    vm.tags = merged_tags(body, vm.tags)
    hardware = (body.get("properties") or {}).get("hardwareProfile") or {}
    return _begin_update(em, request, vm, hardware)


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = em.store.get(request.params["group"], VM, request.params["name"])
    return ArmResponse(200, _shown(em, request, vm))


def _shown(em: Emulator, request: ArmRequest, vm: Resource) -> Json:
    body = show(em, vm)
    if request.query.get("$expand", "").lower() == "instanceview":
        view = vm_lifecycle.instance_view(em, vm)
        body["properties"] = {**body["properties"], "instanceView": view}
    return body


def get_instance_view(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = em.store.get(request.params["group"], VM, request.params["name"])
    return ArmResponse(200, vm_lifecycle.instance_view(em, vm))


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Of a group or the subscription; $filter selects one scale set's machines."""
    vms = list(em.store.all(VM, request.params.get("group")))
    wanted = request.query.get("$filter")
    if wanted:
        match = SET_FILTER.fullmatch(wanted)
        if not match:
            raise errors.ArmError(400, "BadRequest", f"The filter '{wanted}' is not supported.")
        key = match["id"].lower()
        vms = [
            vm
            for vm in vms
            if (vm.properties.get("virtualMachineScaleSet") or {}).get("id", "").lower() == key
        ]
    return page([_shown(em, request, vm) for vm in vms])


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.group(request.params["group"])
    vm = em.store.lookup(group.name, VM, request.params["name"])
    if vm is None:
        return ArmResponse(204)
    table = "vm_delete_force" if request.flag("forceDeletion") else "vm_delete"
    duration_s = em.durations.draw(table)
    vm.deleting = True

    async def finish() -> None:
        await vm_lifecycle.delete_all(em, [vm], duration_s)

    return accepted(em, request, vm, finish)


def accepted(em: Emulator, request: ArmRequest, resource: Resource, finish: Finish) -> ArmResponse:
    """202 with both operation URLs; finish itself takes the time."""
    operation = em.operations.start(COMPUTE, resource.location, 0.0, finish)
    headers = em.operations.headers(request, operation, retry_after_s=10, location=True)
    return ArmResponse(202, None, headers)


def power_action(power: str) -> Handler:
    """start, powerOff, deallocate (a power state) or restart."""

    def act(em: Emulator, request: ArmRequest) -> ArmResponse:
        em.store.writable_group(request.params["group"])
        vm = em.store.get(request.params["group"], VM, request.params["name"])
        vm.properties["provisioningState"] = "Updating"

        async def finish() -> None:
            if power == "restart":
                await vm_lifecycle.restart(em, vm)
            else:
                await vm_lifecycle.change_power(em, vm, power)

        duration_s = em.durations.draw("vm_power")
        operation = em.operations.start(COMPUTE, vm.location, duration_s, finish)
        headers = em.operations.headers(request, operation, retry_after_s=10, location=True)
        return ArmResponse(202, None, headers)

    return act

"""Requests on Microsoft.Compute/virtualMachines, but for actions."""

from __future__ import annotations

import re

from ..base import errors, names, skus, versions
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import VM
from ..base.schema import check_compute, write_to
from ..base.store import Group, Resource
from ..identity.managed_identities import set_identity
from ..resources.crud import of_all_regions
from ..resources.views import show
from ..rules import sku_restrictions
from ..rules.operations import Work
from ..state import Emulator, merged_tags
from . import (
    image_fit,
    instance_views,
    machine_faults,
    os_profile,
    quota,
    size_fit,
    storage_profile,
    vm_body,
    vm_disks,
    vm_extensions,
    vm_lifecycle,
    vm_network,
    vm_words,
)
from .compute_answers import begin

SET_FILTER = re.compile(r"\s*'virtualMachineScaleSet/id'\s+eq\s+'(?P<id>[^']+)'\s*", re.IGNORECASE)
VIEW = f"{VM}/instanceView"
# Members beside properties that a request sets.
TOP = ("zones", "plan", "extendedLocation")
# What a request on an existing VM may replace as a whole.
CHANGEABLE = (
    *("billingProfile", "evictionPolicy", "priority", "licenseType", "diagnosticsProfile"),
    *("additionalCapabilities", "securityProfile", "scheduledEventsProfile", "applicationProfile"),
    "proximityPlacementGroup",
)


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_machine(name)
    existing = em.store.lookup(group.name, VM, name)
    body = check_compute("VirtualMachine", request.json_object(), write_to(existing))
    if existing:
        em.check_same_location(existing, body)
        given = body.get("properties") or {}
        _check_same_interfaces(existing, given.get("networkProfile") or {})
        return _change(em, request, existing, body, body.get("tags"))
    vm = _create(em, group, name, body)

    async def finish() -> None:
        if refusal := image_fit.wrong_plan(em, vm, vm.properties):
            vm.properties["provisioningState"] = "Failed"
            raise refusal
        await vm_lifecycle.finish_creation(em, vm)

    return _begin(em, request, vm, 201, "vm_create", finish)


def _create(em: Emulator, group: Group, name: str, body: Json) -> Resource:
    vm = em.new_resource(group, VM, name, body)
    vm.top = {key: body[key] for key in TOP if key in body}
    zones = vm.top.get("zones", [])
    sku_restrictions.check_zones(zones, vm.location, vm.id)
    size_fit.check_one_zone(vm)
    vm_body.new_vm(em, vm, body["properties"])
    vm_body.check_references(em, vm, vm.properties)
    size = vm_body.checked_size(vm.properties["hardwareProfile"]["vmSize"])
    size_fit.check(size, vm.properties)
    vm_words.check_single(vm.properties)
    sku_restrictions.check(em.sku_restrictions, size, vm.location, zones)
    quota.check(em, vm.location, size, 1, vm.properties.get("priority"))
    image_fit.check(em, vm, size, vm.properties)
    set_identity(em, vm, body.get("identity"))
    vm_network.attach(em, group, vm, body["properties"].get("networkProfile"))
    vm.touch()
    em.store.add(vm)
    machine_faults.prepare(em, vm)
    return vm


def _check_same_interfaces(vm: Resource, profile: Json) -> None:
    wanted = profile.get("networkInterfaces")
    held = {item["id"].lower() for item in vm.properties["networkProfile"]["networkInterfaces"]}
    if wanted is not None and {item["id"].lower() for item in wanted} != held:
        raise errors.operation_not_allowed(
            f"Network interfaces of virtual machine '{vm.name}' cannot be changed here."
        )


def patch(em: Emulator, request: ArmRequest) -> ArmResponse:
    em.store.writable_group(request.params["group"])
    vm = em.store.get(request.params["group"], VM, request.params["name"])
    body = check_compute("VirtualMachineUpdate", request.json_object(), "patch")
    return _change(em, request, vm, body, merged_tags(body, vm.tags))


def _change(
    em: Emulator, request: ArmRequest, vm: Resource, body: Json, tags: dict[str, str] | None
) -> ArmResponse:
    given = body.get("properties") or {}
    size_fit.check_same_zones(vm, body)
    vm_body.check_immutable(vm, given)
    vm_body.check_references(em, vm, given)
    size = _changed_size(em, vm, given.get("hardwareProfile") or {})
    storage = given.get("storageProfile") or {}
    disks = storage.get("dataDisks")
    size_fit.check(size, {**vm.properties, **given})
    vm_words.check_single(given)
    if disks is not None:
        disks = storage_profile.data_disks(em, vm, disks, size)
    if "userData" in given:
        os_profile.check_user_data(given["userData"])
        vm.hidden["userData"] = given["userData"]
    vm.tags = tags
    vm.properties["hardwareProfile"]["vmSize"] = size.name
    changed = {name: given[name] for name in CHANGEABLE if name in given}
    if request.method == "PATCH" and "diagnosticsProfile" in changed:
        old = vm.properties.get("diagnosticsProfile") or {}
        changed["diagnosticsProfile"] = vm_body.merged_diagnostics(
            old, changed["diagnosticsProfile"]
        )
    vm.properties |= changed
    if disks is not None:
        vm_disks.change(vm, disks)
    vm_disks.change_os_disk(em, vm, storage.get("osDisk") or {})
    set_identity(em, vm, body.get("identity"))
    vm.touch()
    if vm.properties["provisioningState"] == "Creating":
        return ArmResponse(200, show(em, vm, request.api_version))
    vm.properties["provisioningState"] = "Updating"

    async def finish() -> None:
        vm_disks.finish_change(em, vm)

    return _begin(em, request, vm, 200, "vm_update", finish)


def _changed_size(em: Emulator, vm: Resource, hardware: Json) -> skus.Size:
    old = vm_body.checked_size(vm.properties["hardwareProfile"]["vmSize"])
    if not hardware.get("vmSize"):
        return old
    size = vm_body.checked_size(hardware["vmSize"])
    if size.name != old.name:
        sku_restrictions.check(em.sku_restrictions, size, vm.location, vm.top.get("zones", []))
        quota.check(em, vm.location, size, 1, vm.properties.get("priority"))
    return size


def _begin(
    em: Emulator, request: ArmRequest, vm: Resource, status: int, table: str, finish: Work
) -> ArmResponse:
    return begin(
        em,
        request,
        vm.location,
        finish,
        duration_s=em.durations.draw(table),
        status=status,
        body=_whole(em, request, vm),
        notified=True,
        retry_after_s=10 if request.method == "PUT" else None,
        # Recorded: what provisions no system is expected sooner.
        slow=status == 201
        and vm.properties["storageProfile"]["osDisk"]["createOption"] != "Attach",
    )


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = em.store.get(request.params["group"], VM, request.params["name"])
    return ArmResponse(200, shown(em, request, vm))


def shown(em: Emulator, request: ArmRequest, vm: Resource) -> Json:
    """Return the VM with its extensions, and with what $expand asks for."""
    body = _whole(em, request, vm)
    wanted = request.query.get("$expand", "").lower()
    if wanted not in ("", "instanceview", "userdata"):
        raise errors.invalid_parameter("$expand", f"The value '{wanted}' is not valid.")
    if wanted == "instanceview":
        view = _view(em, request, vm)
        body["properties"] = {**body["properties"], "instanceView": view}
    if wanted == "userdata" and "userData" in vm.hidden:
        body["properties"] = {**body["properties"], "userData": vm.hidden["userData"]}
    return body


def _whole(em: Emulator, request: ArmRequest, vm: Resource) -> Json:
    body = show(em, vm, request.api_version)
    extensions = vm_extensions.all_of(vm)
    return body | ({"resources": extensions} if extensions else {})


def get_instance_view(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = em.store.get(request.params["group"], VM, request.params["name"])
    return ArmResponse(200, _view(em, request, vm))


def _view(em: Emulator, request: ArmRequest, vm: Resource) -> Json:
    view = instance_views.of_vm(em, vm, request.api_version)
    return versions.shown(VIEW, request.api_version, view)


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer the VMs of a group, of the subscription or of a region; $filter: of one scale set."""
    vms = list(em.store.listed(VM, request.params.get("group")))
    wanted = request.query.get("$filter")
    if "location" in request.params:
        location = request.params["location"].replace(" ", "").lower()
        vms = [vm for vm in vms if vm.location == location]
    if wanted:
        match = SET_FILTER.fullmatch(wanted)
        if not match:
            raise errors.ArmError(400, "BadRequest", f"The filter '{wanted}' is not supported.")
        vms = [vm for vm in vms if vm_lifecycle.set_of(vm) == match["id"].lower()]
    answer = page([_listed(shown(em, request, vm)) for vm in vms])
    return answer if "location" in request.params else of_all_regions(em, request, answer)


def _listed(body: Json) -> Json:
    """Return a VM for a list, which names extensions by their ids alone."""
    if "resources" in body:
        body["resources"] = [{"id": item["id"]} for item in body["resources"]]
    return body


def list_sizes(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer the sizes of a region, or those that a VM or an availability set's could get."""
    return page([skus.size_entry(size) for size in skus.SIZES.values()])


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

    return begin(em, request, vm.location, finish, notified=True, retry_after_s=10)

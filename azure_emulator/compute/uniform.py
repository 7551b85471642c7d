"""A scale set's machines as its children: /virtualMachines/{id}, and their interfaces."""

from __future__ import annotations

import re

from ..base import errors, versions
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import SCALE_SET, VM
from ..base.schema import check_compute
from ..base.store import Resource
from ..resources import compute_views
from ..resources.views import show
from ..state import Emulator
from . import instance_views, scale_sets, storage_profile, vm_body, vm_disks, vm_lifecycle
from .compute_answers import begin
from .scale_set_instances import instance_id

INSTANCE = f"{SCALE_SET}/virtualMachines"
# Shown of a VM, but not of a Uniform scale set's.
NOT_SHOWN = ("hardwareProfile", "networkProfile", "virtualMachineScaleSet")
CHARGED = {"x-ms-request-charge": "1"}
# The part of $filter that is understood: instanceView/statuses/any(... 'PowerState/running')
POWER_FILTER = re.compile(r".*'PowerState/(?P<power>\w+)'.*", re.IGNORECASE)


def find(em: Emulator, request: ArmRequest) -> tuple[Resource, Resource]:
    """Return the (scale set, machine) of the path; raises Compute's 404 if it doesn't exist."""
    scale_set = em.store.get(request.params["group"], SCALE_SET, request.params["name"])
    wanted = request.params["instance"].lower()
    for vm in vm_lifecycle.vms_of(em, scale_set.key, scale_set.group):
        if instance_id(vm).lower() == wanted:
            return scale_set, vm
    raise errors.ArmError(404, "NotFound", "The entity was not found in this Azure location.")


def shown(em: Emulator, scale_set: Resource, vm: Resource, request: ArmRequest) -> Json:
    """Return a machine in the shape of a scale set's child."""
    identifier = instance_id(vm)
    body: Json = {
        "name": vm.name,
        "id": f"{scale_set.id}/virtualMachines/{identifier}",
        "type": INSTANCE,
        "location": vm.location,
        "instanceId": identifier,
        "sku": {key: scale_set.top["sku"][key] for key in ("name", "tier")},
        **vm.top,
    }
    if vm.tags is not None:
        body["tags"] = vm.tags
    if vm.nested:
        body["properties"] = _uniform_properties(scale_set, vm)
    else:
        body["properties"] = show(em, vm, request.api_version)["properties"]
    extensions = _extensions(scale_set, vm) if vm.nested else []
    if extensions:
        body["resources"] = extensions
    wanted = request.query.get("$expand", "").lower()
    if wanted == "instanceview":
        body["properties"]["instanceView"] = _view(em, scale_set, vm, request.api_version)
    if wanted == "userdata" and "userData" in vm.hidden:
        body["properties"]["userData"] = vm.hidden["userData"]
    return versions.shown(INSTANCE, request.api_version, body)


def _extensions(scale_set: Resource, vm: Resource) -> list[Json]:
    """Return the model's extensions as resources of the machine."""
    profile = scale_set.properties["virtualMachineProfile"].get("extensionProfile") or {}
    return [
        {
            "name": item["name"],
            "id": f"{vm.id}/extensions/{item['name']}",
            "type": f"{VM}/extensions",
            "location": vm.location,
            "properties": {
                "autoUpgradeMinorVersion": False,
                "provisioningState": "Succeeded",
                **item["properties"],
            },
        }
        for item in profile.get("extensions") or []
        if item.get("properties")
    ]


def _uniform_properties(scale_set: Resource, vm: Resource) -> Json:
    gone = vm.hidden.get("power") == "deallocated"
    properties = compute_views.of_deallocated(vm) if gone else vm.properties
    shown = {name: item for name, item in properties.items() if name not in NOT_SHOWN}
    interfaces = vm.properties["networkProfile"]["networkInterfaces"]
    return {
        "latestModelApplied": vm.hidden["model"] == scale_set.hidden.get("model", 0),
        "modelDefinitionApplied": vm.hidden.get("definition", "VirtualMachineScaleSet"),
        "networkProfileConfiguration": {
            "networkInterfaceConfigurations": vm.hidden["networkConfigurations"]
        },
        "hardwareProfile": {},
        **shown,
        "networkProfile": {"networkInterfaces": [{"id": item["id"]} for item in interfaces]},
    }


def list_instances(em: Emulator, request: ArmRequest) -> ArmResponse:
    scale_set = em.store.get(request.params["group"], SCALE_SET, request.params["name"])
    vms = vm_lifecycle.vms_of(em, scale_set.key, scale_set.group)
    wanted = request.query.get("$filter", "")
    match = POWER_FILTER.fullmatch(wanted)
    if wanted and not match:
        raise errors.ArmError(400, "BadRequest", f"The filter '{wanted}' is not supported.")
    if match:
        vms = [vm for vm in vms if vm.hidden.get("power") == match["power"].lower()]
    answer = page([shown(em, scale_set, vm, request) for vm in vms])
    return ArmResponse(200, answer.body, {"x-ms-request-charge": str(max(1, len(vms)))})


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    scale_set, vm = find(em, request)
    return ArmResponse(200, shown(em, scale_set, vm, request), CHARGED)


def get_instance_view(em: Emulator, request: ArmRequest) -> ArmResponse:
    try:
        scale_set, vm = find(em, request)
    except errors.ArmError as error:
        raise errors.ArmError(error.status, error.code, error.message, headers=CHARGED) from None
    return ArmResponse(200, _view(em, scale_set, vm, request.api_version), CHARGED)


def _view(em: Emulator, scale_set: Resource, vm: Resource, api_version: str) -> Json:
    if not vm.nested:
        return instance_views.of_vm(em, vm, api_version)
    return instance_views.of_uniform_vm(em, vm, api_version, _extensions(scale_set, vm))


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Change an existing machine's tags and data disks; new machines come by the set's capacity."""
    em.store.writable_group(request.params["group"])
    scale_set, vm = find(em, request)
    body = check_compute("VirtualMachineScaleSetVM", request.json_object(), "replace")
    if not vm.nested:
        raise errors.operation_not_allowed(
            f"Machine '{vm.name}' of a Flexible scale set is changed as a virtual machine."
        )
    storage = (body.get("properties") or {}).get("storageProfile") or {}
    if "dataDisks" in storage:
        size = vm_body.checked_size(scale_set.top["sku"]["name"])
        vm_disks.change(vm, storage_profile.data_disks(em, vm, storage["dataDisks"], size))
    vm.tags = body.get("tags", vm.tags)
    vm.properties["provisioningState"] = "Updating"

    async def finish() -> None:
        vm_disks.finish_change(em, vm)

    return begin(
        em,
        request,
        vm.location,
        finish,
        duration_s=em.durations.draw("vm_update"),
        status=200,
        body=shown(em, scale_set, vm, request),
        charge=1,
    )


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Delete a machine; one that is gone already is accepted, too (recorded)."""
    em.store.group(request.params["group"])
    scale_set = em.store.get(request.params["group"], SCALE_SET, request.params["name"])
    vms = vm_lifecycle.vms_of(em, scale_set.key, scale_set.group)
    wanted = request.params["instance"].lower()
    found = [vm for vm in vms if instance_id(vm).lower() == wanted]
    table = "vm_delete_force" if request.flag("forceDeletion") else "vm_delete"
    return scale_sets.begin_deletion(em, request, scale_set, found, em.durations.draw(table))

"""A virtual machine as the source of others: generalized, and captured."""

from __future__ import annotations

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse, Json
from ..base.resource_types import VM
from ..base.store import Resource
from ..state import Emulator
from .compute_answers import begin

SCHEMA = "http://schema.management.azure.com/schemas/2014-04-01-preview/VM_IP.json"
CAPTURE = {"vhdPrefix": str, "destinationContainerName": str, "overwriteVhds": bool}


def _vm(em: Emulator, request: ArmRequest) -> Resource:
    em.store.writable_group(request.params["group"])
    return em.store.get(request.params["group"], VM, request.params["name"])


def generalize(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = _vm(em, request)
    if vm.hidden.get("power") == "running":
        raise errors.operation_not_allowed(
            f"The Virtual Machine {vm.name} is running. It must be stopped to be generalized."
        )
    vm.hidden["generalized"] = True
    return ArmResponse(200)


def capture(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Capture a machine whose disks are blobs, without copying them; of others images are made."""
    vm = _vm(em, request)
    given = _parameters(request.json_object())
    if "vhd" not in vm.properties["storageProfile"]["osDisk"]:
        raise errors.operation_not_allowed(
            "The 'Capture' action is only supported on a Virtual Machine with blob based disks. "
            "Please use the 'Image' resource APIs to create an Image from a managed Virtual "
            "Machine."
        )
    if not vm.hidden.get("generalized"):
        raise errors.operation_not_allowed(
            f"Operation 'capture' is not allowed on VM '{vm.name}' since the VM is not generalized."
        )

    async def finish() -> Json:
        return _template(em, vm, given, request.api_version)

    return begin(em, request, vm.location, finish, duration_s=em.durations.draw("vm_update"))


def _parameters(body: Json) -> Json:
    for name, kind in CAPTURE.items():
        if body.get(name) is None:
            raise errors.missing_parameter(name)
        if not isinstance(body[name], kind):
            raise errors.invalid_parameter(
                name, f"The value of parameter '{name}' is not of type {kind.__name__}."
            )
    return body


def _template(em: Emulator, vm: Resource, given: Json, api_version: str) -> Json:
    """Return a template that makes machines like this one, in Azure's words (recorded)."""
    image, copy, disk = em.new_uuid(), em.new_uuid(), vm.properties["storageProfile"]["osDisk"]
    account = "/".join(disk["vhd"]["uri"].split("/")[:3])
    name = f"{given['vhdPrefix']}-osDisk.{image}.vhd"
    images = f"{account}/system/Microsoft.Compute/Images/{given['destinationContainerName']}"
    size = vm.properties["hardwareProfile"]["vmSize"]
    machine: Json = {
        "hardwareProfile": {"vmSize": "[parameters('vmSize')]"},
        "storageProfile": {
            "osDisk": {
                "osType": disk["osType"],
                "name": name,
                "createOption": "FromImage",
                "image": {"uri": f"{images}/{name}"},
                "vhd": {"uri": f"{account}/vmcontainer{copy}/osDisk.{copy}.vhd"},
                "caching": disk["caching"],
            }
        },
        "osProfile": {
            "computerName": "[parameters('vmName')]",
            "adminUsername": "[parameters('adminUsername')]",
            "adminPassword": "[parameters('adminPassword')]",
        },
        "networkProfile": {"networkInterfaces": [{"id": "[parameters('networkInterfaceId')]"}]},
        "provisioningState": 0,
    }
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {
            "vmName": {"type": "string"},
            "vmSize": {"type": "string", "defaultValue": size},
            "adminUserName": {"type": "string"},
            "adminPassword": {"type": "securestring"},
            "networkInterfaceId": {"type": "string"},
        },
        "resources": [
            {
                "name": "[parameters('vmName')]",
                "type": VM,
                "location": vm.location,
                "apiVersion": api_version,
                "properties": machine,
            }
        ],
    }

"""Extensions of a virtual machine: what its agent installs and runs, such as CustomScript."""

from __future__ import annotations

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.schema import check_compute, write_to
from ..base.store import Resource
from ..guest.machine_interface import Script
from ..state import Emulator
from . import disk_encryption
from .compute_answers import begin
from .vm_children import Children, expanded, vm_of, writable_vm_of

SECRET = ("protectedSettings", "protectedSettingsFromKeyVault")
CHILDREN = Children[Json]("extensions", "extension", (*SECRET, "instanceView"))
# What a machine that is a process can do.
SCRIPT = ("microsoft.azure.extensions", "customscript")


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = writable_vm_of(em, request)
    existing = CHILDREN.find(vm, request)
    body = check_compute("VirtualMachineExtension", request.json_object(), write_to(existing))
    given = {**(existing or {}).get("properties", {}), **(body.get("properties") or {})}
    for name in ("publisher", "type", "typeHandlerVersion"):
        if not given.get(name):
            raise errors.missing_parameter(name)
    _check_possible(em, given)
    name = (existing or {}).get("name", request.params["extension"])
    extension = _extension(vm, name, body, given)
    extension["properties"]["provisioningState"] = "Updating" if existing else "Creating"
    return _begin(em, request, vm, extension, given, created=existing is None)


def patch(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = writable_vm_of(em, request)
    old = CHILDREN.require(vm, request)
    body = check_compute("VirtualMachineExtensionUpdate", request.json_object(), "patch")
    given = {**old["properties"], **(body.get("properties") or {})}
    _check_possible(em, given)
    extension = _extension(vm, old["name"], {**old, **body}, given)
    extension["properties"]["provisioningState"] = "Updating"
    return _begin(em, request, vm, extension, given, created=False)


def _extension(vm: Resource, name: str, body: Json, given: Json) -> Json:
    return CHILDREN.shown(vm, name, body, {"autoUpgradeMinorVersion": False, **given})


def _begin(
    em: Emulator, request: ArmRequest, vm: Resource, extension: Json, given: Json, *, created: bool
) -> ArmResponse:
    CHILDREN.of(vm)[extension["name"].lower()] = extension
    body = {**extension, "properties": dict(extension["properties"])}

    async def finish() -> None:
        await _run(em, vm, given)
        disk_encryption.apply(em, vm, given)
        extension["properties"]["provisioningState"] = "Succeeded"

    return begin(
        em,
        request,
        vm.location,
        finish,
        duration_s=em.durations.draw("run_command"),
        status=201 if created else 200,
        body=body,
        notified=created,
    )


def _check_possible(em: Emulator, given: Json) -> None:
    """Refuse what a real machine can't do: nothing here may claim to have run."""
    kind = (given["publisher"].lower(), given["type"].lower())
    if em.settings.machines != "none" and kind != SCRIPT:
        raise errors.invalid_parameter(
            "type",
            "The machines of this local endpoint run only the extension CustomScript of "
            "Microsoft.Azure.Extensions; with --machines=none all are accepted, and none is run.",
        )


async def _run(em: Emulator, vm: Resource, given: Json) -> None:
    settings = [given.get(name) for name in ("settings", "protectedSettings")]
    known = [item for item in settings if isinstance(item, dict)]
    command = next((item["commandToExecute"] for item in known if "commandToExecute" in item), None)
    if isinstance(command, str) and vm.hidden.get("power") == "running":
        await em.machines.run(vm.properties["vmId"], Script(command))


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = vm_of(em, request)
    body = CHILDREN.require(vm, request)
    return ArmResponse(200, expanded(request, body, view(body)))


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = vm_of(em, request)
    return page(all_of(vm))


def all_of(vm: Resource) -> list[Json]:
    return list(CHILDREN.of(vm).values())


def view(extension: Json) -> Json:
    """Return what the agent reports of an extension."""
    properties = extension["properties"]
    message = f"Plugin enabled (handler name: {properties['publisher']}.{properties['type']})."
    status = {
        "code": f"ProvisioningState/{properties['provisioningState'].lower()}",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "message": message,
    }
    shown: Json = {
        "name": extension["name"],
        "type": f"{properties['publisher']}.{properties['type']}",
        "typeHandlerVersion": f"{properties['typeHandlerVersion']}.0.0",
    }
    parts = disk_encryption.substatuses(properties)
    return shown | ({"substatuses": parts} if parts else {}) | {"statuses": [status]}


def handler(extension: Json) -> Json:
    """Return what the agent reports of the program behind an extension."""
    shown = view(extension)
    status = {**shown["statuses"][0], "displayStatus": "Ready"}
    if disk_encryption.is_silent(extension["properties"]):
        del status["message"]
    return {
        "type": shown["type"],
        "typeHandlerVersion": shown["typeHandlerVersion"],
        "status": status,
    }


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = vm_of(em, request)
    name = CHILDREN.key(request)
    if name not in CHILDREN.of(vm):
        return ArmResponse(204)

    async def finish() -> None:
        CHILDREN.of(vm).pop(name, None)

    duration_s = em.durations.draw("run_command")
    return begin(em, request, vm.location, finish, duration_s=duration_s, notified=True)

"""Extensions of a virtual machine: what its agent installs and runs, such as CustomScript."""

from __future__ import annotations

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import VM
from ..base.schema import check_compute, write_to
from ..base.store import Resource
from ..guest.machine_interface import Script
from ..state import Emulator
from . import disk_encryption
from .compute_answers import begin

SECRET = ("protectedSettings", "protectedSettingsFromKeyVault")
# What a machine that is a process can do.
SCRIPT = ("microsoft.azure.extensions", "customscript")


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = _vm(em, request)
    existing = _known(vm).get(request.params["extension"].lower())
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
    vm = _vm(em, request)
    old = _found(vm, request)
    body = check_compute("VirtualMachineExtensionUpdate", request.json_object(), "patch")
    given = {**old["properties"], **(body.get("properties") or {})}
    _check_possible(em, given)
    extension = _extension(vm, old["name"], {**old, **body}, given)
    extension["properties"]["provisioningState"] = "Updating"
    return _begin(em, request, vm, extension, given, created=False)


def _extension(vm: Resource, name: str, body: Json, given: Json) -> Json:
    """Return the extension as it is shown, without secret settings."""
    shown: Json = {
        "name": name,
        "id": f"{vm.id}/extensions/{name}",
        "type": f"{VM}/extensions",
        "location": vm.location,
    }
    if body.get("tags") is not None:
        shown["tags"] = body["tags"]
    properties = {"autoUpgradeMinorVersion": False, **given}
    shown["properties"] = {
        key: item for key, item in properties.items() if key not in (*SECRET, "instanceView")
    }
    return shown


def _begin(
    em: Emulator, request: ArmRequest, vm: Resource, extension: Json, given: Json, *, created: bool
) -> ArmResponse:
    _known(vm)[extension["name"].lower()] = extension
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


def _vm(em: Emulator, request: ArmRequest) -> Resource:
    em.store.writable_group(request.params["group"])
    return em.store.get(request.params["group"], VM, request.params["name"])


def _known(vm: Resource) -> dict[str, Json]:
    """Return the VM's extensions, by their names in lower case."""
    found: dict[str, Json] = vm.hidden.setdefault("extensions", {})
    return found


def _found(vm: Resource, request: ArmRequest) -> Json:
    name = request.params["extension"]
    found = _known(vm).get(name.lower())
    if found is None:
        raise errors.resource_not_found(VM, f"{vm.name}/extensions/{name}", vm.group)
    return found


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = em.store.get(request.params["group"], VM, request.params["name"])
    body = _found(vm, request)
    if request.query.get("$expand", "").lower() == "instanceview":
        body = {**body, "properties": {**body["properties"], "instanceView": view(body)}}
    return ArmResponse(200, body)


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = em.store.get(request.params["group"], VM, request.params["name"])
    return page(all_of(vm))


def all_of(vm: Resource) -> list[Json]:
    return list(_known(vm).values())


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
    vm = em.store.get(request.params["group"], VM, request.params["name"])
    name = request.params["extension"].lower()
    if name not in _known(vm):
        return ArmResponse(204)

    async def finish() -> None:
        _known(vm).pop(name, None)

    duration_s = em.durations.draw("run_command")
    return begin(em, request, vm.location, finish, duration_s=duration_s, notified=True)

"""virtualMachines/runCommands: managed Run Command, whose scripts stay, with their results."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import VM
from ..base.schema import check_compute, write_to
from ..base.store import Resource
from ..base.timestamps import compute_timestamp
from ..guest.machine_interface import Script, ScriptResult
from ..state import Emulator
from .compute_answers import begin
from .run_command import COMMANDS, SHOWN_BYTES, check_running, variables_of

TYPE = f"{VM}/runCommands"
SECRET = ("runAsPassword", "protectedParameters")
DEFAULT_TIMEOUT_S = 5400  # 90 minutes, Microsoft's default
SOURCES = ("script", "commandId", "scriptUri", "galleryScriptReferenceId")


@dataclass
class Command:
    """One run command of a VM. shown: without secrets; view: its instance view; run: its script."""

    shown: Json
    view: Json
    run: asyncio.Task[None] | None = field(default=None, compare=False)


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = _vm(em, request)
    existing = _known(vm).get(request.params["command"].lower())
    body = check_compute("VirtualMachineRunCommand", request.json_object(), write_to(existing))
    return _begin(em, request, vm, existing, body, dict(body.get("properties") or {}))


def patch(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = _vm(em, request)
    old = _found(vm, request)
    body = check_compute("VirtualMachineRunCommandUpdate", request.json_object(), "patch")
    given = {**old.shown["properties"], **(body.get("properties") or {})}
    return _begin(em, request, vm, old, {**old.shown, **body}, given)


def _begin(
    em: Emulator, request: ArmRequest, vm: Resource, old: Command | None, body: Json, given: Json
) -> ArmResponse:
    script = _script(given)
    check_running(vm)
    if old and old.run:
        old.run.cancel()
    name = old.shown["name"] if old else request.params["command"]
    command = Command(_shown(vm, name, body, given), _view(em, "Running"))
    _known(vm)[name.lower()] = command
    command.run = em.operations.spawn(_carry_out(em, vm, command, script))
    properties = command.shown["properties"]
    properties["provisioningState"] = "Creating" if old is None else "Updating"
    answer = {**command.shown, "properties": dict(properties)}

    async def finish() -> None:
        if not given.get("asyncExecution") and command.run:
            await asyncio.wait([command.run])
        properties["provisioningState"] = "Succeeded"
        if command.view.get("exitCode") and given.get("treatFailureAsDeploymentFailure"):
            properties["provisioningState"] = "Failed"
            raise errors.ArmError(
                409,
                "VMExtensionProvisioningError",
                f"VM has reported a failure when processing run command '{name}'. Exit code: "
                f"{command.view['exitCode']}.",
            )

    return begin(
        em,
        request,
        vm.location,
        finish,
        duration_s=em.durations.draw("run_command"),
        status=201 if old is None else 200,
        body=answer,
    )


def _script(given: Json) -> Script:
    """Return what is to be run; raises Azure's refusal of a source that can't be."""
    source = given.get("source") or {}
    named = [name for name in SOURCES if source.get(name)]
    if len(named) != 1:
        raise errors.invalid_parameter(
            "source", "Exactly one source of the script must be given: " + ", ".join(SOURCES) + "."
        )
    known = {name.lower(): entry for name, entry in COMMANDS.items()}
    if named[0] == "script":
        text = source["script"]
    elif named[0] == "commandId" and source["commandId"].lower() in known:
        text = "\n".join(known[source["commandId"].lower()][3])
    else:
        raise errors.invalid_parameter(
            f"source.{named[0]}", f"The machines here can't get a script by its {named[0]}."
        )
    timeout_s = given.get("timeoutInSeconds", DEFAULT_TIMEOUT_S)
    if timeout_s < 1:
        raise errors.invalid_parameter(
            "timeoutInSeconds",
            f"The value '{timeout_s}' of parameter 'timeoutInSeconds' is invalid.",
        )
    items = [*(given.get("parameters") or []), *(given.get("protectedParameters") or [])]
    return Script(
        f"{text}\n", variables_of(items), user=given.get("runAsUser", ""), timeout_s=timeout_s
    )


def _shown(vm: Resource, name: str, body: Json, given: Json) -> Json:
    shown: Json = {"name": name, "id": f"{vm.id}/runCommands/{name}", "type": TYPE}
    shown |= {"location": vm.location}
    if body.get("tags") is not None:
        shown["tags"] = body["tags"]
    defaults = {"asyncExecution": False, "timeoutInSeconds": DEFAULT_TIMEOUT_S}
    properties = {**defaults, **given}
    shown["properties"] = {key: item for key, item in properties.items() if key not in SECRET}
    return shown


def _view(em: Emulator, state: str) -> Json:
    return {
        "executionState": state,
        "executionMessage": "",
        "exitCode": 0,
        "output": "",
        "error": "",
        "startTime": compute_timestamp(em.clock.now()),
        "statuses": [],
    }


async def _carry_out(em: Emulator, vm: Resource, command: Command, script: Script) -> None:
    try:
        result = await em.machines.run(vm.properties["vmId"], script)
    except asyncio.CancelledError:
        command.view |= {"executionState": "Canceled", "executionMessage": "Execution canceled"}
        raise
    command.view |= _outcome(result) | {"endTime": compute_timestamp(em.clock.now())}


def _outcome(result: ScriptResult) -> Json:
    state, message = "Succeeded", "Execution completed"
    if result.timed_out:
        state, message = "TimedOut", "Execution timed out"
    elif result.status:
        state, message = (
            "Failed",
            f"Execution failed: command terminated with exit status={result.status}",
        )
    return {
        "executionState": state,
        "executionMessage": message,
        "exitCode": result.status,
        "output": result.output[-SHOWN_BYTES:].decode("utf-8", "replace"),
        "error": result.mistakes[-SHOWN_BYTES:].decode("utf-8", "replace"),
    }


def _vm(em: Emulator, request: ArmRequest) -> Resource:
    em.store.writable_group(request.params["group"])
    return em.store.get(request.params["group"], VM, request.params["name"])


def _known(vm: Resource) -> dict[str, Command]:
    """Return the VM's run commands, by their names in lower case."""
    found: dict[str, Command] = vm.hidden.setdefault("run_commands", {})
    return found


def _found(vm: Resource, request: ArmRequest) -> Command:
    name = request.params["command"]
    found = _known(vm).get(name.lower())
    if found is None:
        raise errors.resource_not_found(VM, f"{vm.name}/runCommands/{name}", vm.group)
    return found


def _expanded(request: ArmRequest, command: Command) -> Json:
    if request.query.get("$expand", "").lower() != "instanceview":
        return command.shown
    properties = {**command.shown["properties"], "instanceView": command.view}
    return {**command.shown, "properties": properties}


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = em.store.get(request.params["group"], VM, request.params["name"])
    return ArmResponse(200, _expanded(request, _found(vm, request)))


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = em.store.get(request.params["group"], VM, request.params["name"])
    return page([_expanded(request, command) for command in _known(vm).values()])


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Delete a run command; a script that still runs is ended."""
    vm = _vm(em, request)
    command = _known(vm).pop(request.params["command"].lower(), None)
    if command is None:
        return ArmResponse(204)

    async def finish() -> None:
        if command.run:
            command.run.cancel()
            await asyncio.wait([command.run])

    return begin(em, request, vm.location, finish)

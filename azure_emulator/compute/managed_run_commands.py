"""virtualMachines/runCommands: managed Run Command, whose scripts stay, with their results."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.schema import check_compute, write_to
from ..base.store import Resource
from ..base.timestamps import compute_timestamp
from ..guest.machine_interface import Script, ScriptResult
from ..state import Emulator
from .compute_answers import begin
from .run_command import COMMANDS, SHOWN_BYTES, check_running, variables_of
from .vm_children import Children, expanded, vm_of, writable_vm_of

DEFAULT_TIMEOUT_S = 5400  # 90 minutes, Microsoft's default
SOURCES = ("script", "commandId", "scriptUri", "galleryScriptReferenceId")


@dataclass
class Command:
    """One run command of a VM. shown: without secrets; view: its instance view; run: its script."""

    shown: Json
    view: Json
    run: asyncio.Task[None] | None = field(default=None, compare=False)


CHILDREN = Children[Command]("runCommands", "command", ("runAsPassword", "protectedParameters"))


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = writable_vm_of(em, request)
    existing = CHILDREN.find(vm, request)
    body = check_compute("VirtualMachineRunCommand", request.json_object(), write_to(existing))
    return _begin(em, request, vm, existing, body, dict(body.get("properties") or {}))


def patch(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = writable_vm_of(em, request)
    old = CHILDREN.require(vm, request)
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
    CHILDREN.of(vm)[name.lower()] = command
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
    defaults = {"asyncExecution": False, "timeoutInSeconds": DEFAULT_TIMEOUT_S}
    return CHILDREN.shown(vm, name, body, {**defaults, **given})


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


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = vm_of(em, request)
    command = CHILDREN.require(vm, request)
    return ArmResponse(200, expanded(request, command.shown, command.view))


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    vm = vm_of(em, request)
    known = CHILDREN.of(vm).values()
    return page([expanded(request, command.shown, command.view) for command in known])


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Delete a run command; a script that still runs is ended."""
    vm = writable_vm_of(em, request)
    command = CHILDREN.of(vm).pop(CHILDREN.key(request), None)
    if command is None:
        return ArmResponse(204)

    async def finish() -> None:
        if command.run:
            command.run.cancel()
            await asyncio.wait([command.run])

    return begin(em, request, vm.location, finish)

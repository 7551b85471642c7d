"""Run Command: a script run on a machine through its agent, without SSH."""

from __future__ import annotations

import re

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.schema import check_compute
from ..base.store import Resource
from ..guest.machine_interface import Script, ScriptResult
from ..state import Emulator
from .compute_answers import begin

SHOWN_BYTES = 4096  # of each stream, its end
# id -> (label, description, operating system, script)
COMMANDS: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "RunShellScript": (
        *("Run a Linux shell script", "Custom multiline shell script should be defined.", "Linux"),
        ("echo $arg1 $arg2",),
    ),
    "ifconfig": (
        "List network configuration",
        "Get the configuration of all network interfaces.",
        "Linux",
        ("ifconfig",),
    ),
    "RunPowerShellScript": (
        "Executes a PowerShell script",
        "Custom multiline PowerShell script should be defined in script property.",
        "Windows",
        ("param([string]$arg1,[string]$arg2)", "Write-Host This is a sample script $arg1 $arg2"),
    ),
}
VARIABLE = re.compile(r"[A-Za-z_]\w*")


def begin_run(em: Emulator, request: ArmRequest, vm: Resource, charge: int | None) -> ArmResponse:
    """Answer POST .../runCommand; charge: as in compute_answers.begin."""
    body = check_compute("RunCommandInput", request.json_object())
    known = {name.lower(): entry for name, entry in COMMANDS.items()}
    entry = known.get(body["commandId"].lower())
    if entry is None:
        raise _unknown(body["commandId"])
    check_running(vm)
    if vm.hidden.get("command"):
        raise errors.ArmError(
            409,
            "Conflict",
            "Run command extension execution is in progress. Please wait for completion before "
            "invoking a run command.",
        )
    text = "\n".join(body.get("script") or entry[3]) + "\n"
    script = Script(text, variables_of(body.get("parameters") or []))
    vm.hidden["command"] = True

    async def finish() -> Json:
        try:
            result = await em.machines.run(vm.properties["vmId"], script)
        finally:
            vm.hidden["command"] = False
        windows = vm.properties["storageProfile"]["osDisk"].get("osType") == "Windows"
        return {"value": _windows_results(result) if windows else [_result(result)]}

    return begin(
        em,
        request,
        vm.location,
        finish,
        duration_s=em.durations.draw("run_command"),
        charge=charge,
    )


def check_running(vm: Resource) -> None:
    if vm.hidden.get("power") != "running":
        raise errors.operation_not_allowed(
            "The operation requires the VM to be running (or set to run)."
        )


def variables_of(parameters: list[Json]) -> dict[str, str]:
    """Return a script's parameters as the variables by which it gets them."""
    given = {item["name"]: item["value"] for item in parameters}
    return {name: value for name, value in given.items() if VARIABLE.fullmatch(name)}


def _windows_results(result: ScriptResult) -> list[Json]:
    """Return the two outputs one by one, as Windows reports them (recorded)."""
    return [
        {
            "code": f"ComponentStatus/{name}/succeeded",
            "level": "Info",
            "displayStatus": "Provisioning succeeded",
            "message": _shown(stream),
        }
        for name, stream in (("StdOut", result.output), ("StdErr", result.mistakes))
    ]


def _shown(stream: bytes) -> str:
    return stream[-SHOWN_BYTES:].decode("utf-8", "replace")


def _result(result: ScriptResult) -> Json:
    shown, wrong = _shown(result.output), _shown(result.mistakes)
    return {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "message": f"Enable succeeded: \n[stdout]\n{shown}\n[stderr]\n{wrong}",
    }


def _unknown(name: str) -> errors.ArmError:
    message = f"The entity was not found in this Azure location: run command '{name}'."
    return errors.ArmError(404, "NotFound", message)


def _document(name: str) -> Json:
    label, description, system, _ = COMMANDS[name]
    return {
        "$schema": "http://schema.management.azure.com/schemas/2016-11-17/runcommands.json",
        "id": name,
        "osType": system,
        "label": label,
        "description": description,
    }


def list_documents(em: Emulator, request: ArmRequest) -> ArmResponse:
    return page([_document(name) for name in COMMANDS])


def get_document(em: Emulator, request: ArmRequest) -> ArmResponse:
    for name, (_, _, _, script) in COMMANDS.items():
        if name.lower() == request.params["command"].lower():
            parameters = [
                {"name": "arg1", "type": "string", "defaultValue": "hello"},
                {"name": "arg2", "type": "string", "defaultValue": "world"},
            ]
            body = {**_document(name), "script": list(script)}
            takes = "$arg1" in "".join(script)
            return ArmResponse(200, body | ({"parameters": parameters} if takes else {}))
    raise _unknown(request.params["command"])

"""Starts, finds and stops the emulator. Standard library only, and no proxies on the way to it."""

from __future__ import annotations

import os
import time
import urllib.parse
from pathlib import Path
from typing import Any

from . import client_environment, server_options
from .http_client import EmulatorError as EmulatorError
from .http_client import EmulatorInfo as EmulatorInfo
from .http_client import ask
from .server_process import find as find
from .server_process import launch
from .state_directory import STATE_DIR_VARIABLE as STATE_DIR_VARIABLE
from .state_directory import default_state_dir as default_state_dir
from .state_directory import directory_of

END_WITH_PID_VARIABLE = "IPCLUSTER_AZURE_EMULATOR_END_WITH_PID"
STOP_TIMEOUT_S = 120.0  # its machines may have gigabytes of packages, which it deletes


def start(state_dir: str | os.PathLike[str] | None = None, **options: Any) -> EmulatorInfo:
    """Return the running emulator of that directory, or start one.

    options, for a new one only: machines ("process", "none" or "nspawn"), clock ("real" or
    "virtual"), time_scale (0: operations complete at once; 1: they take as long as in Azure), seed,
    throttle, idle_timeout_s, end_with_pid, port, quota_cores, root_layer.

    A test suite gives `end_with_pid=os.getpid()`: then the emulator ends, with all its machines
    and their processes, when the suite's process has ended in whatever way, SIGKILL included. The
    default is $IPCLUSTER_AZURE_EMULATOR_END_WITH_PID, which also reaches the emulators that other
    programs start for the suite.

    Raises EmulatorError: with what is allowed if an option's value is not, before anything is
    started; with the end of the log if the server doesn't start.
    """
    if options.get("end_with_pid") is None:
        options["end_with_pid"] = os.environ.get(END_WITH_PID_VARIABLE) or None
    try:
        arguments = server_options.command_line(options)
    except ValueError as error:
        raise EmulatorError(str(error)) from None
    directory = directory_of(state_dir)
    running = find(directory)
    if running:
        return running
    return launch(directory, arguments, in_containers=options.get("machines") == "nspawn")


def stop(state_dir: str | os.PathLike[str] | None = None) -> bool:
    """Stop the emulator, if one runs, and return whether one did.

    When this returns it is gone, with all its machines.
    """
    info = find(state_dir)
    if info is None:
        return False
    ask(info, "POST", "/emulator/stop")
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline:
        # machines/ is the last thing a stopping server removes.
        machines_left = (Path(info.state_dir) / "machines").exists()
        if not machines_left and find(info.state_dir) is None:
            return True
        time.sleep(0.02)
    raise EmulatorError(
        f"the emulator (process {info.pid}) has not stopped within {STOP_TIMEOUT_S:g} s; see "
        f"{Path(info.state_dir) / 'emulator.log'}"
    )


def status(state_dir: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Return {"resource_groups": [names], "virtual_machines": [names]}, empty if none runs."""
    info = find(state_dir)
    if info is None:
        return {"resource_groups": [], "virtual_machines": []}
    return ask(info, "GET", "/emulator/status")


def reset(state_dir: str | os.PathLike[str] | None = None) -> bool:
    """Delete all resource groups and machines; return whether an emulator runs."""
    info = find(state_dir)
    if info is None:
        return False
    ask(info, "POST", "/emulator/reset", timeout_s=120.0)
    return True


def offer(info: EmulatorInfo) -> dict[str, Any]:
    """Return {"address_prefix", "ssh_port", "ssh_source"} for one new cluster's network."""
    return ask(info, "GET", "/emulator/offer")


def environment(info: EmulatorInfo) -> dict[str, str]:
    """Return the environment variables with which az, Terraform and SDKs use the emulator.

    AZURE_CONFIG_DIR is a directory of its own, so that no login to Azure is used or changed, and
    the only authority trusted is the emulator's, so that nothing reaches Azure by mistake.
    """
    return client_environment.variables(info)


def metadata_url(info: EmulatorInfo, vm_id: str) -> str:
    """Return what http://169.254.169.254 is on Azure, for the VM with that vmId.

    The VM itself finds it in its environment as IPCLUSTER_AZURE_IMDS.
    """
    return str(ask(info, "GET", f"/emulator/metadata/{vm_id}")["url"])


def advance(info: EmulatorInfo, seconds: float) -> dict[str, Any]:
    """Let a virtual clock go on; what falls due meanwhile is done when this returns."""
    return ask(info, "POST", "/emulator/clock", {"advance_s": seconds}, timeout_s=300.0)


def declare_fault(info: EmulatorInfo, kind: str, **members: Any) -> str:
    """Declare a fault and return its id; see docs/reference/emulator-control.md."""
    declared = ask(info, "POST", "/emulator/faults", {"kind": kind, **members})
    return str(declared["id"])


def faults(info: EmulatorInfo) -> list[dict[str, Any]]:
    """Return all declared faults.

    matched: how many requests or machines each fits; fired: how many of them it met.
    """
    return list(ask(info, "GET", "/emulator/faults")["faults"])


def withdraw_fault(info: EmulatorInfo, identifier: str) -> None:
    ask(info, "DELETE", f"/emulator/faults/{identifier}")


def withdraw_faults(info: EmulatorInfo) -> None:
    ask(info, "DELETE", "/emulator/faults")


def token(info: EmulatorInfo, actions: list[str], **members: Any) -> str:
    """Return a new token for these actions.

    members: not_actions, expires_in_s (below 0: it has expired), object_id.
    """
    body = {"actions": actions, **members}
    return str(ask(info, "POST", "/emulator/tokens", body)["token"])


def restrict(info: EmulatorInfo, actions: list[str], not_actions: list[str] | None = None) -> None:
    """Limit what the token file's token may do, except through the functions here."""
    body = {"actions": actions, "not_actions": not_actions or []}
    ask(info, "POST", "/emulator/permissions", body)


def lift_restriction(info: EmulatorInfo) -> None:
    ask(info, "DELETE", "/emulator/permissions")


def declare_policy(
    info: EmulatorInfo, name: str, condition: dict[str, Any], **members: Any
) -> None:
    """Deny writes of resources for which the condition holds; members: mode, display_name."""
    ask(info, "POST", "/emulator/policies", {"name": name, "if": condition, **members})


def withdraw_policy(info: EmulatorInfo, name: str) -> None:
    ask(info, "DELETE", f"/emulator/policies/{urllib.parse.quote(name, safe='')}")


def throttle(info: EmulatorInfo, *, on: bool) -> None:
    """Switch on or off that too many requests are refused; all limits start unused."""
    ask(info, "POST", "/emulator/throttling", {"on": on})


def set_page_size(info: EmulatorInfo, page_size: int | None) -> None:
    """Set how many items a page of a list has; None: as many as on Azure."""
    if page_size is None:
        ask(info, "DELETE", "/emulator/paging")
    else:
        ask(info, "POST", "/emulator/paging", {"page_size": page_size})


def set_quota(info: EmulatorInfo, name: str, limit: int, location: str = "*") -> None:
    """Set a quota of vCPUs of one region, or of all; name: as usages have it, such as cores."""
    body = {"name": name, "limit": limit, "location": location}
    ask(info, "POST", "/emulator/quotas", body)


def withdraw_quotas(info: EmulatorInfo) -> None:
    ask(info, "DELETE", "/emulator/quotas")


def restrict_sizes(info: EmulatorInfo, restrictions: list[dict[str, str]]) -> None:
    """Make VM sizes unavailable: each {"sku", "location", "zone", "reason"}.

    What a restriction leaves out means all.
    """
    ask(info, "POST", "/emulator/skus", {"restrict": restrictions})


def lift_size_restrictions(info: EmulatorInfo) -> None:
    ask(info, "DELETE", "/emulator/skus")

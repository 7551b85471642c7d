"""Finds and kills every process of a machine, whatever sessions it fled into.

A machine's processes carry its id in their environment, which children inherit through setsid and
double forks; /proc shows it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

VM_ID_VARIABLE = "IPCLUSTER_AZURE_EMULATOR_VM_ID"
_MARK = f"{VM_ID_VARIABLE}=".encode()
GIVE_UP_S = 5.0


def find(vm_ids: frozenset[str]) -> list[int]:
    """Return the ids of all live processes of these machines."""
    marks = {_MARK + vm_id.encode() for vm_id in vm_ids}
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                environment = file.read()
        except OSError:
            continue  # gone, or another user's
        if _MARK in environment and not marks.isdisjoint(environment.split(b"\0")):
            found.append(int(name))
    return found


def kill_machines(vm_ids: frozenset[str]) -> None:
    """Send SIGKILL again and again, until a scan finds no process (one may fork while we look)."""
    deadline = time.monotonic() + GIVE_UP_S
    while time.monotonic() < deadline:
        alive = find(vm_ids)
        if not alive:
            return
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)

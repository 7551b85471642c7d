"""The handle on a cluster's link, the process on this computer that outlives the launcher.

The process itself is `python -m ipcluster_azure.link RECORD`.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import psutil

from ..errors import AzureLauncherError
from ..record.file import RecordFile

NOTICING_S, TERMINATING_S, LOOK_S = 3.0, 5.0, 0.02
OPEN, FAILED = "open", "failed"  # what it tells its parent once
# a Popen that is collected while its process runs warns; these run longer than we do
_started: dict[int, "subprocess.Popen[bytes]"] = {}


def ensure_link(file: RecordFile) -> dict[str, int]:
    """Start the cluster's link unless it runs; returns the local port of each client channel.

    Blocking. Raises AzureLauncherError if it does not come up.
    """
    record = file.require()
    if is_link(record.link_pid, file):
        return {name: tunnel.local for name, tunnel in record.tunnels.items()}
    process = _spawn(file)
    with process.stdout as stdout:  # type: ignore[union-attr]
        line = stdout.readline()
    told: dict[str, Any] = (
        json.loads(line) if line else {FAILED: "The process that keeps them was ended."}
    )
    if FAILED in told:
        _collect(process.pid)
        raise AzureLauncherError(
            f"The tunnels to the controller could not be opened: {told[FAILED]} "
            f"More in {file.link_log}."
        )
    ports: dict[str, int] = told[OPEN]
    with file.edit() as record:
        record.link_pid = process.pid
        for name, port in ports.items():
            record.tunnels[name].local = port
    return ports


def _spawn(file: RecordFile) -> "subprocess.Popen[bytes]":
    file.link_log.parent.mkdir(exist_ok=True)
    with open(file.link_log, "ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "ipcluster_azure.link", str(file.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=file.path.parent,
            start_new_session=True,
            creationflags=getattr(subprocess, "DETACHED_PROCESS", 0),
        )
    _started[process.pid] = process
    return process


def is_link(pid: int, file: RecordFile) -> bool:
    """Return whether `pid` is this cluster's link, and not another process with a reused id."""
    if not pid:
        return False
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        command = process.cmdline()
        running = process.status() != psutil.STATUS_ZOMBIE
        return running and list(command[1:]) == ["-m", "ipcluster_azure.link", str(file.path)]
    return False


def end_link(pid: int, file: RecordFile) -> None:
    """See to it that the cluster's link ends, once the record says that the cluster is deleted.

    It is given a moment to notice that by itself, and to answer clients. A link that deletes the
    cluster goes on as long as there are clients to be told.
    """
    if pid != os.getpid() and not _has_ended(pid, file, NOTICING_S):
        with suppress(psutil.Error):
            psutil.Process(pid).terminate()
        _has_ended(pid, file, TERMINATING_S)
    _collect(pid)


def _collect(pid: int) -> None:
    """Else an ended link stays a zombie as long as this process, a notebook's kernel perhaps."""
    if (child := _started.pop(pid, None)) is not None:
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=5)


def _has_ended(pid: int, file: RecordFile, timeout_s: float) -> bool:
    """Return whether the link `pid` has ended within `timeout_s`.

    psutil's own wait would last until the link's parent, too, has noticed.
    """
    deadline = time.monotonic() + timeout_s
    while is_link(pid, file):
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True

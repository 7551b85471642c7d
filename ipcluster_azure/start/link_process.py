"""The handle on a cluster's link, the process on this computer that outlives the launcher.

The process itself is `python -m ipcluster_azure.link RECORD`.
"""

import atexit
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from ..errors import AzureLauncherError
from ..record.file import RecordFile

NOTICING_S, TERMINATING_S, LOOK_S = 3.0, 5.0, 0.02
OPEN, FAILED = "open", "failed"  # what it tells its parent once
REVIVAL_S = 15.0  # the imports of a link on a busy computer
WATCHER_ENDS_S = 1.5
LINK, KEEPER, WATCHER = "ipcluster_azure.link", "ipcluster_azure.link.keeper", "watcher.py"
# a Popen that is collected while its process runs warns; these run longer than we do
_started: dict[int, "subprocess.Popen[bytes]"] = {}


def ensure_link(file: RecordFile) -> dict[str, int]:
    """Start the cluster's link unless it runs; returns the local port of each client channel.

    Blocking. Raises AzureLauncherError if it does not come up.
    """
    if _runs(file) or _is_revived(file):
        return {name: tunnel.local for name, tunnel in file.require().tunnels.items()}
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
    return ports


def _runs(file: RecordFile) -> bool:
    return is_link(file.require().link_pid, file)


def _is_revived(file: RecordFile) -> bool:
    """Wait for the watcher, if there is one, to start the dead link again; end it if it doesn't.

    It has the ports, and what clients have sent meanwhile.
    """
    watcher_pid = file.require().watcher_pid
    if not is_watcher(watcher_pid, file):
        return False
    if _comes_true(lambda: _runs(file), REVIVAL_S):
        return True
    _end_watcher(watcher_pid, file)
    return False


def start_keeper(file: RecordFile) -> None:
    """Start the process that sees to the limits while nothing runs on the machines, detached.

    Blocking. It ends by itself once the record says that there is nothing to keep.
    """
    process = _spawn(file, KEEPER)
    with process.stdout as stdout:  # type: ignore[union-attr]
        stdout.readline()  # it is there, or has ended


def _spawn(file: RecordFile, module: str = LINK) -> "subprocess.Popen[bytes]":
    file.link_log.parent.mkdir(exist_ok=True)
    with open(file.link_log, "ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(file.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=file.path.parent,
            start_new_session=True,
            # on Windows: a console of its own, without a window, that closing this one leaves alone
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    _started[process.pid] = process
    return process


def is_link(pid: int, file: RecordFile) -> bool:
    """Return whether `pid` is this cluster's link, and not another process with a reused id."""
    return _command(pid) == ["-m", LINK, str(file.path)]


def is_watcher(pid: int, file: RecordFile) -> bool:
    """Return whether `pid` is the watcher of this cluster's link (link/watcher.py)."""
    words = _command(pid)
    return words[-1:] == [str(file.path)] and Path(words[-2]).name == WATCHER


def _command(pid: int) -> list[str]:
    """Return the arguments of a process that runs; none if there is no such process."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        command = process.cmdline()
        if pid and process.status() != psutil.STATUS_ZOMBIE:
            return list(command[1:])
    return []


def end_link(pid: int, file: RecordFile, watcher_pid: int = 0) -> None:
    """See to it that the cluster's link ends, once the record says that the cluster is deleted.

    It is given a moment to notice that by itself, and to answer clients. A link that deletes the
    cluster goes on as long as there are clients to be told.
    """
    if pid == os.getpid():
        return
    if not _comes_true(lambda: not is_link(pid, file), NOTICING_S):
        with suppress(psutil.Error):
            psutil.Process(pid).terminate()
        _comes_true(lambda: not is_link(pid, file), TERMINATING_S)
    _end_watcher(watcher_pid, file)
    _collect(pid)


def let_go_of_link(file: RecordFile, pid: int, watcher_pid: int) -> None:
    """See to it that the link of what ran on the machines becomes none of what runs next.

    It notices by itself, and goes on telling clients why; one that has died is not started again.
    """
    if pid != os.getpid() and not is_link(pid, file):
        with suppress(psutil.Error):
            if is_watcher(watcher_pid, file):
                psutil.Process(watcher_pid).kill()
        _comes_true(lambda: not is_watcher(watcher_pid, file), TERMINATING_S)


def _end_watcher(pid: int, file: RecordFile) -> None:
    """End the watcher, unless it ends by itself now that there is nothing to watch."""
    if not _comes_true(lambda: not is_watcher(pid, file), WATCHER_ENDS_S):
        with suppress(psutil.Error):
            psutil.Process(pid).kill()
        _comes_true(lambda: not is_watcher(pid, file), TERMINATING_S)


def _collect(pid: int) -> None:
    """Else an ended link stays a zombie as long as this process, a notebook's kernel perhaps."""
    if (child := _started.pop(pid, None)) is not None:
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=5)


def _comes_true(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Return whether the condition holds within `timeout_s`.

    psutil's own wait for a process would last until its parent, too, has noticed its end.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True


@atexit.register
def _let_go() -> None:
    """What we started outlives us: a Popen whose process runs would warn of that."""
    for process in _started.values():
        process.returncode = 0

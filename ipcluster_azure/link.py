"""The detached local process of a cluster, which outlives the launcher: how it begins and ends.

    python -m ipcluster_azure.link RECORD

What it does is in caretaker.py. It ends when the cluster is deleted, and sees to it that a deletion
which another process began comes to its end.
"""

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from .errors import AzureLauncherError
from .record_file import RecordFile

NOTICING_S, TERMINATING_S, LOOK_S = 3.0, 5.0, 0.02
NOT_REPEATED_S = 600.0
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
    file.link_log.parent.mkdir(parents=True, exist_ok=True)
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
    """Whether `pid` is the link of this cluster, and not another process with a reused id."""
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
    """Whether it has within that time. psutil would wait until its parent, too, has noticed."""
    deadline = time.monotonic() + timeout_s
    while is_link(pid, file):
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True


def main() -> None:
    from .caretaker import take_care  # teardown, which it uses, ends links

    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    for talkative in ("asyncssh", "azure"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    logging.getLogger().handlers[0].addFilter(Unrepeated())
    file = RecordFile(Path(sys.argv[1]))
    try:
        asyncio.run(take_care(file, lambda ports: tell_parent({OPEN: ports})))
    except KeyboardInterrupt:
        pass
    except Exception as error:
        logging.getLogger(__name__).exception("The process that keeps the tunnels ends")
        tell_parent({FAILED: str(error) or repr(error)})
        sys.exit(1)


class Unrepeated(logging.Filter):
    """Passes a message once in a while: some are said for days while a computer is offline."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, text = time.monotonic(), record.getMessage()
        self._said_at = {
            said: at for said, at in self._said_at.items() if now - at < NOT_REPEATED_S
        }
        return self._said_at.setdefault(text, now) == now


def tell_parent(outcome: dict[str, object]) -> None:
    """Tell the parent once; then its end of the pipe is gone."""
    if sys.stdout is not None:
        print(json.dumps(outcome), flush=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout = None


if __name__ == "__main__":
    main()

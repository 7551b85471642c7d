"""The detached local process of a cluster: tunnels for clients that outlive the launcher.

    python -m ipcluster_azure.link RECORD

It keeps one SSH connection to the controller with a forward for each client port, opens it again
when it breaks, and ends when the record says that the cluster is being deleted, or is gone.
"""

import asyncio
import json
import logging
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from .connect import Target, connect, controller_target
from .connection import Connection
from .errors import AzureLauncherError
from .record_file import RecordFile

LOOK_S = 0.5
START_TIMEOUT_S = 30.0
RECONNECT_TIMEOUT_S = 10.0
KEEPALIVE_S = 1
# of silence, until another connection is tried. What is in flight on this one would be lost with
# it, so that it is given up only if another gets through: a line that is down for half a minute,
# as when a laptop changes its Wi-Fi, loses nothing.
SILENT_S = 2.5
OTHER_WAY_TIMEOUT_S = 1.0

log = logging.getLogger("ipcluster_azure.link")
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
    try:
        ports: dict[str, int] = json.loads(line)
    except ValueError:
        raise AzureLauncherError(
            f"The tunnels to the controller could not be opened; see {file.link_log}."
        ) from None
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
    """End the cluster's link, if it still runs; it would notice the deletion by itself."""
    if is_link(pid, file):
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            process.terminate()
            process.wait(timeout=5)
    if (child := _started.pop(pid, None)) is not None:
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=5)


async def keep_tunnels(file: RecordFile) -> None:
    """Open the tunnels, tell the parent which ports they have, and keep them until the end."""
    ports: dict[str, int] = {}
    while (record := file.read()) is not None and not record.deleting:
        timeout_s = RECONNECT_TIMEOUT_S if ports else START_TIMEOUT_S
        try:
            target = controller_target(file, record)
            async with await connect(target, timeout_s=timeout_s, keepalive_s=KEEPALIVE_S) as ssh:
                for name, tunnel in record.tunnels.items():
                    local = ports.get(name) or tunnel.local
                    address = record.controller.address
                    ports[name] = await ssh.forward(local, address, tunnel.remote)
                _announce(ports)
                await _until_lost_or_deleted(ssh, target, file)
        except (AzureLauncherError, OSError) as error:
            if sys.stdout is not None:
                raise
            log.warning("%s", error)
            await asyncio.sleep(LOOK_S)


def _announce(ports: dict[str, int]) -> None:
    """Tell the parent once; then its end of the pipe is gone."""
    if sys.stdout is not None:
        print(json.dumps(ports), flush=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout = None


async def _until_lost_or_deleted(ssh: Connection, target: Target, file: RecordFile) -> None:
    closed = asyncio.ensure_future(ssh.wait_closed())
    while not closed.done():
        record = file.read()
        if record is None or record.deleting:
            closed.cancel()
            return
        await asyncio.wait([closed], timeout=LOOK_S)
        # looked at again afterwards: the line may just have been down
        if _is_silent(ssh) and await _another_gets_through(target) and _is_silent(ssh):
            ssh.abort()
    log.warning("The connection to the controller is lost; opening it again.")


def _is_silent(ssh: Connection) -> bool:
    return ssh.silent_s() > SILENT_S


async def _another_gets_through(target: Target) -> bool:
    try:
        async with await connect(target, timeout_s=OTHER_WAY_TIMEOUT_S):
            return True
    except AzureLauncherError:
        return False


def main() -> None:
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    with suppress(KeyboardInterrupt):
        asyncio.run(keep_tunnels(RecordFile(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()

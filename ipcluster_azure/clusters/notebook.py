"""`ipcluster-azure notebook`: JupyterLab on the controller's machine, and the way to it.

READ FIRST: `open_notebook`. It is safe to repeat: what is installed, or runs, stays. The link keeps
the forward (link/forwards.py), so that the address here is the same as long as the cluster lives.
"""

import asyncio
import http.client
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..environment.selection import PreparedEnvironment, Selection, Target
from ..errors import AzureLauncherError
from ..private_files import write_private
from ..progress import Progress
from ..record.abort import edited, require_alive
from ..record.contents import NOTEBOOK, Record, Tunnel
from ..record.file import RecordFile, held
from ..resource_manager.api import bridge
from ..ssh import notebook as on_machine
from ..ssh.connection import Connection
from ..ssh.packages import Packages
from ..ssh.visits import visiting
from ..start.carried import carrying
from ..start.engine_processes import Teller
from ..start.machine_python import prepare_in
from ..start.reattach import started
from ..start.start_controller import open_way

REQUIREMENT = "jupyterlab>=4.2"  # names what it must not announce as we do
OPEN_S, LOOK_S, ANSWER_S = 30.0, 0.1, 10.0
PAGE = """<!DOCTYPE html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={link}">
<title>JupyterLab on the cluster</title>
"""


@dataclass(frozen=True)
class Opened:
    """`link` opens JupyterLab, its token is in it; `page` is a file that leads there. `kept` are
    files there that were edited, and of which there is something newer here."""

    link: str
    page: str
    kept: list[str]


async def open_notebook(file: RecordFile, progress: Progress) -> Opened:
    """See to it that JupyterLab runs and can be reached.

    Raises AzureLauncherError if there is no such cluster, it can't be reached, or its machine can't
    have JupyterLab.
    """
    started(file)
    await open_way(file)
    async with held(file.sync_lock()):  # a sync replaces the environment that it may run in
        record = require_alive(file)
        async with visiting(file, record) as visits:
            gate = visits.gate
            looked = await on_machine.look(gate, record)
            if not looked["runs"]:
                if not looked["has_lab"]:
                    await _install(file, gate, record, looked, progress)
                progress.say("Starting JupyterLab")
            lab = await on_machine.start(gate, record, has_lab=looked["has_lab"])
        with edited(file) as changed:
            before = changed.forwards.get(NOTEBOOK, Tunnel(0, 0))
            changed.forwards[NOTEBOOK] = Tunnel(before.local, lab.port)
    link = f"http://127.0.0.1:{await _port(file)}/lab?token={lab.token}"
    write_private(file.notebook_page, PAGE.format(link=link))
    return Opened(link, file.notebook_page.as_uri(), lab.kept)


async def _install(
    file: RecordFile,
    gate: Connection,
    record: Record,
    looked: Mapping[str, Any],
    progress: Progress,
) -> None:
    """Make an environment of JupyterLab's own on the controller's machine."""
    progress.say("The engines' Python has no JupyterLab; installing it beside that")
    prepared = await _prepare(file, record, looked, progress)
    packages = Packages(prepared.lock, prepared.wheels, carrying(prepared.lock))
    tell = Teller(progress, "The controller's machine").tell
    await on_machine.install(gate, packages, prepared.python, tell)


async def _prepare(
    file: RecordFile, record: Record, looked: Mapping[str, Any], progress: Progress
) -> PreparedEnvironment:
    selection = Selection(kind="minimal", requirements=(REQUIREMENT,))
    target = Target(record.environment.python, looked["architecture"], tuple(looked["glibc"]))
    loop = asyncio.get_running_loop()

    def say(text: str) -> None:  # from another thread
        with suppress(RuntimeError):  # the loop is closed: the command was interrupted
            loop.call_soon_threadsafe(progress.say, text)

    folder = file.environment_dir / NOTEBOOK
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    return await bridge(prepare_in, folder, selection, target, say)


async def _port(file: RecordFile) -> int:
    """Return the local port once JupyterLab answers there; raises AzureLauncherError."""
    deadline = time.monotonic() + OPEN_S
    while time.monotonic() < deadline:
        port = require_alive(file).forwards[NOTEBOOK].local
        if port and await bridge(_answers, port):
            return port
        await asyncio.sleep(LOOK_S)
    raise AzureLauncherError(
        f"JupyterLab runs on the controller's machine, but can't be reached within {OPEN_S:.0f} s. "
        f"Why may be in {file.link_log}. The same command tries again; `ipcluster-azure attach "
        f"--profile={file.profile}` allows SSH from this computer's address of now."
    )


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/api")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

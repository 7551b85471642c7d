"""What the guard on the controller's machine tells whoever asks it how busy the cluster is."""

import asyncio
from collections.abc import Callable
from typing import Any

from ..errors import AzureLauncherError, BootstrapFailed, ClusterStopped, MachineFailed
from ..record.contents import Record
from ..record.file import RecordFile
from ..ssh.commands import guard_command
from ..ssh.connect import connect, controller_target, require_open
from ..ssh.connection import Connection
from ..ssh.visits import problem

LOGIN_S = 10.0  # once the port answers: on a busy computer
ANSWER_S = 20.0
AGAIN_S = 1.0
UNKNOWN_COMMAND = "invalid choice"  # argparse, of a version that has no such command

Told = dict[str, Any]


async def ask_load(file: RecordFile, record: Record) -> Told:
    """Return the event "load"; of a guard of a version before that, its "state".

    Raises BootTimeout within 2 s where the controller's SSH port can't be reached, and
    AzureLauncherError for anything else.
    """
    async with await log_in(file, record) as gate:
        try:
            return await _last(gate, guard_command(record.environment, "load"), "load")
        except BootstrapFailed as error:
            if UNKNOWN_COMMAND not in str(error):
                raise
            return await _last(gate, guard_command(record.environment, "follow"), "state")


async def log_in(file: RecordFile, record: Record) -> Connection:
    """Log in to the controller's machine, which has answered before; raises at once if it can't."""
    target = controller_target(file, record)
    await require_open(target)
    return await connect(target, timeout_s=LOGIN_S)


async def _last(gate: Connection, command: str, event: str) -> Told:
    found = await gate.events(command, timeout_s=ANSWER_S)
    if event not in found:
        raise MachineFailed(f"The guard of the cluster said nothing of its {event}.")
    return found[event]


async def follow_load(
    file: RecordFile,
    tell: Callable[[Record, Told], None],
    lost: Callable[[str], None],
) -> None:
    """Call `tell` every second with the event "load", and `lost` with the reason while there is
    none.

    Raises ClusterStopped when there is no such cluster any more, and why there is no first event.
    """
    heard = False

    def hear(told: Told) -> None:
        nonlocal heard
        tell(file.require(), told)
        heard = True

    while True:
        try:
            await _follow_once(file, hear)
        except ClusterStopped:
            raise
        except AzureLauncherError as error:
            if not heard:
                raise
            lost(problem("the controller", error))
        await asyncio.sleep(AGAIN_S)


async def _follow_once(file: RecordFile, hear: Callable[[Told], None]) -> None:
    record = file.require()
    first = await ask_load(file, record)
    hear(first)
    if first["event"] == "load":  # else the guard tells no more than that
        async with await log_in(file, record) as gate:
            command = guard_command(record.environment, "load", "--follow")
            await gate.follow(command, lambda told: hear(told) if told["event"] == "load" else None)

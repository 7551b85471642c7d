"""The SSH connection to the controller: opened again when it breaks, replaced when it is dead."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ..errors import AzureLauncherError, BootTimeout
from ..record.abort import require_alive
from ..record.contents import Record
from ..record.file import RecordFile
from ..ssh.connect import Target, connect, controller_target
from ..ssh.connection import Connection

LOOK_S = 0.5
CHANGE_LOOK_S = 0.1  # whoever stops the cluster waits for that
START_TIMEOUT_S = 30.0
RECONNECT_TIMEOUT_S = 10.0
KEEPALIVE_S = 1
# of silence, until another connection is tried. What is in flight on this one would be lost with
# it, so that it is given up only if another gets through: a line that is down for half a minute,
# as when a laptop changes its Wi-Fi, loses nothing.
SILENT_S = 2.5
OTHER_WAY_TIMEOUT_S = 1.0

log = logging.getLogger(__name__)
Use = Callable[[Connection, Record], Awaitable[None]]


async def keep_connected(
    file: RecordFile,
    use: Use,
    *,
    at_end: Callable[[], Awaitable[None]],
    patient: bool = False,
) -> None:
    """Run `use` with a connection, and with another one each time that it is lost.

    Returns when the cluster is being deleted, is gone, or nothing is to run on its machines, after
    `at_end`, which still has the connection. Raises AzureLauncherError if the first connection
    can't be opened, unless `patient`; later ones are tried for ever.
    """
    deleted = asyncio.ensure_future(_until_deleted(file, file.require().deployments))
    keeping = asyncio.ensure_future(_keep(file, use, patient))
    try:
        await asyncio.wait((deleted, keeping), return_when=asyncio.FIRST_COMPLETED)
        if not deleted.done():
            keeping.result()
        await at_end()
    finally:
        for task in (deleted, keeping):
            task.cancel()
        await asyncio.gather(deleted, keeping, return_exceptions=True)


async def _until_deleted(file: RecordFile, deployment: int) -> None:
    seen, read_at = (-1, -1), 0.0
    while True:
        version, now = file.version(), time.monotonic()
        if version != seen or now - read_at > LOOK_S:  # a network's disk may tell late of a change
            seen, read_at = version, now
            with suppress(AzureLauncherError):  # unreadable is not the same as gone
                record = file.read()
                if record is None or record.deleting or is_superseded(record, deployment):
                    return
        await asyncio.sleep(CHANGE_LOOK_S)


def is_superseded(record: Record, deployment: int) -> bool:
    """Return whether what ran on the machines, by this count of Record.deployments, was ended, and
    perhaps started anew."""
    return record.is_created or record.deployments != deployment


async def _keep(file: RecordFile, use: Use, patient: bool) -> None:
    was_open, told = patient, ""
    while True:
        timeout_s = RECONNECT_TIMEOUT_S if was_open else START_TIMEOUT_S
        try:
            record = require_alive(file)
            target = controller_target(file, record)
            async with await connect(target, timeout_s=timeout_s, keepalive_s=KEEPALIVE_S) as ssh:
                was_open, told = True, ""
                using = asyncio.ensure_future(use(ssh, record))
                try:
                    await _until_lost(ssh, target)
                finally:
                    ssh.abort()  # a machine that is dead would never answer a polite goodbye
                    using.cancel()
                    await asyncio.gather(using, return_exceptions=True)
        except (AzureLauncherError, OSError) as error:
            if not was_open:
                raise
            told = _warn(error, told)
            await asyncio.sleep(LOOK_S)


def _warn(error: AzureLauncherError | OSError, told: str) -> str:
    """Say why there is no connection; returns the causes that have been told by now.

    They may be the same for hours: once will do.
    """
    if not isinstance(error, BootTimeout):
        log.warning("%s", error)
        return ""
    log.warning("%s", error.message if error.causes == told else error)
    return error.causes


async def _until_lost(ssh: Connection, target: Target) -> None:
    closed = asyncio.ensure_future(ssh.wait_closed())
    try:
        while not closed.done():
            await asyncio.wait([closed], timeout=LOOK_S)
            # looked at again afterwards: the line may just have been down
            if is_silent(ssh) and await _another_gets_through(target) and is_silent(ssh):
                ssh.abort()
    finally:
        closed.cancel()
    log.warning("The connection to the controller is lost; opening it again.")


def is_silent(ssh: Connection) -> bool:
    return ssh.silent_s() > SILENT_S


async def _another_gets_through(target: Target) -> bool:
    try:
        async with await connect(target, timeout_s=OTHER_WAY_TIMEOUT_S):
            return True
    except AzureLauncherError:
        return False

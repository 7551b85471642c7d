"""Waits for what another task, or another process, does for the controller: it is on record."""

from collections.abc import Callable

from ..record.abort import require_alive
from ..record.contents import Controller, Record
from ..record.file import RecordFile
from ..resource_manager.waiting import Looks

LONGEST_LOOK_S = 0.5


async def network_ready(file: RecordFile, record: Record) -> Record:
    """Return the record once engines can join the network; `record` is what was just read of it."""
    return await _once(file, record, lambda controller: controller.network_ready)


async def controller_requested(file: RecordFile, record: Record) -> Record:
    """Return the record once the controller has an address; `record` is what was just read of it.

    The controller's machine is requested then, and may still boot.
    """
    return await _once(file, record, lambda controller: bool(controller.host))


async def _once(file: RecordFile, record: Record, holds: Callable[[Controller], bool]) -> Record:
    looks = Looks(last_s=LONGEST_LOOK_S)
    while not holds(record.controller):
        await looks.pause()
        record = require_alive(file)
    return record

"""Looks which engine sets have machines that their start did not wait for, and has them join.

What that takes, the Azure SDK among it, is imported by a link that has such a set (joining.py).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import AzureLauncherError, ClusterStopped
from ..record.contents import READY, Record
from ..record.file import RecordFile
from ..ssh.connection import Connection

if TYPE_CHECKING:
    from .replacements import Replacements

LOOK_S = 0.5
AGAIN_S = 5.0

log = logging.getLogger(__name__)


async def see_to_joining(
    file: RecordFile, gate: Connection, replacements: Callable[[], "Replacements"]
) -> None:
    """Look, as long as there is this connection to the controller, whenever the record changes.

    Never returns. What joins when it is cancelled goes on with the next connection, as the record
    says what is left to do.
    """
    tasks: dict[str, asyncio.Task[None]] = {}
    seen = (-1, -1)
    try:
        while True:
            if (version := file.version()) != seen:
                seen = version
                with suppress(AzureLauncherError):  # the next look comes with the next change
                    _see_to(file, file.require(), gate, replacements, tasks)
            await asyncio.sleep(LOOK_S)
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


def _see_to(
    file: RecordFile,
    record: Record,
    gate: Connection,
    replacements: Callable[[], "Replacements"],
    tasks: "dict[str, asyncio.Task[None]]",
) -> None:
    for set_id, engine_set in record.engine_sets.items():
        task = tasks.get(set_id)
        if engine_set.state != READY:  # stopped, for a restart perhaps
            if task is not None:
                task.cancel()
        elif engine_set.joining.machines and (task is None or task.done()):
            joining = _keep_joining(file, set_id, gate, replacements)
            tasks[set_id] = asyncio.ensure_future(joining)


def _import() -> "Callable[..., Awaitable[None]]":
    from .joining import join

    return join


async def _keep_joining(
    file: RecordFile, set_id: str, gate: Connection, replacements: Callable[[], "Replacements"]
) -> None:
    # in a thread, as clients are served meanwhile
    join = await asyncio.get_running_loop().run_in_executor(None, _import)
    while True:
        try:
            return await join(file, set_id, gate, replacements())
        except ClusterStopped:
            return None
        except AzureLauncherError as error:
            log.warning("Engine set %s can't be completed now: %s", set_id, error)
        except Exception:
            log.exception("Engine set %s can't be completed now", set_id)
        await asyncio.sleep(AGAIN_S)

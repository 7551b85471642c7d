"""The link's part in a stop by another process: it is logged in, and fetches the machines' logs.

The other process waits for that (stop/visit_process.py); both say on record how far they are.
"""

import asyncio
import logging
from contextlib import suppress

from ..errors import AzureLauncherError
from ..process import importing
from ..record.contents import VISIT_BEGUN, VISIT_DONE, VISIT_OFFERED
from ..record.file import RecordFile
from ..ssh.connection import Connection
from .reconnect import is_silent

log = logging.getLogger(__name__)


async def visit_before_deletion(file: RecordFile, ssh: Connection | None) -> None:
    """Fetch the logs of a cluster that is being deleted, unless the other process does."""
    able = ssh is not None and not is_silent(ssh)
    with suppress(AzureLauncherError, OSError):
        if _went(file, VISIT_OFFERED, VISIT_BEGUN if able else "") and ssh is not None and able:
            made = False
            try:
                made = await _visit(file, ssh)
            finally:
                _went(file, VISIT_BEGUN, VISIT_DONE if made else "")


async def _visit(file: RecordFile, ssh: Connection) -> bool:
    """Return False if it is better made by the other process."""
    try:
        with importing():
            from ..stop.last_visit import visit_through
            from ..stop.visit_process import LOGS_TIMEOUT_S

        await asyncio.wait_for(visit_through(ssh, file), LOGS_TIMEOUT_S)
    except (AzureLauncherError, OSError, asyncio.TimeoutError) as error:
        log.info("Not all logs could be fetched: %r", error)
    except Exception:
        log.exception("The logs can't be fetched from here")
        return False
    return True


def _went(file: RecordFile, before: str, after: str) -> bool:
    """Note how far the visit is, from one step to the next; False if it isn't ours any more."""
    with file.edit() as record:
        if record.deleting and record.last_visit == before:
            record.last_visit = after
            return True
        return False

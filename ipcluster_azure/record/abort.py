"""The abort mark: each step looks at the record after each wait, and gives up once it says so."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..errors import AzureLauncherError, ClusterStopped
from .contents import DELETING, EngineSet, Record
from .file import RecordFile

STOPPED = "The cluster was stopped while it was starting."
ENDED = "What runs on the cluster's machines was ended; the machines are kept."


def is_alive(file: RecordFile) -> bool:
    """Return whether the cluster is on record, and not being deleted."""
    record = file.read()
    return record is not None and not record.deleting


def require_alive(file: RecordFile, set_id: str = "") -> Record:
    """Read and return the record.

    Raises ClusterStopped once the cluster, or its engine set `set_id`, is being deleted, or nothing
    is to run on its machines.
    """
    record = file.read()
    if record is None:
        raise ClusterStopped(STOPPED)
    _check(record, set_id)
    return record


def _check(record: Record, set_id: str) -> None:
    if record.deleting:
        raise ClusterStopped(STOPPED)
    if record.is_created:
        raise ClusterStopped(ENDED)
    if set_id and (
        set_id not in record.engine_sets or record.engine_sets[set_id].state == DELETING
    ):
        raise ClusterStopped("The engines were stopped while they were starting.")


def as_stopped(file: RecordFile, error: Exception) -> Exception:
    """Return as what the failure of a start is told whose cluster is being deleted, or gone.

    That is why connections break and machines are missing; unless the cluster's own link deletes
    it, for a reason that is on record and is told.
    """
    if not isinstance(error, AzureLauncherError) or isinstance(error, ClusterStopped):
        return error
    with suppress(AzureLauncherError):
        record = file.read()
        if record is not None and record.ended_because:
            return error
    stopped = ClusterStopped(STOPPED)
    stopped.__cause__ = error
    return stopped


@contextmanager
def edited(file: RecordFile) -> Iterator[Record]:
    """Give the record, to be changed; raises ClusterStopped once the cluster is being deleted.

    What is done within happens either before a stop begins, or not at all.
    """
    with file.edit() as record:
        _check(record, "")
        yield record


@contextmanager
def edited_set(file: RecordFile, set_id: str) -> Iterator[EngineSet]:
    """Give an engine set of the record, to be changed; raises ClusterStopped as require_alive."""
    with file.edit() as record:
        _check(record, set_id)
        yield record.engine_sets[set_id]

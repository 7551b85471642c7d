"""The abort mark: each step looks at the record after each wait, and gives up once it says so."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ClusterStopped
from .contents import DELETING, EngineSet, Record
from .file import RecordFile


def is_alive(file: RecordFile) -> bool:
    """Whether the cluster is on record, and not being deleted."""
    record = file.read()
    return record is not None and not record.deleting


def require_alive(file: RecordFile, set_id: str = "") -> Record:
    """The record; raises ClusterStopped once the cluster, or that engine set, is being deleted."""
    record = file.read()
    if record is None or record.deleting:
        raise ClusterStopped("The cluster was stopped while it was starting.")
    _require_set(record, set_id)
    return record


def _require_set(record: Record, set_id: str) -> None:
    if set_id and (
        set_id not in record.engine_sets or record.engine_sets[set_id].state == DELETING
    ):
        raise ClusterStopped("The engines were stopped while they were starting.")


@contextmanager
def edited_set(file: RecordFile, set_id: str) -> Iterator[EngineSet]:
    """An engine set of the record, to be changed. Raises ClusterStopped if it is gone."""
    with file.edit() as record:
        _require_set(record, set_id)
        yield record.engine_sets[set_id]

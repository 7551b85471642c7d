"""The clusters on record in all profiles of an IPython directory."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..endpoint import RecordCore
from ..errors import RecordDamaged, RecordOfOtherVersion
from ..private_files import files_in
from ..record.file import RecordFile, read_core


@dataclass(frozen=True)
class LocalRecord:
    """A cluster's record on this computer. `core` is None if the file is damaged.

    `in_word` is its state (Record.in_word). `stopping`: a stop has begun. `retired`: Azure has
    accepted the deletion of the cluster's resource group, which may still be there.
    """

    path: Path
    core: RecordCore | None
    stopping: bool = False
    retired: bool = False
    in_word: str = ""

    @property
    def file(self) -> RecordFile:
        return RecordFile(self.path)


def local_records(ipython_dir: str) -> list[LocalRecord]:
    """Return the records in all profiles of an IPython directory, damaged ones too.

    Raises AzureLauncherError if a folder or a file can't be read: what is on record there would
    pass for what is not on record.
    """
    folders = [folder / "security" for folder in files_in(Path(ipython_dir), "profile_*")]
    current = [_current(path) for folder in folders for path in files_in(folder, "azure-*.json")]
    retired = [
        LocalRecord(path, _core(path), stopping=True, retired=True)
        for folder in folders
        for path in RecordFile(folder / "azure-.json").retired()
    ]
    return [item for item in current + retired if item is not None]


def _current(path: Path) -> LocalRecord | None:
    try:
        record = RecordFile(path).read()
    except RecordOfOtherVersion as error:
        return LocalRecord(path, error.core)
    except RecordDamaged:
        return LocalRecord(path, None)
    if record is None:  # stopped a moment ago
        return None
    return LocalRecord(path, record.core, stopping=record.deleting, in_word=record.in_word)


def _core(path: Path) -> RecordCore | None:
    try:
        return read_core(path)
    except (RecordDamaged, FileNotFoundError):
        return None


def by_cluster(records: Iterable[LocalRecord]) -> dict[str, LocalRecord]:
    """Return cluster's name -> its record; damaged and retired records are left out."""
    return {
        item.core.cluster: item for item in records if item.core is not None and not item.retired
    }

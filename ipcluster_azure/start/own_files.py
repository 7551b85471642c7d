"""The user's own files at a start: chosen and read before anything is created, then on record."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigurationError
from ..formatting import counted
from ..own_files.choice import Choice
from ..own_files.collect import MB, Archive, Collected, collect
from ..own_files.manifest import Manifest
from ..private_files import write_private, write_private_bytes
from ..record.file import RecordFile
from ..record.user_files import OwnFiles
from ..settings.values import Settings


@dataclass(frozen=True)
class FilesToSend:
    """What a new cluster gets: `record` is what its record says of it, `archive` is None if there
    is nothing to send; `warnings` are for the user."""

    record: OwnFiles = field(default_factory=OwnFiles)
    manifest: Manifest = field(default_factory=Manifest)
    archive: Archive | None = None
    warnings: tuple[str, ...] = ()


def find_own_files(
    settings: Settings, file: RecordFile, folder: str, python_path: Sequence[str]
) -> FilesToSend:
    """Choose, read and pack the files of `folder`, the working directory, empty if that has been
    deleted. Blocking.

    Raises ConfigurationError for files that the user has named and that can't be sent.
    """
    record = OwnFiles(
        folder, list(settings.sync_paths), settings.sync_limit_mb, list(settings.sync_back)
    )
    choice = choice_of(record, file, python_path)
    if not folder:
        if record.paths and not choice.is_default:
            raise ConfigurationError(
                "The working directory has been deleted, to which sync_paths is relative. Change "
                "to one that exists."
            )
        return FilesToSend(record)
    collected = collect(choice, lenient=choice.is_default) if record.paths else Collected()
    archive = collected.archive() if collected.contents else None
    return FilesToSend(record, collected.manifest, archive, collected.warnings)


def choice_of(own: OwnFiles, file: RecordFile, python_path: Sequence[str] = ()) -> Choice:
    """Return which files are meant by what is on record of them.

    `python_path` is sys.path of the user's process, as far as it is one that imports such files.
    """
    never = (file.profile_dir.resolve(), file.profile_dir.parent.resolve())
    return Choice(Path(own.folder), tuple(own.paths), own.limit_mb, tuple(python_path), never)


def put_beside(file: RecordFile, found: FilesToSend) -> None:
    """Write what is to be sent beside a new record, for the process that sets the controller up."""
    write_private(file.own_files, found.manifest.to_json())
    if found.archive is not None:
        write_private_bytes(file.own_archive, found.archive.data)


def read_archive(file: RecordFile) -> bytes:
    """Return what put_beside has written; nothing if there is nothing to send."""
    try:
        return file.own_archive.read_bytes()
    except FileNotFoundError:
        return b""


def said_of(manifest: Manifest) -> str:
    """Return in words how much there is: 3 of your files (0.1 MB)."""
    size = sum(size for _, size in manifest.files.values())
    return f"{counted(len(manifest.files), 'file')} of yours ({size / MB:.1f} MB)"

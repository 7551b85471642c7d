"""Files that only this user may read, written whole or not at all, whenever the writer dies.

And how they are looked for, so that what can't be read is never taken for what isn't there.
"""

import fnmatch
import glob
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from .errors import AzureLauncherError


def write_private(path: Path, text: str) -> None:
    """Write atomically, readable by this user alone; a reader sees the old text or the new.

    Raises FileNotFoundError if there is no such folder (any more): who erases a profile wants it to
    stay erased.
    A writer that is killed may leave a file that erase_unfinished finds. If the file is new it
    leaves nothing where the file system has files without a name, as Linux' own do and NFS does
    not: a cluster's first file may be all that there is of it, and nobody would look for the rest.
    """
    write_private_bytes(path, text.encode())


def write_private_bytes(path: Path, data: bytes) -> None:
    """Do the same as write_private with bytes."""
    if not _created(path, data):
        _replace(path, data)


def erase(path: Path) -> None:
    """Remove a file, and what a write of it left behind that was killed."""
    path.unlink(missing_ok=True)
    erase_unfinished(path)


def erase_unfinished(path: Path) -> None:
    """Remove what a write_private of this file left behind that was killed."""
    for temporary in path.parent.glob(f".{glob.escape(path.name)}.????????"):
        temporary.unlink(missing_ok=True)


def files_in(folder: Path, pattern: str) -> list[Path]:
    """Return what a folder holds by names of this pattern, sorted; nothing if there is no folder.

    Raises AzureLauncherError if it can't be read, which Path.glob would pass over.
    """
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable(folder, error) from error
    return [folder / name for name in sorted(fnmatch.filter(names, pattern))]


def unreadable(path: Path, error: OSError) -> AzureLauncherError:
    return AzureLauncherError(
        f"{path} can't be read ({error.strerror or error}), so what it has on record is not known. "
        "See to whom it belongs, and to its permissions."
    )


def _created(path: Path, data: bytes) -> bool:
    """False if the file exists already, or can't be made without another name."""
    nameless: int | None = getattr(os, "O_TMPFILE", None)
    if nameless is None or path.exists():
        return False
    try:
        descriptor = os.open(path.parent, nameless | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            _write(file, data)
            # with a src_dir_fd, which an absolute path makes moot, Python has the link followed
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=0)
    except OSError:
        return False
    return True


def _replace(path: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write(file, data)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _write(file: BinaryIO, data: bytes) -> None:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())

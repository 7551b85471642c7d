"""Wheels that were made here, kept for the next start, in a folder that is this user's alone."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigurationError

UNUSED_S = 90 * 86_400.0  # what nothing has asked for since is deleted


def cache_folder() -> Path:
    """Return the folder, which exists then. Raises ConfigurationError if it can't be made."""
    import platformdirs  # 5 ms, for those who make wheels

    folder = platformdirs.user_cache_path("ipcluster-azure", appauthor=False)
    try:
        for path in (folder, folder / "wheels"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)
    except OSError as error:
        raise _not_kept(folder, error) from error
    return folder / "wheels"


def folder_of(key: str) -> Path:
    """Return the folder of what has this key, a hash of all that a wheel is made from."""
    folder = cache_folder() / key
    if not folder.exists():
        _delete_unused(folder.parent)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        os.utime(folder)
    except OSError as error:
        raise _not_kept(folder, error) from error
    return folder


def kept(key: str, name: str, make: Callable[[Path], None]) -> Path:
    """Return the wheel `name` of this key; if there is none yet, `make` writes it to a path.

    Whoever else asks for it at the same time sees no half of it. Raises ConfigurationError if it
    can't be written.
    """
    path = folder_of(key) / name
    if path.exists():
        return path
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".unfinished")
        os.close(descriptor)
        try:
            make(Path(temporary))
            with suppress(
                PermissionError
            ):  # on Windows, while somebody reads the same, made before
                os.replace(temporary, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
    except OSError as error:
        raise _not_kept(path, error) from error
    return path


def _delete_unused(cache: Path) -> None:
    oldest = time.time() - UNUSED_S
    for folder in cache.iterdir():
        with suppress(OSError):
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder)


def _not_kept(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{path} can't be written: {error.strerror or error}. Make room there, or have "
        "XDG_CACHE_HOME name another folder for what is kept of earlier starts."
    )

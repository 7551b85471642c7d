"""The directory in which an emulator keeps its state: which one, and whether it can be used.

Standard library only.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .http_client import EmulatorError

STATE_DIR_VARIABLE = "IPCLUSTER_AZURE_EMULATOR_STATE_DIR"
NEEDED_BYTES = 64 * 1024  # for files and the beginning of the log


def default_state_dir() -> Path:
    configured = os.environ.get(STATE_DIR_VARIABLE)
    return Path(configured) if configured else Path.home() / ".ipcluster-azure" / "emulator"


def directory_of(state_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the absolute path of a directory; raises EmulatorError for a home that nobody has."""
    path = Path(state_dir or default_state_dir())
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise EmulatorError(f"there can't be a directory {path}: {error}") from None


def prepare(directory: Path) -> None:
    """Make the directory, for its owner alone if nothing is in it.

    Raises EmulatorError if files can't be written there, for lack of rights or of room.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not any(directory.iterdir()):  # else it may be anybody's, such as /tmp
            directory.chmod(0o700)
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(NEEDED_BYTES))
    except OSError as error:
        raise EmulatorError(f"the state can't be kept in {directory}: {error}") from None

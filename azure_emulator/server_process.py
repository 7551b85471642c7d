"""The server's process: which one runs in a directory, and how one is started there.

Standard library only.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .http_client import EmulatorError, EmulatorInfo, NoAnswerInTime, ask
from .state_directory import directory_of, prepare

START_TIMEOUT_S = 30.0
ROOT_FILE_SYSTEM_TIMEOUT_S = 900.0  # it is made once, in a minute, on a busy computer in five
ALREADY_RUNNING, NOT_LISTENING = 3, 4  # exit statuses of the server
LOG_TAIL_LINES = 15
# As `python -m` does, but with the working directory's modules out of its way: a random.py there
# would be taken for Python's own. (-P does that from Python 3.11 on.) The folder of this package is
# named for those who import it from their working directory.
RUN_MODULE = (
    "import sys; sys.path[:] = [*filter(None, sys.path), sys.argv.pop(1)]; "
    "import runpy; runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def find(state_dir: str | os.PathLike[str] | None = None) -> EmulatorInfo | None:
    """Return the emulator of that directory, or None.

    A file that a dead emulator left, or a broken one, counts as none. Raises EmulatorError if
    something listens there but says nothing, because that may well be the emulator.
    """
    try:
        text = (directory_of(state_dir) / "emulator.json").read_text(encoding="utf-8")
        values = json.loads(text)
        info = EmulatorInfo(**{name: values[name] for name in EmulatorInfo.__dataclass_fields__})
        # Only the process that wrote the file has the key of ca_file and knows the token.
        ask(info, "GET", "/emulator/status")
    except NoAnswerInTime:
        raise
    except (OSError, ValueError, KeyError, TypeError, EmulatorError):
        return None
    return info


def launch(directory: Path, arguments: Sequence[str], *, in_containers: bool) -> EmulatorInfo:
    """Start a server with these arguments for a directory; returns when it answers.

    in_containers: its machines are containers (nspawn), which needs programs, and time for the
    root file system. Raises EmulatorError if something is missing, or if the server doesn't start.
    """
    _check_installed()
    if in_containers:
        from .nspawn import programs  # not before: a link keeps this module's code, not that one's

        if problem := programs.missing():
            raise EmulatorError(problem)
    prepare(directory)
    packages = str(Path(__file__).absolute().parent.parent)
    command = [sys.executable, "-c", RUN_MODULE, packages, "azure_emulator.front.serve"]
    command += ["--detach", f"--state-dir={directory}", *arguments]
    timeout_s = ROOT_FILE_SYSTEM_TIMEOUT_S if in_containers else START_TIMEOUT_S
    return _launched(command, directory / "emulator.log", timeout_s)


def _check_installed() -> None:
    for module in ("aiohttp", "yaml", "asyncssh", "trustme"):
        if importlib.util.find_spec(module) is None:
            raise EmulatorError(
                f"the emulator needs {module}, which is not installed: "
                'pip install "ipcluster-azure[emulator]"'
            )


def _launched(command: list[str], log_path: Path, timeout_s: float) -> EmulatorInfo:
    """Start the server and return when it is up; raises EmulatorError with what went wrong."""
    descriptor = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "ab") as log_file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            start_new_session=True,
        )
    deadline = time.monotonic() + timeout_s
    # If another start was faster its server has the lock, and that one will answer.
    while process.poll() in (None, 0, ALREADY_RUNNING) and time.monotonic() < deadline:
        info = find(log_path.parent)
        if info:
            if hasattr(os, "fork"):
                process.wait(START_TIMEOUT_S)
            return info
        time.sleep(0.02)
    status = process.poll()
    if status == NOT_LISTENING:
        raise EmulatorError(
            f"the emulator did not start (exit status {status}, see {log_path}): "
            f"{_tail(log_path, 1)}"
        )
    raise EmulatorError(
        f"the emulator did not start (exit status {status}); the end of {log_path}:\n"
        f"{_tail(log_path, LOG_TAIL_LINES)}"
    )


def _tail(path: Path, lines: int) -> str:
    try:
        found = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"({error})"
    return "\n".join(found[-lines:])

"""The work directory of a machine: state files, logs, daemons. Linux, standard library."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .processes import POLL_S, Json, identify, is_alive

LOG_TAIL_BYTES = 2_000
# what writes and reads that which travels, and whose inside travels in arrays and frames
GUARD_START_S = 10.0  # it is there before ipcontroller is


class WorkDir:
    """The paths below a machine's work directory; commands.py says what each file holds."""

    def __init__(self, root: str) -> None:
        self.root = Path(root).expanduser().absolute()
        self.home = Path(os.path.expanduser("~"))
        self.profile = self.root / "profile"
        self.log = self.root / "log"
        self.controller_file = self.root / "controller.json"
        self.guard_file = self.root / "guard.json"
        self.guard_settings = self.root / "guard_settings.json"
        self.outdated = self.root / "outdated"
        self.offer_file = self.root / "offer.json"

    def set_file(self, set_id: str) -> Path:
        return self.root / f"engines-{set_id}.json"

    def restart_file(self, set_id: str) -> Path:
        return self.root / f"restart-{set_id}.json"

    def supervisor_log(self, set_id: str) -> Path:
        return self.log / f"supervisor-{set_id}.log"

    def tally_file(self, set_id: str) -> Path:
        return self.root / f"tally-{set_id}"

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Make the directories, and hold the lock that lets one start at a time go on here: a
        launcher may reconnect and try again."""
        for folder in (self.root, self.profile, self.log):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)
        with open(self.root / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def spawn(
        self, command: list[str], log: Path, *, mode: str = "wb", **env: str
    ) -> subprocess.Popen[bytes]:
        """Start a daemon: in a session of its own, without any pipe of this process, with HOME as
        its working directory and its settings of IPython and Jupyter below D.

        What it prints goes to `log`, opened with `mode`; `env` is added to its environment.
        """
        folders = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
        settings = dict.fromkeys(folders, str(self.root / "ipython"))
        # IPP_* would override what the command line and the connection file say
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("IPP_")}
        with open(log, mode, opener=private) as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=self.home if self.home.is_dir() else self.root,
                env=env | inherited | settings,
            )


def ensure_guard(work: WorkDir) -> Json:
    """Start the guard unless it runs; returns its pid and create_time.

    To be called within work.starting().
    """
    guard: Json = read_json(work.guard_file).get("guard", {})
    if not is_alive(guard):
        command = own_command("guard", "watch", f"--dir={work.root}")
        guard = identify(work.spawn(command, work.log / "guard.log", mode="ab").pid)
    return guard


def guard_port(work: WorkDir) -> int:
    """Return the port at which the guard hears the engines' machines, once it listens.

    0 if the guard does not come up within GUARD_START_S.
    """
    deadline = time.monotonic() + GUARD_START_S
    while time.monotonic() < deadline:
        state = read_json(work.guard_file)
        if is_alive(state.get("guard", {})):
            return int(state["port"])
        time.sleep(POLL_S)
    return 0


def own_command(module: str, *arguments: str) -> list[str]:
    """Return a command that runs main() of a module of this package in any working directory."""
    folder = str(Path(__file__).absolute().parent.parent)
    code = f"import sys; sys.path[0] = {folder!r}; from {__package__}.{module} import main"
    return [sys.executable, "-c", f"{code}; sys.exit(main(sys.argv[1:]))", *arguments]


def hide_own_folder() -> None:
    """Take the folder of this package from the module path: it isn't the user's code's business."""
    if sys.path[0] == str(Path(__file__).absolute().parent.parent):
        del sys.path[0]


def private(path: str, flags: int) -> int:
    """An opener for open(): appends, and makes files that only their owner may read."""
    return os.open(path, flags | os.O_APPEND, 0o600)


def read_json(path: Path) -> Json:
    """Return a file's content; empty when the file is missing or not complete yet."""
    try:
        content: Json = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content


def write_json(path: Path, content: Json) -> None:
    """Replace a file at once: who reads it sees the old content or the new."""
    temporary = path.with_suffix(".new")
    with open(temporary, "w", encoding="utf-8", opener=private) as file:
        json.dump(content, file)
    temporary.replace(path)


def tail(log: Path | str, max_bytes: int = LOG_TAIL_BYTES) -> str:
    """Return the end of a log, or why it can't be read."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - max_bytes))
            return file.read().decode(errors="replace")
    except OSError as error:
        return str(error)


def hung_up(timeout_s: float) -> bool:
    """Return whether standard input has ended, after waiting up to `timeout_s` for that."""
    return bool(select.select([0], [], [], timeout_s)[0]) and not os.read(0, 1 << 12)


def emit(event: str, **fields: Any) -> None:
    """Tell the launcher of an event: one line of JSON on standard output."""
    print(json.dumps({"event": event, **fields}), flush=True)


def say(text: str) -> None:
    """Write a line with the time to standard error, which is a daemon's log."""
    print(time.strftime("%Y-%m-%d %H:%M:%S"), text, file=sys.stderr, flush=True)

"""Commands that may take minutes: a line about them every few seconds, and an end in any case."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

PROGRESS_S = 3.5  # between two signs of life
LONGEST_LINE = 120  # characters
Say = Callable[[str], None]


class CommandFailed(Exception):
    """It ended with an error, or, if `late`, not in time; `output` is what it wrote."""

    def __init__(self, why: str, output: str, late: bool = False) -> None:
        super().__init__(why)
        self.output, self.late = output, late


def run_long(
    command: Sequence[str | Path],
    folder: Path,
    log: Path,
    variables: Mapping[str, str],
    say: Say,
    limit_s: float,
) -> str:
    """Run it in a folder, append its output to the log, and return that.

    `say` is told the newest line of output every PROGRESS_S. `variables` are its whole environment;
    secrets belong there, as the command is seen by everybody and stands in the log. Raises
    CommandFailed; nothing that it has started lives on then.
    """
    words = [str(word) for word in command]
    with open(log, "ab", opener=_private) as output:
        output.write(f"$ {' '.join(words)}\n".encode(errors="replace"))
        output.flush()
        begin = output.tell()
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=dict(variables),
        )
    try:
        _see_to_its_end(process, lambda: _written(log, begin), say, limit_s)
    finally:
        _end(process)
    if process.returncode:
        name = Path(words[0]).name
        raise CommandFailed(f"{name} ended with {process.returncode}", _written(log, begin))
    return _written(log, begin)


def _see_to_its_end(
    process: "subprocess.Popen[bytes]", written: Callable[[], str], say: Say, limit_s: float
) -> None:
    """Wait until it has ended, and tell how far it is; raises CommandFailed if that is too late."""
    started = time.monotonic()
    while process.poll() is None:
        _wait(process, PROGRESS_S)
        passed = time.monotonic() - started
        if process.poll() is None and passed > limit_s:
            raise CommandFailed(f"it did not end within {limit_s:.0f} s", written(), late=True)
        if process.poll() is None:
            say(f"{_last_line(written())} ({passed:.0f} s)")


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it, and compilers and others that it has started."""
    if process.poll() is not None:
        return
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.kill()
    for child in family:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _written(log: Path, begin: int) -> str:
    with open(log, "rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "no output yet")[:LONGEST_LINE]

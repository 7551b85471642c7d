"""What each step does for the launcher: events, a log, and the reason on one line if it fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

PROGRESS_S = 4.0  # between two signs of life of what takes long
# uv's own are 30 s and 3 more tries: two minutes; a user's own settings win
HTTP_TIMEOUTS = {"UV_HTTP_CONNECT_TIMEOUT": "5", "UV_HTTP_TIMEOUT": "15"}
LONGEST_REASON = 600  # characters
# how uv begins an error's first line, today and before 0.13
ERROR = re.compile(r"error:|\s*\u00d7 ")
MARK = re.compile(r"\s*(error:|cause:|\u00d7|[\u251c\u2570]\u2500\u25b6) ")
HINT = "hint:"
OBVIOUS = ("error sending request for url", "client error (", "I/O operation failed")


class Failed(Exception):
    """Says to the launcher what failed."""


def emit(event: str, **fields: object) -> None:
    """Tell the launcher of an event: one line of JSON on standard output."""
    print(json.dumps({"event": event, **fields}), flush=True)


def log_file(root: Path) -> Path:
    """Return the path of the log, in a folder that exists."""
    path = root / "log" / "environment.log"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def run(root: Path, doing: str, command: list[str | Path], **environment: str) -> None:
    """Run a command, its output in the log, with a sign of life every PROGRESS_S.

    `doing` says what the command does: Failed says that, and the command's reason.
    """
    path, started = log_file(root), time.monotonic()
    words = [str(part) for part in command]
    with open(path, "ab") as log:
        log.write(f"$ {' '.join(words)}\n".encode())
        log.flush()
        begin = log.tell()
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**HTTP_TIMEOUTS, **os.environ, "NO_COLOR": "1", **environment},
        )
    while True:
        try:
            status = process.wait(PROGRESS_S)
            break
        except subprocess.TimeoutExpired:
            seconds = round(time.monotonic() - started, 1)
            emit("progress", doing=doing, detail=last_line(output(path, begin)), seconds=seconds)
    if status:
        why = reason(output(path, begin)) or f"{Path(words[0]).name} ended with {status}"
        raise Failed(f"{doing} failed: {why}")


def output(log: Path, begin: int) -> str:
    """Return what a command has written to the log, which began at the byte `begin`."""
    with open(log, "rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace")


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "")[:LONGEST_REASON]


def reason(text: str) -> str:
    """Return on one line why uv failed: its last error, what it names as causes, and what it says
    of an index. Of a package that doesn't build, the last line of the compiler's own words is
    taken instead of the causes."""
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if ERROR.match(line)]
    if not starts:
        return last_line(text)
    error = lines[starts[-1] :]
    hints = [line[len(HINT) :].strip() for line in error if line.startswith(HINT)]
    end = next((n for n, line in enumerate(error) if line.startswith(HINT)), len(error))
    parts: list[str] = []
    for line in filter(str.strip, error[:end]):
        said = MARK.sub("", line).strip().rstrip(":")
        if "[stderr]" in parts or MARK.match(line) or said == "[stderr]":
            parts.append(said)
        else:  # uv has broken a long line
            parts[-1] += f" {said}"
    if "[stderr]" in parts:
        parts = [parts[0], parts[-1]]
    parts = [part for part in parts if not part.startswith(OBVIOUS)]
    parts += [hint for hint in hints if "index" in hint]
    return ": ".join(parts)[:LONGEST_REASON]

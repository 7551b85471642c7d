"""The logs of a machine's processes: their ends, and what is added. Linux, standard library.

Times are those that the lines begin with, which are by this machine's clock and time zone.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from .work_dir import WorkDir, emit, hung_up, read_json, tail

LOOK_S = 0.25
PIECE_BYTES = 1 << 16
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")  # of our lines, and of ipyparallel's


def logs_command(args: argparse.Namespace) -> int:
    """`vm_agent.py logs`: an event for each log of the set, of one of its engines, or of the
    controller and its guard: {"event": "log", "name", "text"}, with the log's end.

    With --since-s only the lines of the last seconds. With --follow further events, each with whole
    lines that were added, until standard input ends. Exit status 1 if there is no such engine.
    """
    work = WorkDir(args.dir)
    pattern = r"(guard|ipcontroller)\.log"
    if args.set:
        pattern = rf"ipengine-{re.escape(args.set)}-\d+\.log|supervisor-{re.escape(args.set)}\.log"
    if args.engine is not None:
        engines = read_json(work.set_file(args.set)).get("engines", [])
        indices = [engine["index"] for engine in engines if engine["id"] == args.engine]
        if not indices:
            emit("failed", reason=f"there is no engine {args.engine} on this machine")
            return 1
        pattern = rf"ipengine-{re.escape(args.set)}-{indices[0]}\.log"
    ends: dict[Path, int] = {}
    for log in _logs(work, pattern):
        ends[log] = _size(log)
        text = tail(log, args.max_bytes)
        if args.since_s is not None:
            text = since(text, time.time() - args.since_s, _changed(log))
        emit("log", name=log.name, text=text)
    while args.follow and not hung_up(LOOK_S):
        _tell_more(_logs(work, pattern), ends)
    return 0


def _logs(work: WorkDir, pattern: str) -> list[Path]:
    return [log for log in sorted(work.log.glob("*.log")) if re.fullmatch(pattern, log.name)]


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except OSError:
        return 0


def _changed(log: Path) -> float:
    try:
        return log.stat().st_mtime
    except OSError:
        return 0.0


def since(text: str, start_s: float, changed_s: float) -> str:
    """Return the lines of a log from `start_s` on, in seconds since 1970: the first line whose time
    is not before that, and all that follow.

    A log without times, as its format was changed, is shown as a whole if it was changed since.
    """
    start = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(start_s))
    lines = text.splitlines(keepends=True)
    times = [found[0] if (found := TIME.match(line)) else "" for line in lines]
    if not any(times):
        return text if changed_s >= start_s else ""
    for number, at in enumerate(times):
        if at >= start:
            return "".join(lines[number:])
    return ""


def _tell_more(logs: Iterable[Path], ends: dict[Path, int]) -> None:
    """Emit what was added to the logs behind `ends`, which move on; a log that has become shorter
    was begun anew."""
    for log in logs:
        end, size = ends.get(log, 0), _size(log)
        if size < end:
            end = 0
        if size > end and (data := _whole_lines(log, end, size)):
            emit("log", name=log.name, text=data.decode(errors="replace"))
            end += len(data)
        ends[log] = end


def _whole_lines(log: Path, start: int, end: int) -> bytes:
    """Return what a log has there up to the last end of a line; without one only if it is long."""
    try:
        with open(log, "rb") as file:
            file.seek(start)
            data = os.read(file.fileno(), min(PIECE_BYTES, end - start))
    except OSError:
        return b""
    last = data.rfind(b"\n") + 1
    return data[:last] if last or len(data) < PIECE_BYTES else data

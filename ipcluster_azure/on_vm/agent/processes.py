"""Processes of a machine, known by (pid, create_time): a pid alone may have been given to another.

Runs on the machines. Linux, standard library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

Json = dict[str, Any]
POLL_S = 0.05


class ProcStat(NamedTuple):
    parent: int
    group: int
    create_time: int
    stopped: bool  # by a signal


def proc_stat(pid: int) -> ProcStat | None:
    """Read /proc/PID/stat (proc(5)); None when there is no such process or it is a zombie.

    create_time is in clock ticks since boot. psutil's is in seconds since 1970 and moves with the
    clock, which cloud machines set a while after booting.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    state, parent, group, *_ = fields
    if state in b"ZX":
        return None
    return ProcStat(int(parent), int(group), int(fields[19]), stopped=state == b"T")


def identify(pid: int) -> Json:
    """Return what makes a running process known for good: its pid and create_time."""
    stat = proc_stat(pid)
    return {"pid": pid, "create_time": stat.create_time if stat else None}


def is_alive(process: Json) -> bool:
    """Return whether the process that `identify` described still runs."""
    stat = proc_stat(process.get("pid") or 0)
    return stat is not None and stat.create_time == process["create_time"]


class Stopped:
    """Processes that a signal has stopped: who is found so twice in a row is made to go on."""

    def __init__(self) -> None:
        self._found: set[int] = set()

    def go_on(self, pids: Iterable[int]) -> list[int]:
        """Look at these processes; returns those that were made to go on."""
        found = {pid for pid in pids if (stat := proc_stat(pid)) and stat.stopped}
        again, self._found = found & self._found, found
        for pid in again:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        return sorted(again)


def all_processes() -> dict[int, ProcStat]:
    """Return the live processes of this machine by their pids."""
    stats = {int(name): proc_stat(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    return {pid: stat for pid, stat in stats.items() if stat is not None}


def group_members(leaders: list[Json]) -> list[int]:
    """Return the pids of the live processes in the groups that `leaders` lead, or led.

    A group outlives its leader; while it does, the kernel doesn't give out the leader's pid again.
    """
    stats = all_processes()
    oldest = {}
    for leader in leaders:
        stat = stats.get(leader["pid"])
        if stat is None or stat.create_time == leader["create_time"]:
            oldest[leader["pid"]] = leader["create_time"] or 0
    return [
        pid
        for pid, stat in stats.items()
        if stat.group in oldest and stat.create_time >= oldest[stat.group]
    ]


def end_processes(leaders: list[Json], grace_s: float) -> list[int]:
    """Send SIGTERM to each leader, then SIGKILL to what is left of their groups after `grace_s`.

    Returns the pids that were killed.
    """
    send_signal(leaders, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while (left := group_members(leaders)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left


def send_signal(processes: list[Json], number: int) -> list[int]:
    """Send a signal to those of the processes that run; returns their pids."""
    pids = []
    for process in filter(is_alive, processes):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process["pid"], number)
            pids.append(process["pid"])
    return pids


def parse_signal(text: str) -> int:
    """Return the number of a signal given as a number, as "SIGINT" or as "INT".

    Raises ValueError for other names.
    """
    if text.lstrip("-").isdigit():
        return int(text)
    name = text.upper()
    try:
        return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]
    except KeyError:
        raise ValueError(f"no such signal: {text}") from None

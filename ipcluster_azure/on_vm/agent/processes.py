"""Processes of a machine, known by (pid, create_time): a pid alone may have been given to another.

Runs on the machines. Linux, standard library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple

Json = dict[str, Any]
POLL_S = 0.05


class ProcStat(NamedTuple):
    group: int
    create_time: int


def proc_stat(pid: int) -> ProcStat | None:
    """Read /proc/PID/stat (proc(5)); None when there is no such process or it is a zombie.

    create_time is in clock ticks since boot. psutil's is in seconds since 1970 and moves with the
    clock, which cloud machines set a while after booting.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in b"ZX" else ProcStat(int(fields[2]), int(fields[19]))


def identify(pid: int) -> Json:
    """Return what makes a running process known for good: its pid and create_time."""
    stat = proc_stat(pid)
    return {"pid": pid, "create_time": stat.create_time if stat else None}


def is_alive(process: Json) -> bool:
    """Return whether the process that `identify` described still runs."""
    stat = proc_stat(process.get("pid") or 0)
    return stat is not None and stat.create_time == process["create_time"]


def group_members(leaders: list[Json]) -> list[int]:
    """Return the pids of the live processes in the groups that `leaders` lead, or led.

    A group outlives its leader; while it does, the kernel doesn't give out the leader's pid again.
    """
    stats = {int(name): proc_stat(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    oldest = {}
    for leader in leaders:
        stat = stats.get(leader["pid"])
        if stat is None or stat.create_time == leader["create_time"]:
            oldest[leader["pid"]] = leader["create_time"] or 0
    return [
        pid
        for pid, stat in stats.items()
        if stat and stat.group in oldest and stat.create_time >= oldest[stat.group]
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

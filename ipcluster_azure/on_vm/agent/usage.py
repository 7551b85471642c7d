"""What a machine and single processes use, as /proc tells. Linux, standard library.

Processor time is a difference between two readings: the first says nothing of it.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

Json = dict[str, Any]
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
KIB = 1024
IDLE, IOWAIT = 3, 4  # fields of "cpu" in /proc/stat, see proc(5)
GUEST = 8  # from here on the fields are in others already
# of /proc/PID/stat behind the name: what it has used itself, and children that it has waited for
PROCESSOR_FIELDS = slice(11, 15)


class Usage:
    """Each reading is about the time since the one before."""

    def __init__(self) -> None:
        self._machine = (0, 0)
        self._processes: dict[int, tuple[float, int]] = {}

    def of_machine(self) -> Json:
        """Return `cpus`, `cpu_percent` (100: all of them are busy), `memory_bytes` in use and
        `memory_total_bytes`; of what can't be known, None."""
        busy, total = _machine_ticks()
        busy_before, total_before = self._machine
        self._machine = busy, total
        passed = total - total_before
        known = total_before > 0 and passed > 0
        percent = round(100 * (busy - busy_before) / passed, 1) if known else None
        return {"cpus": os.cpu_count(), "cpu_percent": percent, **_machine_memory()}

    def of_process(self, pid: int) -> tuple[float | None, int | None]:
        """Return how busy a process is, in percent of one processor, and its resident memory in
        bytes; of what can't be known, None."""
        now, ticks = time.monotonic(), _process_ticks(pid)
        if ticks is None:
            self._processes.pop(pid, None)
            return None, None
        then, before = self._processes.get(pid, (now, ticks))
        self._processes[pid] = now, ticks
        percent = None
        if now > then and ticks >= before:  # else the pid has been given to another
            percent = round(100 * (ticks - before) / TICKS_PER_S / (now - then), 1)
        return percent, _process_memory(pid)


def _machine_ticks() -> tuple[int, int]:
    """Return how long all processors were busy, and how long they have been there."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open("/proc/stat", "rb") as file:
            fields = [int(field) for field in file.readline().split()[1:][:GUEST]]
        total = sum(fields)
        return total - fields[IDLE] - fields[IOWAIT], total
    return 0, 0


def _machine_memory() -> Json:
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
        lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
        found = {words[0]: int(words[1]) * KIB for words in lines}
        total = found["MemTotal:"]
        return {"memory_bytes": total - found["MemAvailable:"], "memory_total_bytes": total}
    return {"memory_bytes": None, "memory_total_bytes": None}


def _process_ticks(pid: int) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return sum(map(int, fields[PROCESSOR_FIELDS]))
    return None


def _process_memory(pid: int) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE_BYTES
    return None

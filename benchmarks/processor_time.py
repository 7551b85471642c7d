"""The processor time of all processes that are started meanwhile, by command line. Linux only."""

from __future__ import annotations

import ctypes
import os
import resource
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

SAMPLE_S = 0.02
ENDED_S = 30.0
TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Seen:
    """What was last seen of a process."""

    parent: int
    cpu_s: float = 0.0
    words: str = ""


class Watch:
    """Counts what descendants of this process, and of the emulator, use until the last has ended.

    The emulator's own time isn't counted. Orphans become children of this process, which waits for
    them: so `total_s` is exact.
    """

    def __init__(self, emulator_pid: int) -> None:
        self._emulator_pid, self._own = emulator_pid, {os.getpid(), emulator_pid}
        self._foreign = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        self._seen: dict[int, Seen] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample_on)
        self.total_s = 0.0

    @property
    def by_command(self) -> list[tuple[str, float]]:
        return [(seen.words, seen.cpu_s) for seen in self._seen.values()]

    def __enter__(self) -> Watch:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._before_s = self._used_s()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        deadline = time.monotonic() + ENDED_S
        while error is None and self._alive():
            if time.monotonic() > deadline:
                left = [self._seen[pid].words for pid in self._alive()]
                raise SystemExit(f"These processes have not ended: {left}")
            time.sleep(SAMPLE_S)
        self._ended.set()
        self._thread.join()
        self.total_s = self._used_s() - self._before_s

    def _alive(self) -> list[int]:
        """Return which processes still run, or have not been waited for."""
        return [pid for pid in list(self._seen) if Path(f"/proc/{pid}").exists()]

    def _used_s(self) -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        fields = _stat(self._emulator_pid)
        return children.ru_utime + children.ru_stime + (int(fields[13]) + int(fields[14])) / TICKS

    def _sample_on(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
                with suppress(OSError, IndexError):
                    self._sample(pid)

    def _sample(self, pid: int) -> None:
        if pid in self._foreign:
            return
        fields = _stat(pid)
        if pid not in self._seen:
            parent = int(fields[1])
            if parent not in self._own and parent not in self._seen:
                self._foreign.add(pid)
                return
            self._seen[pid] = Seen(parent)
        seen = self._seen[pid]
        if int(fields[1]) == os.getpid() != seen.parent:  # an orphan, that nobody else waits for
            os.waitpid(pid, os.WNOHANG)
        seen.cpu_s = max(seen.cpu_s, (int(fields[11]) + int(fields[12])) / TICKS)
        if words := Path(f"/proc/{pid}/cmdline").read_bytes():
            seen.words = words.replace(b"\0", b" ").decode(errors="replace")


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on: the name before may have blanks."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()

"""When a cluster has lived long enough, or has been idle for long enough. Linux, standard library.

Azure's clock counts, as the metadata service tells it. Clocks of machines jump: they are set some
time after the boot, by whoever is asked for the time. So in between, and where there is no such
service, durations are counted by the clock that only ever goes on, CLOCK_BOOTTIME, and the wall
clock is asked only how long a machine was off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .hub import Load

Json = dict[str, Any]
FIRST_ENGINES_S = 1800.0  # that a cluster without engines may take to get some
TOLERANCE_S = (
    2.0  # of Azure's time, which it tells in whole seconds and which takes a while to come
)


def boottime_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Lifetime:
    """How long the cluster has existed.

    `age_s`: how long it had at the guard's first start, as the launcher has heard from Azure.
    `saved`: what to_save() gave an earlier guard on this machine, or nothing.
    """

    def __init__(self, age_s: float, saved: Json) -> None:
        self._since_s = boottime_s()
        if saved:
            age_s = float(saved["age_s"])
            if saved["boot_id"] == boot_id():
                age_s += self._since_s - float(saved["boottime_s"])
            else:  # at least since the boot
                age_s += max(self._since_s, time.time() - float(saved["wall_s"]))
        self._age_s = age_s

    def age_s(self) -> float:
        return self._age_s + boottime_s() - self._since_s

    def correct(self, age_s: float) -> float:
        """Go on from the age by Azure's clock, unless that is about what we know, or absurd; return
        by how much that is more."""
        ahead_s = age_s - self.age_s()
        if age_s < 0 or abs(ahead_s) <= TOLERANCE_S:
            return 0.0
        self._age_s, self._since_s = age_s, boottime_s()
        return ahead_s

    def to_save(self) -> Json:
        return {
            "age_s": self.age_s(),
            "boot_id": boot_id(),
            "boottime_s": boottime_s(),
            "wall_s": time.time(),
        }


@dataclass
class Idleness:
    """How long nothing has been computed.

    A waiting or running task is work, however long it takes; so is an engine more than there ever
    were, as when the first ones register. `now_s` is the clock that counts: Lifetime.age_s.
    """

    now_s: Callable[[], float]
    active_at: float = field(init=False)
    most_engines: int = 0
    completed: int = 0
    done: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.active_at = self.now_s()

    def note_load(self, load: Load) -> None:
        """Note what the hub knows: it counts tasks that wait for an engine, but no broadcasts."""
        more = len(load.engines) > self.most_engines
        self._note(more or load.unfinished > 0 or load.completed != self.completed)
        self.most_engines = max(self.most_engines, len(load.engines))
        self.completed = load.completed

    def note_tasks(self, machine: str, begun: int, done: int) -> None:
        """Note how many tasks a machine's engines have begun and done, whoever sent them."""
        self._note(begun != done or done != self.done.get(machine, 0))
        self.done[machine] = done

    def _note(self, active: bool) -> None:
        if active:
            self.active_at = self.now_s()

    def idle_s(self) -> float:
        return max(0.0, self.now_s() - self.active_at)

    def is_idle(self, timeout_s: float) -> bool:
        """Return whether nothing was computed for `timeout_s`; never if that is 0."""
        if not self.most_engines:
            timeout_s = timeout_s and max(timeout_s, FIRST_ENGINES_S)
        return 0 < timeout_s <= self.idle_s()

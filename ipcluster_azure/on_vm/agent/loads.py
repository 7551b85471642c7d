"""How busy the engines' machines are, as their beats tell the guard, and the guard's own. Linux."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .usage import Usage

Json = dict[str, Any]
MEASURE_S = 1.0  # the guard's own machine
RATE_S = 5.0  # over which tasks a second are counted
KEPT_S = 0.9  # between two moments that are kept: machines with starting engines beat more often


@dataclass
class _Machine:
    """`load` is what the last beat said; `moments`: the time of a beat and how many tasks each
    engine had done by then, from the newest back to RATE_S before it."""

    load: Json = field(default_factory=dict)
    moments: deque[tuple[float, dict[int, int]]] = field(default_factory=deque)


class Loads:
    """The load of each machine, by address. Times are by time.monotonic()."""

    def __init__(self) -> None:
        self._machines: dict[str, _Machine] = {}
        self._own, self._measured_at = Usage(), -MEASURE_S
        self._own_load: Json = {}

    def measure(self, now: float) -> None:
        """Look at the processors and the memory of this machine, once in a while."""
        if now - self._measured_at >= MEASURE_S:
            self._own_load, self._measured_at = self._own.of_machine(), now

    def note(self, address: str, load: Json, now: float) -> None:
        """Note a beat's `load` (Errands.beat): `engines` are lists of an engine's id, its tasks
        begun and done, its cpu_percent and memory_bytes."""
        machine = self._machines.setdefault(address, _Machine())
        machine.load = load
        moments = machine.moments
        if not moments or now - moments[-1][0] >= KEPT_S:
            moments.append((now, {engine[0]: engine[2] for engine in load.get("engines", ())}))
        while len(moments) > 2 and now - moments[1][0] >= RATE_S:
            moments.popleft()

    def forget(self, address: str) -> None:
        self._machines.pop(address, None)

    def beside(self, machines: dict[str, Json]) -> Json:
        """Return the load of this machine, the controller's, and what is known of others with
        their load."""
        others = {address: {**known, **self.shown(address)} for address, known in machines.items()}
        return {"controller": self._own_load, "machines": others}

    def shown(self, address: str) -> Json:
        """Return a machine's load, with what its engines do a second; empty if it told none."""
        machine = self._machines.get(address)
        if machine is None or not machine.load:
            return {}
        engines = [_engine(told, machine.moments) for told in machine.load.get("engines", ())]
        return {**machine.load, "engines": engines}


def _engine(told: Sequence[Any], moments: Sequence[tuple[float, dict[int, int]]]) -> Json:
    names = ("id", "begun", "done", "cpu_percent", "memory_bytes")
    engine = dict(zip(names, told, strict=True))
    since = next((moment for moment in moments if engine["id"] in moment[1]), None)
    rate = None
    if since is not None and moments[-1][0] > since[0]:
        done = moments[-1][1].get(engine["id"], 0) - since[1][engine["id"]]
        rate = round(max(0, done) / (moments[-1][0] - since[0]), 2)
    return {**engine, "done_per_s": rate}

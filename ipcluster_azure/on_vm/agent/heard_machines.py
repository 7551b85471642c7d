"""Which engines' machines are heard, and which engines of theirs nobody knows any more. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

SILENT_S = 2.5  # without a beat, of which there is one a second
SETTLED_S = 20.0  # after which the hub must know an engine


@dataclass
class Machine:
    """An engines' machine. `ids`: its engines, with the time when each was first heard of."""

    heard_at: float
    ids: dict[int, float] = field(default_factory=dict)
    silent: bool = False


@dataclass
class Roll:
    """Machines by address; `evicted`: addresses of those that Azure takes back; `unknown`: engines
    that live but that the hub has given up, as after a cut of the network. Times are monotonic."""

    machines: dict[str, Machine] = field(default_factory=dict)
    evicted: set[str] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, saved: dict[str, Any], now: float) -> Roll:
        """What shown() was kept of an earlier guard."""
        machines = {
            address: Machine(now, dict.fromkeys(machine["ids"], now), machine["silent"])
            for address, machine in saved.get("machines", {}).items()
        }
        return cls(machines, set(saved.get("evicted", [])))

    def shown(self) -> dict[str, Any]:
        machines = {
            address: {"ids": sorted(machine.ids), "silent": machine.silent}
            for address, machine in self.machines.items()
        }
        return {"machines": machines, "evicted": sorted(self.evicted)}

    def hear(
        self, address: str, ids: Iterable[int], *, evicted: bool, first: bool, now: float
    ) -> None:
        """A beat; `first`: of its connection. A line that breaks again and again is none, so of a
        known machine only the next one counts."""
        machine = self.machines.get(address)
        if machine is None:
            machine = self.machines[address] = Machine(now)
        elif first:
            return
        machine.silent, machine.heard_at = False, now
        machine.ids = {engine_id: machine.ids.get(engine_id, now) for engine_id in ids}
        if evicted:
            self.evicted.add(address)
        else:  # another machine has the address now
            self.evicted.discard(address)

    def leave(self, address: str, *, evicted: bool) -> None:
        """The last word of a machine whose engines have ended because they were asked to."""
        self.machines.pop(address, None)
        if evicted:
            self.evicted.add(address)

    def note_silence(self, now: float) -> None:
        for machine in self.machines.values():
            machine.silent |= now - machine.heard_at > SILENT_S

    def be_late(self, late_s: float) -> None:
        """We were kept from listening: that is nobody's silence."""
        for machine in self.machines.values():
            machine.heard_at += late_s

    def compare(self, known: set[int], now: float) -> None:
        """known: ids of the engines that the hub has."""
        reported = [item for machine in self.machines.values() for item in machine.ids.items()]
        self.unknown = {id_ for id_, since in reported if since < now - SETTLED_S} - known

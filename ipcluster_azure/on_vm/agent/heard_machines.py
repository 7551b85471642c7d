"""Which engines' machines are heard, and which engines of theirs nobody knows any more. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

SILENT_S = 2.5  # without a beat, of which there is one a second
SETTLED_S = 20.0  # after which the hub must know an engine


@dataclass
class Machine:
    """A machine of engines. `ids`: its engines, with the time when each was first heard of."""

    heard_at: float
    ids: dict[int, float] = field(default_factory=dict)
    silent: bool = False


@dataclass
class Roll:
    """The machines that are heard, by address.

    `evicted`: addresses of those that Azure takes back. `unknown`: engines that live but that the
    hub has given up, as after a cut of the network. Times are by time.monotonic().
    """

    machines: dict[str, Machine] = field(default_factory=dict)
    evicted: set[str] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, saved: dict[str, Any], now: float) -> Roll:
        """Go on from what shown() gave an earlier guard, which `saved` holds."""
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
        """Note a beat of the machine at `address`, with the `ids` of its engines.

        `first`: it is the first on its connection. A line that breaks again and again is none, so
        of a silent machine only the next beat counts.
        """
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
        """Note the last word of a machine whose engines have ended because they were asked to."""
        self.machines.pop(address, None)
        if evicted:
            self.evicted.add(address)

    def note_silence(self, now: float) -> None:
        for machine in self.machines.values():
            machine.silent |= now - machine.heard_at > SILENT_S

    def be_late(self, late_s: float) -> None:
        """Note that this process was kept from listening for so long: that is nobody's silence."""
        for machine in self.machines.values():
            machine.heard_at += late_s

    def compare(self, known: set[int], now: float) -> None:
        """Find the unknown engines: live ones that are not among `known`, the hub's ids."""
        reported = [item for machine in self.machines.values() for item in machine.ids.items()]
        self.unknown = {id_ for id_, since in reported if since < now - SETTLED_S} - known

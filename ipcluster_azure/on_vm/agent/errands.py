"""What a supervisor has its helpers do: talk to the hub, to the guard and to Azure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import eviction, heartbeat, hub
from .places import REGISTERED, STARTING
from .processes import Json
from .work_dir import read_json


@dataclass(frozen=True)
class Errands:
    """Each method may block, and runs in a process of its own (helpers.py).

    `hub` is the engines' connection file; `address` this machine's, empty if nobody wants to hear
    from it; `tally` what the engines have begun and done. `report` sends the supervisor an event.
    """

    hub: Json
    address: str
    set_file: Path
    tally: memoryview[int]
    report: Callable[..., None]

    def unregister(self, ids: list[int]) -> None:
        hub.unregister(self.hub, ids)

    def confirm_listed(self, ids: set[int]) -> None:
        hub.wait_until_listed(self.hub, ids)
        self.report("listed")

    def beat(self) -> None:
        """For ever."""

        def state() -> Json:
            now = read_json(self.set_file)
            ids = [e["id"] for e in now["engines"] if e["state"] == REGISTERED]
            starting = any(e["state"] == STARTING for e in now["engines"])
            work = {"begun": sum(self.tally[::2]), "done": sum(self.tally[1::2])}
            about = {"machine": self.address, "ids": ids, "starting": starting}
            return {**about, "evicted": now["evicted"], **work}

        def on_unknown(ids: list[int]) -> None:
            self.report("unknown", ids)

        heartbeat.keep_beating(self.hub, state, on_unknown)

    def bye(self, evicted: bool) -> None:
        heartbeat.tell(self.hub, {"machine": self.address, "bye": True, "evicted": evicted})

    def watch_for_eviction(self) -> None:
        """For ever, on a Spot machine."""
        if event := eviction.wait_for_eviction():
            self.report("evicted", *event)

    def approve(self, event_id: str) -> None:
        eviction.approve(event_id)

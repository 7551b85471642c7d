"""What a supervisor leaves to helper processes: talking to the hub, to the guard and to Azure."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import eviction, heartbeat, hub
from .places import REGISTERED, STARTING
from .processes import Json, Stopped
from .usage import Usage
from .work_dir import read_json


@dataclass(frozen=True)
class Errands:
    """Each method may block, and runs in a process of its own (helpers.py).

    `hub` is the content of the engines' connection file. `address` is this machine's, empty if the
    cluster has no guard. `set_file` is the set's state file. `tally` is how many tasks each engine
    has begun and done (forked_engines.py). `report` sends the supervisor an event.
    """

    hub: Json
    address: str
    set_file: Path
    tally: memoryview[int]
    report: Callable[..., None]

    def unregister(self, ids: list[int]) -> None:
        """Tell the hub that these engines have ended."""
        hub.unregister(self.hub, ids)

    def confirm_listed(self, ids: set[int]) -> None:
        """Report "listed" once the hub lists these engines to clients."""
        hub.wait_until_listed(self.hub, ids)
        self.report("listed")

    def beat(self) -> None:
        """Tell the guard once a second how this machine is, for ever; have a supervisor that was
        stopped go on."""

        stopped, usage = Stopped(), Usage()

        def state() -> Json:
            stopped.go_on([os.getppid()])
            now = read_json(self.set_file)
            ids = [e["id"] for e in now["engines"] if e["state"] == REGISTERED]
            starting = any(e["state"] == STARTING for e in now["engines"])
            work = {"begun": sum(self.tally[::2]), "done": sum(self.tally[1::2])}
            about = {"machine": self.address, "ids": ids, "starting": starting}
            load = {**usage.of_machine(), "engines": self._engines(now, usage)}
            return {**about, "evicted": now["evicted"], **work, "load": load}

        def on_unknown(ids: list[int]) -> None:
            self.report("unknown", ids)

        heartbeat.keep_beating(self.hub, state, on_unknown)

    def _engines(self, now: Json, usage: Usage) -> list[list[Any]]:
        """Return what a beat says of each engine that clients can see: Loads.note."""
        return [
            [e["id"], *self.tally[2 * e["index"] : 2 * e["index"] + 2], *usage.of_process(e["pid"])]
            for e in now["engines"]
            if e["state"] == REGISTERED
        ]

    def bye(self, evicted: bool) -> None:
        """Tell the guard that no engine is left here; `evicted`: as Azure takes the machine."""
        heartbeat.tell(self.hub, {"machine": self.address, "bye": True, "evicted": evicted})

    def watch_for_eviction(self) -> None:
        """Report "evicted" when Azure says that it takes this machine; returns at once unless it
        is a Spot machine."""
        if event := eviction.wait_for_eviction():
            self.report("evicted", *event)

    def approve(self, event_id: str) -> None:
        """Tell Azure that it need not wait any longer before it takes the machine."""
        eviction.approve(event_id)

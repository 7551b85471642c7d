"""The processes of a set's engines, forked from the supervisor. Linux; needs ipyparallel."""

from __future__ import annotations

import argparse
import mmap
import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from .engine import EngineOrder, become_engine
from .helpers import fork
from .places import STARTING, Place
from .processes import Json, identify, send_signal
from .work_dir import WorkDir


@dataclass
class ForkedEngines:
    """Forks the engines of a set into their places, and signals them.

    `args` are the supervisor's, `hub` the content of their engine file. `report` is called in the
    engines' processes, with their index, state and id; `tell` with their index and a fault in their
    preparation (see EngineOrder).
    `watched`: the signals that the supervisor handles. `evicted`: an eventfd that all engines see.
    `tally`: for each engine two numbers in a file that is shared memory, how many tasks it has
    begun and done.
    """

    work: WorkDir
    args: argparse.Namespace
    hub: Json
    places: list[Place]
    watched: Collection[int]
    report: Callable[[int, str, int], None]
    tell: Callable[[int, str], None]
    evicted: int = field(default_factory=lambda: os.eventfd(0))
    tally: memoryview[int] = field(init=False)

    def __post_init__(self) -> None:
        size = 16 * len(self.places)
        with open(self.work.tally_file(self.args.set), "w+b") as file:
            file.truncate(size)
            self.tally = memoryview(mmap.mmap(file.fileno(), size)).cast("Q")

    def start(self, place: Place) -> None:
        """Fork the next engine of this place."""
        if place.restarts == 0:
            Path(place.log).unlink(missing_ok=True)  # of an earlier set of this name
        place.id, place.state, place.faults = None, STARTING, []
        place.leaving = place.starts_anew = False
        place.started_at = time.monotonic()
        tally = self._tally_of(place)
        tally[0] = tally[1]  # nothing runs there now
        # the child leaves through SystemExit, so that its interpreter ends as an engine's does
        place.pid = fork(lambda: become_engine(self._order_for(place)), self.watched)
        place.create_time = identify(place.pid)["create_time"]

    def _order_for(self, place: Place) -> EngineOrder:
        return EngineOrder(
            index=place.index,
            count=len(self.places),
            log=place.log,
            profile_dir=str(self.work.profile),
            home=str(self.work.home),
            engine_file=self.args.engine_file,
            timeout_s=self.args.timeout_s,
            args=self.args.extra,
            evicted=self.evicted,
            tally=self._tally_of(place),
            report=lambda state, engine_id: self.report(place.index, state, engine_id),
            tell=lambda text: self.tell(place.index, text),
            hub=self.hub,
            address=self.args.address,
        )

    def _tally_of(self, place: Place) -> memoryview[int]:
        return self.tally[2 * place.index : 2 * place.index + 2]

    def signal_all(self, number: int) -> None:
        """Send a signal to each engine. A dead one's zombie keeps its pid until it is reaped."""
        send_signal([place.shown() for place in self.places], number)

    def announce_eviction(self) -> None:
        """Let all engines see that the machine will be taken away."""
        os.eventfd_write(self.evicted, 1)

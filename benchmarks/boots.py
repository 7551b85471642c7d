"""How long each machine of an emulator took to boot, seen from outside while others use it.

A machine boots from the moment Azure has accepted it, which is its `timeCreated`, until it answers,
which is when the emulator makes its directory.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from azure_emulator.http_client import EmulatorError

from .clusters import Home

LOOK_S = 0.05
LIST_S = 2.0
COMPUTE = "/providers/Microsoft.Compute/virtualMachines"


@dataclass
class Boots:
    """Seconds since 1970, by the machine's id."""

    accepted: dict[str, float] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)

    def longest_s(self) -> float:
        return max(
            self.answered[vm] - self.accepted[vm] for vm in self.answered.keys() & self.accepted
        )

    def look(self, folder: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(folder):
                self.answered.setdefault(name, time.time())

    def list(self, place: Home) -> None:
        for vm in place.arm(COMPUTE)["value"]:
            created = datetime.fromisoformat(vm["properties"]["timeCreated"][:26] + "+00:00")
            self.accepted[vm["properties"]["vmId"]] = created.timestamp()


@contextlib.contextmanager
def watched(place: Home) -> Iterator[Boots]:
    """The boots of all machines made within the block."""
    boots, over = Boots(), threading.Event()
    folder = Path(place.emulator.state_dir, "machines")

    def watch() -> None:
        listed = 0.0
        while not over.wait(LOOK_S):
            boots.look(folder)
            if time.monotonic() - listed > LIST_S:
                listed = time.monotonic()
                with contextlib.suppress(EmulatorError):
                    boots.list(place)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield boots
    finally:
        over.set()
        thread.join()

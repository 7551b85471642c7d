"""A place for an engine on a machine: who is in it, and when the next one comes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LONGEST_PAUSE_S = 30.0  # before an engine is started again
FORGOTTEN_AFTER_S = 300.0  # of life; then an earlier death counts no more

STARTING, REGISTERED, RESTARTING, EXITED = "starting", "registered", "restarting", "exited"
SHOWN = "index pid create_time id state exit_code log restarts faults".split()


@dataclass
class Place:
    """The place of one engine after the other; `pid`, `id` and so on are the last one's.

    Moments (`started_at`, `due_at`) are by time.monotonic().
    """

    index: int
    log: str
    state: str = STARTING
    pid: int | None = None
    create_time: int | None = None
    id: int | None = None
    exit_code: int | None = None
    restarts: int = 0
    started_at: float = 0.0
    due_at: float = 0.0
    deaths: int = 0
    was_registered: bool = False
    faults: list[str] = field(default_factory=list)  # in what prepares the engine
    leaving: bool = False
    starts_anew: bool = False  # as the supervisor was asked to, so it is no death

    def shown(self) -> dict[str, Any]:
        """Return what the set's state file says of this place."""
        return {name: getattr(self, name) for name in SHOWN}

    def pause_s(self, now: float) -> float:
        """Count a death, and return the pause before the next start: 0, 1, 2, 4 ... s, from 0
        again after a long life."""
        if self.starts_anew:
            return 0.0
        if now - self.started_at > FORGOTTEN_AFTER_S:
            self.deaths = 0
        self.deaths += 1
        if self.deaths == 1:
            return 0.0
        return min(LONGEST_PAUSE_S, 2.0 ** min(self.deaths - 2, 10))

"""Tells the log of a launcher how engines join that its start did not wait for."""

import time
from typing import Any

from ..progress import REPEAT_S
from ..record.contents import Record


class JoinNews:
    """What is told of one engine set, as its record changes. Says nothing of what it finds first.

    It runs in the thread of the launcher's poller (stop_events.py).
    """

    def __init__(self, log: Any, set_id: str) -> None:
        self._log, self._set_id = log, set_id
        self._left, self._problem = 0, ""
        self._began = self._said_at = time.monotonic()

    def hear(self, record: Record | None) -> None:
        """Compare the record with what was said before, and say what is new."""
        engine_set = record.engine_sets.get(self._set_id) if record is not None else None
        if record is None or record.deleting or engine_set is None:
            return
        left, problem, n = engine_set.yet_to_join, engine_set.joining.problem, engine_set.n
        now = time.monotonic()
        if left > self._left:
            self._began = self._said_at = now
        elif left and (left == self._left or now - self._said_at < REPEAT_S):
            return
        elif problem and problem != self._problem:
            self._log.warning("%s", problem)
        elif left < self._left or (self._problem and not problem):
            self._said_at = now
            self._log.info(
                "%d of %d engines are registered, %.0f s after the start",
                n - left - engine_set.lost_engines,
                n,
                now - self._began,
            )
        self._left, self._problem = left, problem

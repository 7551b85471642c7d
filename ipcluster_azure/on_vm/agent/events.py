"""A supervisor's events: what engines, helpers and its own signal handlers have to say."""

from __future__ import annotations

import json
import os
import select
from collections.abc import Iterator
from typing import Any


class Events:
    """JSON lists, one a line, in one pipe that all forked processes share."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self._unread = b""

    def report(self, *event: object) -> None:
        """Send an event, its kind first, from any of the processes."""
        os.write(self._writing, json.dumps(event).encode() + b"\n")

    def read(self, timeout_s: float | None) -> Iterator[list[Any]]:
        """Yield the events so far, after waiting for one up to `timeout_s` (None: for ever)."""
        if not select.select([self._reading], [], [], timeout_s)[0]:
            return
        *lines, self._unread = (self._unread + os.read(self._reading, 1 << 16)).split(b"\n")
        for line in lines:
            yield json.loads(line)

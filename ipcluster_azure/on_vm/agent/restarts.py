"""What a supervisor is asked to start anew, and how far that is. Linux, standard library.

engine_set_restart.py asks, by a file and a signal. Who ended engines from outside would leave it to
chance whether their supervisor takes that for deaths, and whom it puts in their places.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from .places import REGISTERED, STARTING, Place
from .processes import Json, send_signal
from .work_dir import WorkDir, read_json


class Restarts:
    """The last request to the supervisor of a set.

    A supervisor that has begun anew finds its own state file, and goes on with the request.
    `shown` is what the file says of it; `of_supervisor`: it is to begin anew itself.
    """

    def __init__(self, work: WorkDir, set_id: str) -> None:
        self._file = work.restart_file(set_id)
        before = read_json(work.set_file(set_id))
        self.has_begun_anew = before.get("supervisor", {}).get("pid") == os.getpid()
        self.shown: Json = {}
        if self.has_begun_anew:
            self.shown = before["restart"] | {"pending": False}
        self.of_supervisor = False

    def take(self, places: Sequence[Place]) -> None:
        """Take the request that waits, if there is one, and end the engines that it is about."""
        request = read_json(self._file)
        if not request:
            return
        self._file.unlink()
        asked, running = request["engines"], [p for p in places if p.pid is not None]
        if asked is None:
            self.of_supervisor = True
            asked = [place.shown() for place in running if place.id is not None]
        else:
            pids = {engine["pid"] for engine in asked}
            running = [p for p in running if p.pid in pids and p.state in (STARTING, REGISTERED)]
        for place in running:
            place.starts_anew = True
        send_signal([place.shown() for place in running], signal.SIGKILL)
        replaced = [{key: engine[key] for key in ("index", "id", "pid")} for engine in asked]
        self.shown = {
            "request": request["request"],
            "replaced": replaced,
            "pending": self.of_supervisor,
        }


def become_another() -> NoReturn:
    """Begin anew as a process that has loaded nothing yet, with the pid and words of this one."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a request waits in its file
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606

"""Sees that ipcontroller has ended, or a part of it. Linux, standard library.

It consists of ten processes, its schedulers among them, and does not notice when one of them is
killed: tasks would just never come back. So then all of it is ended, which clients are told of.
"""

from __future__ import annotations

from .processes import Json, ProcStat, Stopped, all_processes, end_processes, is_alive
from .work_dir import WorkDir, read_json, say, tail

LOOK_S = 1.0  # at its parts: all processes of the machine are looked at for that
SETTLED_LOOKS = 3  # after which a process belongs to it; it runs other programs while it starts


class ControllerWatch:
    """Watches the controller of a work directory. `news`: "alive", and once it isn't, its log."""

    def __init__(self, work: WorkDir) -> None:
        self._work = work
        self.news: Json = {"alive": True}
        self._looks: dict[tuple[int, int], int] = {}  # by pid and create_time
        self._looked_at = 0.0
        self._stopped = Stopped()
        self._why = ""

    def look(self, now: float) -> None:
        """Bring the news up to date; `now` is by time.monotonic()."""
        record = read_json(self._work.controller_file)
        if record and self.news["alive"] and now - self._looked_at >= LOOK_S:
            self._looked_at = now
            self._look_at_parts(record)
        alive = is_alive(record)
        if alive == self.news["alive"]:
            return
        self.news = {"alive": alive}
        if not alive:
            log = record.get("log", "")
            self.news |= {"log": log, "log_tail": tail(log) + self._why}
            say("ipcontroller has ended")

    def _look_at_parts(self, record: Json) -> None:
        members = {
            (pid, stat.create_time): stat
            for pid, stat in all_processes().items()
            if stat.group == record["pid"]
        }
        self._end_if_incomplete(record, members)
        self._looks = {member: self._looks.get(member, 0) + 1 for member in members}
        for pid in self._stopped.go_on(pid for pid, _ in members):
            say(f"process {pid} of ipcontroller was stopped; it goes on")

    def _end_if_incomplete(self, record: Json, members: dict[tuple[int, int], ProcStat]) -> None:
        parts = {part for part, looks in self._looks.items() if looks >= SETTLED_LOOKS}
        gone = sorted(pid for pid, _ in parts - members.keys())
        if gone and is_alive(record):
            self._why = f"\nProcess {gone[0]} of ipcontroller has ended, so all of it was ended.\n"
            say(self._why.strip())
            end_processes([record], grace_s=0)

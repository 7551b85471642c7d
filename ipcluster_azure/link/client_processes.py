"""Whose connection is whose: requests name their process, and the system knows its connections."""

import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from .tunnel_ends import ClientEnd

Route = tuple[int, int]  # the client's port, ours; its own alone may lead to several of ours
PROCESS = re.compile(r"[^_]+_(\d+)_\d+")  # of a message id, as Jupyter's Session makes them


def process_of(msg_id: str) -> int | None:
    """Return the pid of the process that made this id; None if it can't be told."""
    found = PROCESS.match(msg_id)
    return int(found[1]) if found else None


def session_of(msg_id: str) -> str:
    """Return what all ids of one client begin with."""
    return msg_id.partition("_")[0]


class Connections:
    """Clients' connections at one moment; each process is looked up once."""

    def __init__(self, ends: "Iterable[ClientEnd]") -> None:
        self._ends = list(ends)
        self._routes: dict[int, set[Route] | None] = {}
        self._found: dict[tuple[int | None, str], list[ClientEnd]] = {}

    def of(self, pid: int | None, channel: str) -> "list[ClientEnd]":
        """Return those of a process to a channel; those of all if that can't be known."""
        if (pid, channel) not in self._found:
            routes = self._routes_of(pid)
            self._found[pid, channel] = [
                end
                for end in self._ends
                if end.name == channel and (routes is None or end.route in routes)
            ]
        return self._found[pid, channel]

    def is_gone(self, pid: int | None) -> bool:
        """Return whether there is no such process any more."""
        return pid is not None and self._routes_of(pid) == set() and not psutil.pid_exists(pid)

    def _routes_of(self, pid: int | None) -> set[Route] | None:
        if pid is None:
            return None
        if pid not in self._routes:
            self._routes[pid] = routes_of(pid)
        return self._routes[pid]


def routes_of(pid: int) -> set[Route] | None:
    """Return the connections of a process; None if we may not see them, as it is another user's."""
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.NoSuchProcess:
        return set()
    except psutil.Error:
        return None
    return {(item.laddr.port, item.raddr.port) for item in connections if item.raddr}


def is_of_another_user(route: Route) -> bool:
    """Return whether a connection of this computer is certainly not our user's, nor root's.

    Linux tells; elsewhere nobody asks.
    """
    if sys.platform != "linux":
        return False
    wanted = [f":{port:04X}" for port in route]
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                columns = line.split()
                if [columns[1][-5:], columns[2][-5:]] == wanted:
                    return int(columns[7]) not in (0, os.getuid())
    return False

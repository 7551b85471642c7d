"""The process with which an emulator ends."""

from __future__ import annotations

import psutil


class Watched:
    """One process, told from a later one with the same id by the moment of its creation.

    Raises psutil.NoSuchProcess if there is none with that id.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._process = psutil.Process(pid)

    def has_ended(self) -> bool:
        """Return whether it runs no more; one that its parent has yet to collect doesn't run."""
        try:
            return not self._process.is_running() or self._process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

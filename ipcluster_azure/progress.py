"""What a user sees while a start or a stop goes on: log lines with the elapsed time, and a bar."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .notebook import NotebookBar

REPEAT_S = 5.0
_notices: ContextVar[Any] = ContextVar("notices")


def notices_to(log: Any) -> None:
    """Have what `notice` says from now on, in this task or thread, go to a logger."""
    _notices.set(log)


def notice(text: str) -> None:
    """Tell the user why something takes long, from wherever it does."""
    _notices.get(logging.getLogger("ipcluster_azure")).warning("%s", text)


class Progress:
    """Reports the steps of one start or stop to a logger, from one thread.

    `started`: since when, on the monotonic clock. `bar`: the notebook's, which stands for the bars
    of a terminal.
    """

    def __init__(
        self, log: Any, started: float | None = None, bar: NotebookBar | None = None
    ) -> None:
        self.log = log
        self.bar = bar
        self._started = time.monotonic() if started is None else started

    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        self.log.info("%s (%.1f s)", text, self.elapsed_s())

    def promise(self, text: str) -> None:
        """Say what holds from now on, so that a notebook shows it at the end of the start, too."""
        self.log.info("%s", text)
        if self.bar is not None:
            self.bar.promise = text

    @contextmanager
    def counting(self, what: str, total: int) -> Iterator["Counter"]:
        """Yield a Counter up to `total`, in log lines, and in a bar in a terminal or notebook."""
        counter = Counter(self, what, total)
        try:
            yield counter
        finally:
            counter.close()


class Counter:
    """How many of `total` are done: a log line at the end, and every REPEAT_S if it has changed."""

    def __init__(self, progress: Progress, what: str, total: int) -> None:
        self._progress, self._what, self._total = progress, what, total
        self._said_at, self._said = time.monotonic(), -1
        self._bar = _bar(what, total) if sys.stderr.isatty() else None
        if progress.bar is not None:
            progress.bar.count(0, total)

    def set(self, done: int) -> None:
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        if self._progress.bar is not None:
            self._progress.bar.count(done, self._total)
        now = time.monotonic()
        if done == self._said or (done < self._total and now - self._said_at < REPEAT_S):
            return
        self._said_at, self._said = now, done
        self._progress.say(f"{self._what}: {done} of {self._total}")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _bar(what: str, total: int) -> Any:
    """Return a terminal's bar.

    tqdm is imported here since every ipcluster command imports this module, and few draw bars.
    """
    from tqdm import tqdm

    return tqdm(total=total, desc=what, leave=False)

"""What a user sees while a start or a stop goes on: log lines with the elapsed time, and a bar."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterator
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

    `bar`: the notebook's, which stands for the bars of a terminal. `clock` tells seconds.
    """

    def __init__(
        self,
        log: Any,
        bar: NotebookBar | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.log = log
        self.bar = bar
        self._clock = clock
        self._started = self._step_began = self._said_at = clock()
        self._step = ""

    def elapsed_s(self) -> float:
        return self._clock() - self._started

    def say(self, text: str) -> None:
        """Say the step that begins, or what is done."""
        self._step, self._step_began = text, self._clock()
        self._tell(f"{text} ({self.elapsed_s():.1f} s)")

    def _tell(self, line: str) -> None:
        self._said_at = self._clock()
        self.log.info("%s", line)

    @contextmanager
    def reminding(self) -> Iterator[None]:
        """While the block lasts, say what was said last again, and for how long that has been so,
        whenever nothing came for REPEAT_S. For a running event loop.

        Timers need no end of their own, as a task would: the loop may be closed within the block.
        """
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle

        def look() -> None:
            nonlocal timer
            quiet_s = self._clock() - self._said_at
            if quiet_s >= REPEAT_S:
                quiet_s = 0.0
                if self._step:
                    self._tell(f"{self._step} ... ({self._clock() - self._step_began:.0f} s)")
            timer = loop.call_later(REPEAT_S - quiet_s, look)

        timer = loop.call_later(REPEAT_S, look)
        try:
            yield
        finally:
            timer.cancel()

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
        self._said_at, self._said = progress.elapsed_s(), -1
        self._bar = _bar(what, total) if sys.stderr.isatty() else None
        if progress.bar is not None:
            progress.bar.count(0, total)

    def set(self, done: int) -> None:
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        if self._progress.bar is not None:
            self._progress.bar.count(done, self._total)
        now = self._progress.elapsed_s()
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

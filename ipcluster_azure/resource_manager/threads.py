"""Threads for what may block for ever: they keep no process alive, as those of an executor do."""

import contextvars
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Any, TypeVar

from ..progress import notice

T = TypeVar("T")
WORTH_SAYING_S = 3.0


class TimedOut(Exception):
    """What a thread was to do is not done in time; it may be doing it still."""


class DaemonThreads:
    """Runs functions in daemon threads, `limit` at a time; a thread that is done takes the next.

    Threads that wait for work are there at the interpreter's exit, too, when new ones are refused.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._begin()

    def _begin(self) -> None:
        self._pid, self._lock = os.getpid(), threading.Lock()
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._threads = self._free = 0  # free: less the functions that nobody has taken yet

    def submit(self, function: Callable[..., T], *args: Any) -> "Future[T]":
        """Run `function` with the caller's context variables.

        Raises RuntimeError where no thread is free and none can be started.
        """
        if os.getpid() != self._pid:  # a fork has none of its parent's threads
            self._begin()
        future: Future[T] = Future()
        context = contextvars.copy_context()
        with self._lock:
            if self._free <= 0 and self._threads < self._limit:
                threading.Thread(target=self._run, daemon=True, name="azure-call").start()
                self._threads, self._free = self._threads + 1, self._free + 1
            self._free -= 1
        self._work.put(lambda: _fulfil(future, lambda: context.run(function, *args)))
        return future

    def _run(self) -> None:
        work = self._work
        while True:
            work.get()()
            with self._lock:
                self._free += 1


def _fulfil(future: "Future[T]", function: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


_waited_for = DaemonThreads(limit=1000)


def within(timeout_s: float, function: Callable[[], T], *, while_waiting: str = "") -> T:
    """Return the result of `function`, or raise what it raises.

    Raises TimedOut after `timeout_s`. Tells the user `while_waiting`, unless that is empty, when
    it takes more than a moment. At the interpreter's exit there may be no thread for that; then it
    takes as long as it takes.
    """
    try:
        future = _waited_for.submit(function)
    except RuntimeError:
        return function()
    moment_s = min(WORTH_SAYING_S, timeout_s) if while_waiting else 0.0
    wait((future,), moment_s)
    if while_waiting and not future.done():
        notice(while_waiting)
    wait((future,), timeout_s - moment_s)
    if not future.done():
        raise TimedOut(f"not done within {timeout_s:.0f} s")
    return future.result()

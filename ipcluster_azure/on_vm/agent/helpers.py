"""Forked processes that do for the supervisor what it can't do itself: talk, and wait for answers.

The supervisor forks engines at any time, so it has neither threads nor a ZeroMQ context; these may.
Linux, standard library.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
import traceback
from collections.abc import Callable, Collection
from typing import Any

POLL_S = 0.02
PR_SET_PDEATHSIG = 1  # prctl(2)
libc = ctypes.CDLL(None)


def fork(become: Callable[[], None], watched: Collection[int]) -> int:
    """Fork a process that runs `become`, which must not return; returns its pid.

    The `watched` signals wait until the child has put its own handlers in the place of ours.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    pid = os.fork()
    if pid == 0:
        become()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, watched)
    return pid


class Helpers:
    """The helper processes of a supervisor; they die with it.

    The supervisor collects them like its engines, and says so by `ended`. `watched` are the signals
    that it handles.
    """

    def __init__(self, watched: Collection[int]) -> None:
        self._watched = watched
        self._names: dict[int, str] = {}

    def start(self, name: str, work: Callable[..., object], *args: Any) -> None:
        """Start a helper that calls `work` and then ends."""
        supervisor = os.getpid()

        def become() -> None:
            # never back into the supervisor's frames, nor through its exit handlers
            try:
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != supervisor:
                    return
                for number in self._watched:
                    signal.signal(number, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_SETMASK, [])
                work(*args)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(0)

        self._names[fork(become, self._watched)] = name

    def ended(self, pid: int) -> str | None:
        """Return the name of the helper with this pid, which has ended; None if it was none."""
        return self._names.pop(pid, None)

    def kill(self, *names: str) -> None:
        """Kill the helpers of these names."""
        for pid in [pid for pid, name in self._names.items() if name in names]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def finish(self, timeout_s: float) -> None:
        """Wait until all helpers have ended; those that run longer than `timeout_s` are killed."""
        deadline = time.monotonic() + timeout_s
        while self._names:
            with contextlib.suppress(ChildProcessError):
                pid, _ = os.waitpid(-1, os.WNOHANG)
                self._names.pop(pid, None)
                if pid:
                    continue
            if time.monotonic() > deadline:
                self.kill(*self._names.values())
            time.sleep(POLL_S)

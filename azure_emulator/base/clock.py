"""Time as Azure counts it: real, scaled, or virtual, when it stands still until it is advanced.

Everything that waits or shows a time asks the emulator's one clock, in Azure's seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Protocol

from . import errors

EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)  # fixed, so that two runs show the same times
LONGEST_S = 100 * 365 * 86_400.0
# Turns of the event loop in which a task that was woken, and those waiting for it, come to rest.
TURNS = 16
WORK_LIMIT_S = 60.0


class Clock(Protocol):
    """The emulator's one clock.

    client_scale: how many real seconds a client should wait for one second of Azure's.
    """

    client_scale: float

    @property
    def immediate(self) -> bool:
        """Return whether operations that take time on Azure complete at once here."""

    def now(self) -> datetime:
        """Return the time that Azure would write: aware, in UTC."""

    def monotonic(self) -> float:
        """Return how many of Azure's seconds have passed since some fixed moment."""

    async def sleep(self, seconds: float) -> None:
        """Wait for as long as Azure would take for something that takes `seconds` there."""

    async def wait(self, seconds: float) -> None:
        """Wait for as long as someone asked for: in real seconds where all else is immediate."""

    def working(self) -> contextlib.AbstractContextManager[None]:
        """Let a virtual clock wait for the block's work, which takes this computer real time."""


class RealClock:
    """A clock whose seconds are longer or shorter than Azure's.

    now() is the computer's time whatever the scale, because clients and machines live in it too. It
    goes on while the computer sleeps but, as Azure's would, not back or ahead when somebody sets
    the computer's clock.
    """

    def __init__(self, scale: float) -> None:
        self.client_scale = scale
        self._began, self._began_s = datetime.now(timezone.utc), _passed_s()

    @property
    def immediate(self) -> bool:
        return self.client_scale == 0

    def now(self) -> datetime:
        return self._began + timedelta(seconds=_passed_s() - self._began_s)

    def monotonic(self) -> float:
        return time.monotonic() / (self.client_scale or 1.0)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.client_scale)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds * (self.client_scale or 1.0))

    def working(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


def _passed_s() -> float:
    """Return seconds since some moment, which on Linux also pass while the computer sleeps."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class VirtualClock:
    """A clock that stands still until advance() wakes its sleepers, the earliest first."""

    client_scale = 0.0
    immediate = False

    def __init__(self) -> None:
        self._elapsed_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._works = 0
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._one_advance = asyncio.Lock()

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        entry = (self._elapsed_s + seconds, next(self._order), future)
        heapq.heappush(self._sleepers, entry)
        await future

    async def wait(self, seconds: float) -> None:
        await self.sleep(seconds)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        self._works += 1
        self._at_rest.clear()
        try:
            yield
        finally:
            self._works -= 1
            if self._works == 0:
                self._at_rest.set()

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass.

        What falls due, or begins and falls due, is done when this returns.
        """
        if not 0 <= seconds <= LONGEST_S - self._elapsed_s:
            raise errors.invalid_parameter(
                "advance_s", f"advance_s must be 0 or more, and 100 years in all; got {seconds}."
            )
        async with self._one_advance:
            until_s = self._elapsed_s + seconds
            await self._settle()
            while self._sleepers and self._sleepers[0][0] <= until_s:
                due_s, _, sleeper = heapq.heappop(self._sleepers)
                if sleeper.done():  # cancelled
                    continue
                self._elapsed_s = due_s
                sleeper.set_result(None)
                await self._settle()
            self._elapsed_s = until_s

    async def _settle(self) -> None:
        """Return when all tasks sleep, wait for one another, or are done."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
        while not self._at_rest.is_set():
            try:
                await asyncio.wait_for(self._at_rest.wait(), WORK_LIMIT_S)
            except asyncio.TimeoutError:
                return
            for _ in range(TURNS):
                await asyncio.sleep(0)


def make(kind: str, time_scale: float) -> Clock:
    return VirtualClock() if kind == "virtual" else RealClock(time_scale)

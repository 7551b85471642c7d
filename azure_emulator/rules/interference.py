"""What a fault makes of the long-running operation that a request begins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass

from ..base.clock import Clock

Finish = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Interference:
    """What a fault does to an operation.

    after_s: when the operation ends, None: as if nothing was wrong; end: is called in the place of
    its work.
    """

    after_s: float | None
    end: Callable[[Finish], Awaitable[None]]

    async def run(self, clock: Clock, duration_s: float, finish: Finish) -> None:
        if self.after_s is None:
            await clock.sleep(duration_s)
        else:
            await clock.wait(self.after_s)
        await self.end(finish)


async def never(finish: Finish) -> None:
    await asyncio.Event().wait()


# Handlers begin operations deep down; what is planned for the next one reaches them so.
planned: ContextVar[Interference | None] = ContextVar("planned", default=None)

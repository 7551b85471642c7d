"""When a start may return although engines of its set are still to come."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass


@dataclass(frozen=True)
class Enough:
    """Enough engines for a start to return: `ready` are registered, 0: all.

    `required` of the set's must still be possible, so that what fails before the return fails the
    start as it would without `ready`.
    """

    ready: int = 0
    required: int = 0

    def is_met(self, registered: int, failed: int, total: int) -> bool:
        """Say so of a set of `total` engines, of which `failed` are known to be missing."""
        return 0 < self.ready <= registered and total - failed >= self.required


ALL = Enough()


async def unless(over: asyncio.Event, work: Awaitable[None]) -> None:
    """Await `work`, whose exceptions are raised, or cancel it as soon as `over` is set."""
    working, ending = asyncio.ensure_future(work), asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait((working, ending), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        for task in (working, ending):
            task.cancel()
        await asyncio.gather(working, ending, return_exceptions=True)

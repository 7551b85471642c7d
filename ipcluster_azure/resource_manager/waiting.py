"""Waiting for what Azure does: for a state, for a failure, for several tasks at once."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ..record.abort import require_alive
from ..record.file import RecordFile
from .api import AzureApi, bridge

T = TypeVar("T")
FIRST_LOOK_S, LAST_LOOK_S = 0.1, 3.0
OPERATION_LOOK_S = 5.0


class Looks:
    """The pauses between looks at something: short at first, then longer and longer."""

    def __init__(self, last_s: float = LAST_LOOK_S) -> None:
        self._pause_s, self._last_s = FIRST_LOOK_S, last_s

    async def pause(self, longest_s: float = math.inf) -> None:
        """Sleep until it is time for the next look, or for `longest_s` seconds if that is less."""
        await asyncio.sleep(min(self._pause_s, longest_s))
        self._pause_s = min(self._last_s, self._pause_s * 1.5)


async def until(
    look: Callable[[], Awaitable[T]], timeout_s: float, *, every_s: float = LAST_LOOK_S
) -> T:
    """Await `look()` again and again until its result is true; returns the last result.

    That is false, such as None, 0 or [], if it was so for `timeout_s` seconds: what that means is
    the caller's to say. What `look` raises is raised. The pauses grow up to `every_s` seconds, but
    none goes beyond the end: the last look comes when the time is up.
    """
    loop, looks = asyncio.get_running_loop(), Looks(last_s=every_s)
    deadline = loop.time() + timeout_s
    while not (result := await look()) and (left_s := deadline - loop.time()) > 0:
        await looks.pause(left_s)
    return result


async def gone(exists: Callable[[], bool], timeout_s: float, every_s: float = LAST_LOOK_S) -> bool:
    """Return whether `exists`, which blocks, turns false within `timeout_s` seconds."""

    async def look() -> bool:
        return not await bridge(exists)

    return await until(look, timeout_s, every_s=every_s)


async def watch_operation(api: AzureApi, file: RecordFile, url: str, what: str) -> None:
    """Look at the operation at `url`, for ever; raises as soon as Azure says that it has failed.

    Raises ClusterStopped once the cluster is being deleted. `what` is being created, in words.
    """
    succeeded = not url
    while True:
        await asyncio.sleep(OPERATION_LOOK_S)
        require_alive(file)
        succeeded = succeeded or await bridge(api.has_succeeded, url, f"creating {what}")


async def all_or_none(*tasks: "asyncio.Future[Any]") -> None:
    """Wait for all tasks; when one fails, cancel the others, wait for their end, and raise why."""
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def while_watching(watch: Awaitable[None], work: Awaitable[T]) -> T:
    """Return the result of `work`, unless `watch`, which never returns, raises before that."""
    watcher, worker = asyncio.ensure_future(watch), asyncio.ensure_future(work)
    try:
        await asyncio.wait((watcher, worker), return_when=asyncio.FIRST_COMPLETED)
        return await worker if worker.done() else await _raise(watcher)
    finally:
        for task in (watcher, worker):
            task.cancel()
        await asyncio.gather(watcher, worker, return_exceptions=True)


async def _raise(watcher: "asyncio.Future[None]") -> Any:
    await watcher

"""Coroutines for callers that are none."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def in_own_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a thread of its own, whether or not a loop runs here.

    Ctrl-C here cancels it there.
    """
    outcome: list[T | BaseException] = []
    running: list[tuple[asyncio.AbstractEventLoop, Any]] = []

    async def run() -> T:
        running.append((asyncio.get_running_loop(), asyncio.current_task()))
        return await coroutine

    thread = threading.Thread(target=lambda: outcome.append(_outcome(run())))
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        for loop, task in running:
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    (result,) = outcome
    if isinstance(result, BaseException):
        raise result
    return result


def _outcome(coroutine: Coroutine[Any, Any, T]) -> T | BaseException:
    try:
        return asyncio.run(coroutine)
    except BaseException as error:
        return error

"""Coroutines for callers that are none."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def in_own_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a thread of its own, whether or not a loop runs here."""
    outcome: list[T | BaseException] = []
    thread = threading.Thread(target=lambda: outcome.append(_outcome(coroutine)))
    thread.start()
    thread.join()
    (result,) = outcome
    if isinstance(result, BaseException):
        raise result
    return result


def _outcome(coroutine: Coroutine[Any, Any, T]) -> T | BaseException:
    try:
        return asyncio.run(coroutine)
    except BaseException as error:
        return error

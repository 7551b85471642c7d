"""Looks with growing pauses, until something is so or the time is up."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ipcluster_azure.resource_manager.waiting import gone, until

from ..conftest import Clock


def looks(*results: Any) -> tuple[Callable[[], Awaitable[Any]], list[Any]]:
    """A look that gives one result after the other, the last one for ever; what is left of them."""
    left = list(results)

    async def look() -> Any:
        return left.pop(0) if len(left) > 1 else left[0]

    return look, left


async def test_what_was_looked_for_is_returned_at_once(clock: Clock) -> None:
    look, _ = looks(["found"])
    assert await until(look, 0) == ["found"]
    assert clock.pauses_s == []


async def test_pauses_grow_up_to_the_longest(clock: Clock) -> None:
    look, _ = looks(None, None, None, None, None, "there")
    assert await until(look, 60, every_s=0.3) == "there"
    assert clock.pauses_s == pytest.approx([0.1, 0.15, 0.225, 0.3, 0.3])


async def test_the_last_result_is_returned_when_the_time_is_up(clock: Clock) -> None:
    look, _ = looks(None, [])
    assert await until(look, 0.4) == []
    assert clock.pauses_s == pytest.approx([0.1, 0.15, 0.15])
    assert clock.passed_s == pytest.approx(0.4)


async def test_there_is_a_look_when_the_time_is_up(clock: Clock) -> None:
    look, left = looks(None, None, "in time", "too late")
    assert await until(look, 0.25) == "in time"
    assert clock.pauses_s == pytest.approx([0.1, 0.15])
    assert left == ["too late"]


async def test_what_a_look_raises_is_raised() -> None:
    async def look() -> bool:
        raise asyncio.InvalidStateError

    with pytest.raises(asyncio.InvalidStateError):
        await until(look, 60)


@pytest.mark.parametrize(("exist", "expected"), [([True, False], True), ([True], False)])
async def test_gone(clock: Clock, exist: list[bool], expected: bool) -> None:
    left = list(exist)

    def exists() -> bool:
        return left.pop(0) if len(left) > 1 else left[0]

    assert await gone(exists, 0.15) is expected

"""What one launcher still asks for is found by the other, which knows it by the cluster's name."""

import asyncio
from collections.abc import Callable

import pytest

from ipcluster_azure.start.controller_request import request_until_network, rest_of_request

OnNetwork = Callable[[], None]


class Request:
    """A request that has its network at once, and the rest when told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.rest, self.error = asyncio.Event(), error

    async def __call__(self, on_network: OnNetwork) -> None:
        on_network()
        await self.rest.wait()
        if self.error is not None:
            raise self.error


async def test_the_rest_goes_on_where_engines_follow() -> None:
    request = Request()
    await request_until_network("c", request, engines_follow=True)
    rest = rest_of_request("c")
    assert not rest.done()
    request.rest.set()
    await rest


async def test_what_fails_later_is_raised_to_who_waits_for_the_rest() -> None:
    request = Request(ValueError("no"))
    await request_until_network("c", request, engines_follow=True)
    request.rest.set()
    await asyncio.sleep(0.01)
    with pytest.raises(ValueError, match="no"):
        await rest_of_request("c")


async def test_nothing_is_left_where_no_engines_follow() -> None:
    request = Request()
    asyncio.get_running_loop().call_later(0.01, request.rest.set)
    await request_until_network("c", request, engines_follow=False)
    assert request.rest.is_set()
    assert rest_of_request("c").done()


async def test_a_failure_of_one_cluster_is_none_of_another_and_is_told_once() -> None:
    request = Request(ValueError("no"))
    request.rest.set()
    await request_until_network("earlier", Request(), engines_follow=True)
    with pytest.raises(ValueError, match="no"):
        await request_until_network("c", request, engines_follow=False)
    await rest_of_request("c")
    rest_of_request("earlier").cancel()
    await rest_of_request("earlier")


async def test_a_start_that_is_cancelled_cancels_what_it_asks_for() -> None:
    cancelled = asyncio.Event()

    async def request(_: OnNetwork) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    start = asyncio.ensure_future(request_until_network("c", request, engines_follow=True))
    await asyncio.sleep(0.01)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    await asyncio.wait_for(cancelled.wait(), 5)
    assert rest_of_request("c").done()

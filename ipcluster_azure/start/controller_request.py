"""The request for a controller, which goes on beside that for the engines.

Azure is asked for the controller by one launcher and for the engines by another, but in one
`Cluster.start_cluster` both wait for the same answers. As they know nothing of each other, what is
still being asked is kept here, by the cluster's name, which no other cluster ever has.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

# only while Cluster.start_cluster runs, which has one event loop from the controller to the engines
_requests: dict[str, "asyncio.Future[None]"] = {}


async def request_until_network(
    cluster: str,
    request: Callable[[Callable[[], None]], Coroutine[Any, Any, None]],
    *,
    engines_follow: bool,
) -> None:
    """Run `request`, which calls its argument as soon as engines can be requested.

    Returns when it is done; if `engines_follow`, already at that call. Then `rest_of_request` has
    what is left. Raises what `request` raises until then.
    """
    network = asyncio.Event()
    requesting = asyncio.ensure_future(request(network.set))
    requesting.add_done_callback(lambda task: task.cancelled() or task.exception())
    try:
        if engines_follow:
            await first_of(requesting, network.wait())
            _requests[cluster] = requesting
        else:
            await requesting
    except BaseException:
        requesting.cancel()
        raise


def rest_of_request(cluster: str) -> "asyncio.Future[None]":
    """What this process still asks for the controller of `cluster`; done if there is nothing left.

    If the request has failed meanwhile, the future that is returned raises that.
    """
    requesting = _requests.pop(cluster, None)
    if requesting is not None and (
        not requesting.done() or requesting.cancelled() or requesting.exception()
    ):
        return requesting
    nothing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    nothing.set_result(None)
    return nothing


async def first_of(task: "asyncio.Future[None]", other: Coroutine[Any, Any, object]) -> None:
    """Return when either is done, raising what `task` raised; a `task` that isn't done goes on."""
    waiting = asyncio.ensure_future(other)
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        waiting.cancel()

"""A controller that another launcher, ipyparallel's local one for example, has started."""

import asyncio
import functools
from contextlib import suppress
from typing import Any

START_TIMEOUT_S = 6.0


async def wait_until_started(controller: Any) -> None:
    """Return once the controller of the launcher `controller` answers, or after some seconds.

    ipcontroller that is ended while it starts its own processes leaves them behind; it answers
    when it has started them and handles signals.
    """
    from ipyparallel import Client

    with suppress(Exception):
        info = await controller.get_connection_info(timeout=START_TIMEOUT_S)
        connect = functools.partial(Client, info["client"], timeout=START_TIMEOUT_S)
        (await asyncio.to_thread(connect)).close()

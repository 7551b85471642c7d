"""Runs on the controller's machine, with any Python from 3.8 on: sees which machines have booted.

    python3 - PORT TIMEOUT_S ADDRESS ...

Its source comes over SSH as standard input. From next door a machine can be tried every second,
however far away the launcher is, and however many machines there are.

Prints one JSON object a line for the launcher: {"event": "answers", "address": "10.42.1.4"}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
import time

INTERVAL_S = 1.0  # a lost SYN is sent again after this time anyway
GREETING_S = 20.0  # what has accepted us is there, and may be busy booting


async def answers(address: str, port: int) -> bool:
    """Return whether an SSH server greets there: that a port is open is not enough.

    Raises OSError or asyncio.TimeoutError if nothing answers.
    """
    opening = asyncio.open_connection(address, port)
    reader, writer = await asyncio.wait_for(opening, INTERVAL_S)
    try:
        greeting = await asyncio.wait_for(reader.readline(), GREETING_S)
        return greeting.startswith(b"SSH-")
    finally:
        writer.close()


async def look_at(address: str, port: int) -> None:
    """Try a machine until it answers, and print that."""
    while True:
        tried_at = time.monotonic()
        try:
            if await answers(address, port):
                break
        except (OSError, asyncio.TimeoutError):
            pass
        await asyncio.sleep(max(0.0, tried_at + INTERVAL_S - time.monotonic()))
    print(json.dumps({"event": "answers", "address": address}), flush=True)


async def look_at_all(addresses: list[str], port: int) -> None:
    await asyncio.gather(*(look_at(address, port) for address in addresses))


def main(port: int, timeout_s: float, addresses: list[str]) -> None:
    """Return when all have answered, or after `timeout_s`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.suppress(asyncio.TimeoutError):
        asyncio.run(asyncio.wait_for(look_at_all(addresses, port), timeout_s))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])

"""Network namespaces by name, as `ip netns` has them, and sockets in them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .programs import ProgramFailed, run

FOLDER = Path("/run/netns")
CLONE_NEWNET = 0x40000000
T = TypeVar("T")


async def add(name: str) -> None:
    await run("ip", "netns", "add", name)
    await run("ip", "-n", name, "link", "set", "lo", "up")


async def remove(name: str) -> None:
    """Remove a namespace that may be gone, or be removed by another task just now."""
    with contextlib.suppress(ProgramFailed):
        await run("ip", "netns", "del", name)


def inside(name: str, make: Callable[[], T]) -> T:
    """Call `make` in a thread that is in the namespace, and return what it returns.

    A socket belongs for good to the namespace in which it was made.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        descriptor = os.open(FOLDER / name, os.O_RDONLY)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"namespace {name} can't be entered")
            outcome.append(make())
        except BaseException as error:
            failure.append(error)
        finally:
            os.close(descriptor)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def listener(name: str, address: str, port: int) -> socket.socket:
    """Return a listening TCP socket in the namespace."""
    return inside(name, lambda: socket.create_server((address, port), backlog=128))

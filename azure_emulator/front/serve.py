"""The server process: python -m azure_emulator.front.serve --state-dir DIR.

client.start() runs it detached. It ends by request, by SIGTERM, or when it has been idle.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
from pathlib import Path
from typing import IO

from ..server_options import parse
from ..server_process import ALREADY_RUNNING
from .server import Server
from .watched_process import Watched

log = logging.getLogger(__name__)

LOCK_FILE = "start.lock"


def lock(state_dir: Path) -> IO[bytes] | None:
    """Take the state directory's lock for as long as this process lives; None if another has it."""
    file = open(state_dir / LOCK_FILE, "ab")  # noqa: SIM115 - open until the process ends
    try:
        import fcntl
    except ImportError:  # Windows, where only --machines=none is of use
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def raise_file_limit() -> None:
    """Allow as many open files as possible: a machine takes two, a session more."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def detach() -> int:
    """Leave the starting process's family; return a descriptor to report on, -1 without fork.

    The parent half waits for the report and exits with what became of the server, so that its own
    parent never has a child to look after.
    """
    if not hasattr(os, "fork"):
        return -1
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        return writing
    os.close(writing)
    if os.read(reading, 1):
        os._exit(0)
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def main() -> int:
    settings, shall_detach = parse()
    watched = Watched(settings.end_with_pid) if settings.end_with_pid else None
    report = detach() if shall_detach else -1
    os.umask(0o077)
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chdir(settings.state_dir)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("asyncssh", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    held = lock(settings.state_dir)
    if held is None:
        log.info("another emulator runs in %s", settings.state_dir)
        return ALREADY_RUNNING
    raise_file_limit()
    gc.collect()
    gc.freeze()  # what was imported stays: the collector needn't walk through it again and again

    async def serve() -> None:
        await Server(settings, watched, report).run()

    asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())

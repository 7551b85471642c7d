"""What vm_depot.py can do:

    serve     offers the files of DIR/depot to the virtual network, for good      (controller)
    pass-on   offers an engine's copy of the environment to others for a while    (engines)

Many machines want the same 130 MB at once, and one line would carry them one after the other. So
the controller sends the environment to a few machines at a time; those that pass it on say so
when they have it, and the next are sent to them: a tree that grows by itself. vm_fetch.py is the
other side.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import resource
import signal
import socket
import urllib.parse
from pathlib import Path

from .server import ENVIRONMENT, HEAD_LIMIT, HEAD_S, PASSING_ON, TRANSFER_S, Depot

PASS_ON_S = 600.0  # an engine's machine stops offering its copy this long after it got it


async def serve_for_good(depot: Depot) -> None:
    await (await depot.start()).serve_forever()


def serve(root: Path, address: str) -> None:
    """Leave a server behind that offers DIR/depot, unless there is one that answers."""
    state, pid_file = root / "depot.json", root / "depot.pid"
    with open(root / "depot.lock", "w") as lock:  # several may find the server dead at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = json.loads(state.read_text())["url"] if state.exists() else ""
        if before and answers(before, pid_file):
            print(state.read_text(), flush=True)
            return
        depot = Depot(address, root / "depot", before)
        event = json.dumps({"event": "serving", "url": depot.url})
        state.write_text(event)
        if detach():
            print(event, flush=True)
            return
        pid_file.write_text(str(os.getpid()))
    asyncio.run(serve_for_good(depot))


def answers(url: str, pid_file: Path) -> bool:
    """Return whether the server at this URL runs; has it go on if a signal has stopped it."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(pid_file.read_text()), signal.SIGCONT)
    place = urllib.parse.urlsplit(url)
    try:
        socket.create_connection((place.hostname, place.port or 0), HEAD_S).close()
    except OSError:
        return False
    return True


def pass_on(root: Path, origin: str, address: str) -> None:
    """Leave a server behind that offers this machine's copy for PASS_ON_S, known to `origin`, the
    controller's URL."""
    depot = Depot(address, root / "depot")
    if detach():
        return
    try:
        asyncio.run(serve_for_a_while(depot, origin))
    finally:
        (depot.folder / ENVIRONMENT).unlink()
        os._exit(0)  # transfers that still go on end here; their machines ask the controller


async def serve_for_a_while(depot: Depot, origin: str) -> None:
    await depot.start()
    await asyncio.wait_for(tell(origin, f"{depot.url}/{ENVIRONMENT}"), TRANSFER_S)
    await asyncio.sleep(PASS_ON_S)


async def tell(origin: str, url: str) -> None:
    """Tell the controller at `origin` where a copy is."""
    parts = urllib.parse.urlsplit(origin)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = [f"POST {parts.path}/{PASSING_ON} HTTP/1.0", f"Content-Length: {len(url)}", "", url]
    writer.write("\r\n".join(lines).encode())
    await reader.read(HEAD_LIMIT)
    writer.close()


def detach() -> bool:
    """Fork a daemon: True in the process that was called, False in the daemon."""
    if os.fork():
        return True
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # an SSH session lasts until these are closed
        os.dup2(null, descriptor)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return False


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Offers files to the machines of a network.")
    parser.add_argument("--dir", type=Path, default=Path())
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve")
    passing_on = commands.add_parser(PASSING_ON)
    passing_on.add_argument("--origin", required=True)
    for command in (serving, passing_on):
        command.add_argument("--address", required=True)
    options = parser.parse_args(argv)
    root = options.dir.absolute()
    if options.command == "serve":
        serve(root, options.address)
    else:
        pass_on(root, options.origin, options.address)
    return 0

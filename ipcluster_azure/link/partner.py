"""The link's side of the pair that it is with its watcher (watcher.py): each revives the other.

The watcher gets a copy of each socket, of the ports and of the clients' connections. So the link's
death closes neither, and the next link takes them over. Not on Windows, where sockets can't be
handed on like that: a dead link stays dead there until `ipcluster-azure attach`.
"""

import asyncio
import itertools
import logging
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from . import watcher
from .watcher import BEAT_S, HANDOVER_S, Channel, Json, Pause, Quiet

ENDING_S = 2.0
POSSIBLE = hasattr(socket, "send_fds")

log = logging.getLogger(__name__)


@dataclass
class Inheritance:
    """What an earlier link has left, handed on by its watcher: `ports` by channel, and `clients`,
    connections with their keys and channels."""

    channel: Channel
    watcher_pid: int = 0
    ports: dict[str, socket.socket] = field(default_factory=dict)
    clients: list[tuple[str, str, socket.socket]] = field(default_factory=list)


def inherit() -> Inheritance | None:
    """Take what the watcher that started this process hands over; None if none started it."""
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        return None
    inheritance = Inheritance(Channel(socket.socket(fileno=os.dup(0))))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    channel, complete = inheritance.channel, False
    channel.socket.settimeout(HANDOVER_S)
    while not complete:
        for message, descriptor in channel.receive():
            if "complete" in message:
                inheritance.watcher_pid, complete = message["complete"], True
            if "keep" in message:
                _take(inheritance, message, socket.socket(fileno=descriptor))
    channel.socket.setblocking(False)
    return inheritance


def _take(inheritance: Inheritance, message: Json, sock: socket.socket) -> None:
    if message["kind"] == "port":
        inheritance.ports[message["name"]] = sock
    else:
        inheritance.clients.append((message["keep"], message["name"], sock))


class Partner:
    """Keeps a watcher for a cluster's link, and sockets with it.

    `on_change` is called with the pid of each watcher that is started. `module` is what that
    starts again, if it is not the link: this process.
    """

    def __init__(
        self, record: Path, cluster: str, on_change: Callable[[int], None], module: str = ""
    ) -> None:
        self._record, self._cluster, self._on_change = record, cluster, on_change
        self._words = [str(record), *([module] if module else [])]
        self._kept: dict[str, tuple[Json, int]] = {}
        self._numbers = itertools.count()
        self._channel: Channel | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._pause = Pause()

    def adopt(self, inheritance: Inheritance) -> None:
        """Go on with the watcher that started this process."""
        self._channel, self._pid = inheritance.channel, inheritance.watcher_pid
        for name, sock in inheritance.ports.items():
            self._note(f"port-{name}", "port", name, sock.fileno())
        for key, name, sock in inheritance.clients:
            self._note(key, "client", name, sock.fileno())

    def keep_port(self, name: str, descriptor: int) -> None:
        self._keep(self._note(f"port-{name}", "port", name, descriptor))

    def keep_client(self, name: str, descriptor: int) -> str:
        """Have a client's connection to that channel kept; returns the key to drop it with."""
        key = f"{os.getpid()}-{next(self._numbers)}"
        self._keep(self._note(key, "client", name, descriptor))
        return key

    def drop(self, key: str) -> None:
        if self._kept.pop(key, None) is not None:
            self._say({"drop": key})

    def say_goodbye(self) -> None:
        """Have the watcher end: this process ends because it is to. May run in a signal handler."""
        if self._channel is not None:
            with suppress(OSError):
                self._channel.send({"bye": True})
            with suppress(subprocess.TimeoutExpired):
                if self._process is not None:
                    self._process.wait(ENDING_S)

    async def run(self) -> None:
        """Watch the watcher, and start another whenever there is none, for ever."""
        while True:
            if self._channel is None:
                self._start()
            self._introduce()
            await self._follow()
            await asyncio.sleep(self._pause.next_s())
            self._let_go()

    def _note(self, key: str, kind: str, name: str, descriptor: int) -> str:
        self._kept[key] = {"keep": key, "kind": kind, "name": name}, descriptor
        return key

    def _keep(self, key: str) -> None:
        self._say(*self._kept[key])

    def _say(self, message: Json, descriptor: int | None = None) -> None:
        """Tell the watcher; if it is gone, its successor will be told."""
        channel = self._channel
        if channel is None:
            return
        with suppress(OSError):
            if not channel.send(message, descriptor):
                asyncio.get_running_loop().add_writer(channel.socket, self._go_on_sending, channel)

    def _go_on_sending(self, channel: Channel) -> None:
        try:
            done = channel.flush()
        except OSError:
            done = True
        if done:
            asyncio.get_running_loop().remove_writer(channel.socket)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-IS", watcher.__file__, *self._words],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=self._record.parent,
                start_new_session=True,
            )
        self._channel, self._pid = Channel(ours), self._process.pid
        self._on_change(self._pid)
        for message, descriptor in self._kept.values():
            self._say(message, descriptor)

    def _introduce(self) -> None:
        self._say({"pid": os.getpid(), "cluster": self._cluster})

    async def _follow(self) -> None:
        """Return when the watcher has ended."""
        channel, quiet, beat_at = self._channel, Quiet(), 0.0
        assert channel is not None  # noqa: S101
        while True:
            if time.monotonic() - beat_at > BEAT_S / 2:
                beat_at = time.monotonic()
                self._say({"beat": True})
            try:
                if await _is_readable(channel.socket):
                    for _ in channel.receive():
                        quiet.heard()
                elif sys.platform != "win32" and quiet.too_long():
                    log.warning("Nothing is heard of the link's watcher; it is ended")
                    os.kill(self._pid, signal.SIGKILL)
            except (EOFError, OSError):
                return

    def _let_go(self) -> None:
        if self._channel is not None:
            asyncio.get_running_loop().remove_writer(self._channel.socket)
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        log.warning("The link's watcher has ended; it is started again")


async def _is_readable(sock: socket.socket) -> bool:
    """Wait up to BEAT_S for something to read."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        await asyncio.wait_for(readable.wait(), BEAT_S)
        return True
    except asyncio.TimeoutError:
        return False
    finally:
        loop.remove_reader(sock)

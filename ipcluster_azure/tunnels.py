"""The client ports on this computer, relayed to the controller over SSH.

The ports stay open while SSH connections come and go. Each connection of a client ends in one of
three ways: the client closes it; the way to the controller is lost, and what was under way with it,
so that the open requests are answered with an error and ZeroMQ connects again by itself; or the
controller is dead, and every request is answered with an error from here on.
"""

import asyncio
import logging
import time
from contextlib import suppress
from typing import Any, cast

from .connection import Connection
from .errors import MachineFailed
from .last_words import LastWords, OpenRequests, Replies
from .zmtp import Reader, handshake

HOST = "127.0.0.1"
# from a lost way to the errors, if the SSH connection is sound: a controller's death is known by
# then, and clients are better told of that
GRACE_S = 5.0
HEIRS_S = 5.0  # ZeroMQ connects again after 0.1 s
CUT = (
    "The connection to the controller was cut while this was under way, and its answer is lost. "
    "The cluster still runs: submit it again."
)
FLUSH_TIMEOUT_S = 2.0
NOTIFICATIONS = "notification"  # the port on which clients hear of engines, and of the end
PUBLISHERS = (NOTIFICATIONS, "iopub")

log = logging.getLogger(__name__)


class Tunnels:
    """All client ports of a cluster."""

    def __init__(self, words: LastWords) -> None:
        self.words = words
        self.ssh: Connection | None = None
        self.address = ""
        self.dead_because = ""  # once the controller is known to be dead
        self._servers: list[asyncio.AbstractServer] = []
        self._ends: set[ClientEnd] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._heirs: dict[str, tuple[float, Replies]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, name: str, local_port: int, remote_port: int) -> int:
        """Open the port of a channel of that name (0: any); returns which."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: ClientEnd(self, name, remote_port), HOST, local_port
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def attach(self, ssh: Connection, address: str) -> None:
        """Relay over `ssh` to the controller's `address` from now on."""
        self.ssh, self.address = ssh, address
        for end in list(self._ends):
            if end.waits:
                self.open(end)
            elif end.far is None:
                end.release(CUT)

    def detach(self) -> None:
        """The SSH connection is lost; clients wait until there is another."""
        self.ssh = None

    def mourn(self, why: str) -> None:
        """Answer what is open, and whatever comes, with an error that says `why`."""
        self.dead_because = why
        for end in list(self._ends):
            end.lose_far()
            end.mourn()

    async def deserted(self, timeout_s: float) -> None:
        """Wait until no client is connected, or `timeout_s` is over."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._empty.wait(), timeout_s)

    def farewell(self) -> None:
        """Make the clients close, so that later calls fail instead of waiting.

        A client drops the answers that it has not worked off by then: not to be said soon.
        """
        for end in list(self._ends):
            if end.name == NOTIFICATIONS and end.listens:
                end.tell(self.words.closing())

    async def close(self) -> None:
        """Close the ports; what was said to clients is sent before."""
        for server in self._servers:
            server.close()
        for end in list(self._ends):
            end.close()
        await self.deserted(FLUSH_TIMEOUT_S)

    def add(self, end: "ClientEnd") -> None:
        self._ends.add(end)
        self._empty.clear()
        if self.dead_because:
            end.mourn()
        elif self.ssh is not None:
            self.open(end)

    def remove(self, end: "ClientEnd") -> None:
        self._ends.discard(end)
        if not self._ends:
            self._empty.set()

    def open(self, end: "ClientEnd") -> None:
        task = asyncio.ensure_future(self._open(end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self, end: "ClientEnd") -> None:
        ssh = self.ssh
        if ssh is None:
            return
        try:
            await ssh.open_tunnel(lambda: FarEnd(end), self.address, end.remote_port)
        except MachineFailed as error:
            log.debug("%s: %s", end.name, error)
            if self.ssh is ssh:
                end.close()

    def way_lost(self, end: "ClientEnd") -> None:
        """A client's way to the controller was closed from there, or with the SSH connection."""
        if self.dead_because:
            end.mourn()
        elif not end.down.ready:  # nobody who could be told anything
            end.close()
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(GRACE_S, self._give_up, end)

    def _give_up(self, end: "ClientEnd") -> None:
        if self.ssh is not None and end in self._ends and end.far is None:
            end.release(CUT)

    def inherit(self, name: str, replies: Replies) -> None:
        """For whoever connects to that channel next: a connection in the middle of a message can't
        be told anything, and has to be closed; nothing in the next says that it is the same
        client's. Other clients print that they don't know these requests."""
        _, open_now = self._heirs.get(name, (0.0, {}))
        self._heirs[name] = (time.monotonic(), {**open_now, **replies})

    def inheritance(self, name: str) -> Replies:
        left_at, replies = self._heirs.get(name, (0.0, {}))
        return replies if time.monotonic() - left_at < HEIRS_S else {}


class ClientEnd(asyncio.Protocol):
    """A client's connection to one channel."""

    transport: asyncio.Transport

    def __init__(self, tunnels: Tunnels, name: str, remote_port: int) -> None:
        self.tunnels, self.name, self.remote_port = tunnels, name, remote_port
        self.far: FarEnd | None = None
        self.waits = True  # for the first way to the controller
        self._requests = OpenRequests()
        counted = name not in PUBLISHERS
        self.up = Reader(self._requests.asked if counted else None)
        self.down = Reader(self._requests.answered if counted else None)
        self._handed_over = False

    @property
    def listens(self) -> bool:
        """Whether it can be told something now."""
        return self.up.ready and self.down.between_messages

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.pause_reading()
        self.tunnels.add(self)

    def data_received(self, data: bytes) -> None:
        self.up.feed(data)
        if self.far is not None:
            self.far.channel.write(data)
        self._hand_over()
        if self.tunnels.dead_because:
            self._answer_with(self.tunnels.dead_because)

    def eof_received(self) -> bool:
        return False  # closes this end, and with it the other

    def connection_lost(self, exc: Exception | None) -> None:
        self.tunnels.remove(self)
        self.waits = False
        self.lose_far()

    def pause_writing(self) -> None:
        if self.far is not None:
            self.far.channel.pause_reading()

    def resume_writing(self) -> None:
        if self.far is not None:
            self.far.channel.resume_reading()

    def reached(self, far: "FarEnd") -> None:
        """The way to the controller is open."""
        if not self.waits:  # too late
            far.channel.close()
            return
        self.far, self.waits = far, False
        self.transport.resume_reading()

    def heard(self, data: bytes) -> None:
        """Something from the controller."""
        self.transport.write(data)
        self.down.feed(data)
        self._hand_over()

    def _hand_over(self) -> None:
        """Once, after the handshake: what a connection before this one could not be told."""
        if not self._handed_over and self.listens:
            self._handed_over = True
            if replies := self.tunnels.inheritance(self.name):
                self.tell(self.tunnels.words.errors(replies, self.tunnels.dead_because or CUT))

    def lose_far(self) -> None:
        far, self.far = self.far, None
        if far is not None:
            far.channel.close()

    def far_lost(self) -> None:
        self.far = None
        # what comes now is counted, and answered in its turn
        self.transport.resume_reading()
        self.tunnels.way_lost(self)

    def release(self, why: str) -> None:
        """Answer what is open, then let the client connect again."""
        self._answer_with(why)
        self.close()

    def mourn(self) -> None:
        """Stand in for the dead controller."""
        if self.waits:
            self.waits = False
            kind = "PUB" if self.name in PUBLISHERS else "ROUTER"
            self.heard(handshake(kind))
        elif not self.listens:
            self.release(self.tunnels.dead_because)
            return
        self.transport.resume_reading()
        self._answer_with(self.tunnels.dead_because)

    def _answer_with(self, why: str) -> None:
        if not (replies := self._requests.take()):
            return
        if self.listens:
            self.tell(self.tunnels.words.errors(replies, why))
        else:
            self.tunnels.inherit(self.name, replies)

    def tell(self, words: bytes) -> None:
        self.transport.write(words)

    def close(self) -> None:
        self.waits = False
        self.transport.close()


class FarEnd:
    """The SSH channel that leads on to the controller; asyncssh's SSHTCPSession in its methods."""

    channel: Any

    def __init__(self, client: ClientEnd) -> None:
        self._client = client

    def connection_made(self, channel: Any) -> None:
        self.channel = channel

    def session_started(self) -> None:
        self._client.reached(self)

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        if self._client.far is self:
            self._client.heard(data)

    def eof_received(self) -> bool:
        self.channel.close()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._client.far is self:
            self._client.far_lost()

    def pause_writing(self) -> None:
        self._client.transport.pause_reading()

    def resume_writing(self) -> None:
        self._client.transport.resume_reading()

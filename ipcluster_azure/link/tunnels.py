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
from functools import partial

from ..errors import MachineFailed
from ..ssh.connection import Connection
from .error_replies import ErrorReplies, Replies
from .tunnel_ends import NOTIFICATIONS, ClientEnd, FarEnd

HOST = "127.0.0.1"
# from a lost way to the errors, if the SSH connection is sound: a controller's death is known by
# then, and clients are better told of that
GRACE_S = 5.0
UNANSWERED_S = 5.0  # ZeroMQ connects again after 0.1 s
FLUSH_TIMEOUT_S = 2.0
CUT = (
    "The connection to the controller was cut while this was under way, and its answer is lost. "
    "The cluster still runs: submit it again."
)

log = logging.getLogger(__name__)


class Tunnels:
    """The client ports of a cluster, and the connections of clients to them."""

    def __init__(self, error_replies: ErrorReplies) -> None:
        self.error_replies = error_replies
        self.ssh: Connection | None = None
        self.address = ""
        self.dead_because = ""  # once the controller is known to be dead
        self._servers: list[asyncio.Server] = []
        self._ends: set[ClientEnd] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._unanswered: dict[str, tuple[float, Replies]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, name: str, local_port: int, remote_port: int) -> int:
        """Open the port of a channel of that name (0: any); returns which.

        It is another one if `local_port` is taken: after the death of the process that had it, the
        system may give it to any program.
        """
        try:
            server = await self._serve(name, local_port, remote_port)
        except OSError as error:
            if not local_port:
                raise
            log.warning("The port of %s can't be opened again: %s", name, error)
            server = await self._serve(name, 0, remote_port)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _serve(self, name: str, local_port: int, remote_port: int) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        end = partial(ClientEnd, self, name, remote_port)
        return await loop.create_server(end, HOST, local_port)

    def attach(self, ssh: Connection, address: str) -> None:
        """Relay over `ssh` to the controller's `address` from now on."""
        self.ssh, self.address = ssh, address
        for end in list(self._ends):
            if end.waits:
                self.open(end)
            elif end.far is None:
                end.release(CUT)

    def detach(self) -> None:
        """Have clients wait for another SSH connection: this one is lost."""
        self.ssh = None

    def answer_with_errors(self, why: str) -> None:
        """Answer what is open, and whatever comes, with an error that says `why`."""
        self.dead_because = why
        for end in list(self._ends):
            end.lose_far()
            end.answer_with_errors()

    async def without_clients(self, timeout_s: float) -> None:
        """Wait until no client is connected, or `timeout_s` is over."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._empty.wait(), timeout_s)

    def close_clients(self) -> None:
        """Make the clients close, so that later calls fail instead of waiting.

        A client drops the answers that it has not worked off by then: not to be said soon.
        """
        for end in list(self._ends):
            if end.name == NOTIFICATIONS and end.listens:
                end.tell(self.error_replies.closing())

    async def close(self) -> None:
        """Close the ports; what was said to clients is sent before."""
        for server in self._servers:
            server.close()
        for end in list(self._ends):
            end.close()
        await self.without_clients(FLUSH_TIMEOUT_S)

    def add(self, end: "ClientEnd") -> None:
        self._ends.add(end)
        self._empty.clear()
        if self.dead_because:
            end.answer_with_errors()
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
        """Act on the end of a client's channel, closed by the controller or with the connection."""
        if self.dead_because:
            end.answer_with_errors()
        elif not end.down.ready:  # nobody who could be told anything
            end.close()
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(GRACE_S, self._give_up, end)

    def _give_up(self, end: "ClientEnd") -> None:
        if self.ssh is not None and end in self._ends and end.far is None:
            end.release(CUT)

    def note_unanswered(self, name: str, replies: Replies) -> None:
        """Keep these requests' replies for the next connection to that channel.

        A connection in the middle of a message can't be told anything, and has to be closed.
        Nothing in the next says that it is the same client's; other clients print that they don't
        know these requests.
        """
        _, open_now = self._unanswered.get(name, (0.0, {}))
        self._unanswered[name] = (time.monotonic(), {**open_now, **replies})

    def errors_for_unanswered(self, name: str) -> bytes:
        """Return error replies for a new connection to that channel, to requests of before."""
        left_at, replies = self._unanswered.get(name, (0.0, {}))
        if not replies or time.monotonic() - left_at > UNANSWERED_S:
            return b""
        return self.error_replies.errors(replies, self.dead_because or CUT)

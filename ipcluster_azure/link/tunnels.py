"""The client ports on this computer, relayed to the controller over SSH.

The ports stay open while SSH connections come and go. Each connection of a client ends in one of
three ways: the client closes it; the way to the controller is lost, and what was under way with it,
so that the open requests are answered with an error and ZeroMQ connects again by itself; or the
controller is dead, and every request is answered with an error from here on.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from ..errors import MachineFailed
from ..record.contents import DASK
from ..ssh.connection import Connection
from .client_processes import Connections, is_of_another_user, process_of
from .error_replies import ErrorReplies
from .gates import HOST
from .journal import Journal
from .orphans import CUT, Orphans
from .partner import Partner
from .tunnel_ends import IOPUB, NOTIFICATIONS, ClientEnd, FarEnd
from .visitors import Visitors

# from a lost way to the errors, if the SSH connection is sound: a controller's death is known by
# then, and clients are better told of that
GRACE_S = 5.0
FLUSH_TIMEOUT_S = 2.0
BACKLOG = 512  # clients that connect while there is no link, or before it has come round to them

log = logging.getLogger(__name__)


class Tunnels:
    """The client ports of a cluster, and the connections of clients to them.

    `partner` has copies of their sockets, if there is one; `visitors` knows whose environment
    differs.
    """

    def __init__(
        self,
        error_replies: ErrorReplies,
        journal: Journal,
        partner: Partner | None = None,
        visitors: Visitors | None = None,
    ) -> None:
        self.visitors = visitors
        self.ports: dict[str, int] = {}  # ours, by the name of the channel
        self.error_replies, self.journal, self.partner = error_replies, journal, partner
        self.orphans = Orphans(self)
        self.ssh: Connection | None = None
        self.address = ""
        self.is_open = asyncio.Event()
        self.attached_at = 0.0  # as reopened_at
        self.reopened_at = 0.0  # by time.monotonic(); 0: clients have missed nothing so far
        self.dead_because = ""  # once the controller is known to be dead
        self.ends: set[ClientEnd] = set()
        self._servers: list[asyncio.Server] = []
        self._empty = asyncio.Event()
        self._empty.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(
        self, name: str, local_port: int, remote_port: int, left: socket.socket | None = None
    ) -> int:
        """Open the port of a channel of that name (0: any); returns which.

        It is another one if `local_port` is taken: after the death of the processes that had it,
        the system may give it to any program. `left`: an earlier link's, still open.
        """
        end = partial(ClientEnd, self, name, remote_port)
        try:
            address: dict[str, Any] = {"host": HOST, "port": local_port}
            server = await _serve(end, **({"sock": left} if left is not None else address))
        except OSError as error:
            if not local_port:
                raise
            log.warning("The port of %s can't be opened again: %s", name, error)
            server = await _serve(end, host=HOST, port=0)
        self._servers.append(server)
        sock = server.sockets[0]
        if self.partner is not None and left is None:
            self.partner.keep_port(name, sock.fileno())
        self.ports[name] = int(sock.getsockname()[1])
        return self.ports[name]

    def attach(self, ssh: Connection, address: str, *, again: bool = False) -> None:
        """Relay over `ssh` to the controller's `address` from now on; `again`: clients may have
        missed what happened before."""
        self.ssh, self.address, self.attached_at = ssh, address, time.monotonic()
        self.is_open.set()
        if again:
            self.reopened_at = self.attached_at
        for end in list(self.ends):
            if end.waits:
                self.open(end)
            elif end.far is None:
                end.release(CUT)

    def detach(self) -> None:
        """Have clients wait for another SSH connection: this one is lost."""
        self.ssh = None
        self.is_open.clear()

    def answer_with_errors(self, why: str) -> None:
        """Answer what is open, and whatever comes, with an error that says `why`."""
        self.dead_because = why
        self.orphans.answer_all()
        for end in list(self.ends):
            end.lose_far()
            end.answer_with_errors()

    def print_for(self, header: Mapping[str, Any], text: str) -> bool:
        """Put a text on the standard error of the request with this header.

        A client keeps it with the result, and %px prints it. Returns whether it could be told.
        """
        ends = Connections(self.ends).of(process_of(str(header.get("msg_id", ""))), IOPUB)
        listeners = [end for end in ends if end.listens]
        for end in listeners:
            end.tell(self.error_replies.printed(header, text))
        return bool(listeners)

    async def without_clients(self, timeout_s: float) -> None:
        """Wait until no client is connected, or `timeout_s` is over."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._empty.wait(), timeout_s)

    def close_clients(self) -> None:
        """Make the clients close, so that later calls fail instead of waiting.

        A client drops the answers that it has not worked off by then: not to be said soon.
        """
        for end in list(self.ends):
            if end.name == NOTIFICATIONS and end.listens:
                end.tell(self.error_replies.closing())

    async def close(self) -> None:
        """Close the ports; what was said to clients is sent before."""
        for server in self._servers:
            server.close()
        for end in list(self.ends):
            end.close()
        await self.without_clients(FLUSH_TIMEOUT_S)

    def add(self, end: "ClientEnd") -> None:
        self.ends.add(end)
        self._empty.clear()
        if self.partner is not None:
            end.kept_as = self.partner.keep_client(end.name, end.socket.fileno())
        if end.name == DASK and is_of_another_user(end.route):  # dask asks nobody for a key
            end.close()
        elif self.dead_because:
            end.answer_with_errors()
        elif self.ssh is not None:
            self.open(end)

    def remove(self, end: "ClientEnd") -> None:
        with suppress(OSError):  # it stays open as long as the partner has a copy
            end.socket.shutdown(socket.SHUT_RDWR)
        if self.partner is not None:
            self.partner.drop(end.kept_as)
        self.ends.discard(end)
        if not self.ends:
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
        if self.ssh is not None and end in self.ends and end.far is None:
            end.release(CUT)


async def _serve(end: Any, **where: Any) -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(end, backlog=BACKLOG, **where)

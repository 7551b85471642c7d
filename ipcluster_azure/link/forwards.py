"""Plain forwards from this computer to programs on the controller's machine, such as JupyterLab.

Which there are is on record, where commands put them while the cluster runs. The bytes pass as they
are: unlike the ports of ipyparallel's clients (tunnels.py) nobody answers for a machine that is
dead. A connection that comes while the way is being opened again waits for it; one that was open is
closed, and browsers open another.
"""

import asyncio
import logging
import socket
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, cast

from ..errors import AzureLauncherError, MachineFailed
from ..record.contents import Tunnel
from ..record.file import RecordFile
from .gates import HOST
from .partner import Partner
from .tunnels import Tunnels

LOOK_S = 0.3

log = logging.getLogger(__name__)


class Forwards:
    """The forwards of one cluster, over the connection that `tunnels` have.

    `left` are ports that an earlier link had, still open, by name; `partner` keeps them.
    """

    def __init__(
        self,
        file: RecordFile,
        tunnels: Tunnels,
        partner: Partner | None,
        left: Mapping[str, socket.socket],
    ) -> None:
        self._file, self._tunnels, self._partner, self._left = file, tunnels, partner, left
        self._servers: dict[str, asyncio.Server] = {}
        self._remote: dict[str, int] = {}
        self._ends: set[NearEnd] = set()

    async def run(self) -> None:
        """Open what the record names, whenever it is changed, until the controller is dead."""
        seen = None
        while not self._tunnels.dead_because:
            with suppress(AzureLauncherError, OSError):
                stat = self._file.path.stat()
                if seen != (now := (stat.st_ino, stat.st_mtime_ns)):
                    await self._open(self._file.require().forwards)
                    seen = now
            await asyncio.sleep(LOOK_S)
        self.close()

    async def _open(self, wanted: Mapping[str, Tunnel]) -> None:
        for name, tunnel in wanted.items():
            self._remote[name] = tunnel.remote
            if name in self._servers:
                continue
            port = await self._listen(name, tunnel.local)
            with self._file.edit() as record:
                record.forwards[name].local = port

    async def _listen(self, name: str, port: int) -> int:
        """Listen at a port, or any where that is 0 or taken; returns which."""
        loop, make = asyncio.get_running_loop(), partial(NearEnd, self, name)
        left = self._left.get(name)
        try:
            where: dict[str, Any] = {"sock": left} if left else {"host": HOST, "port": port}
            server = await loop.create_server(make, **where)
        except OSError as error:
            if not port:
                raise
            log.warning("The port of %s can't be opened again: %s", name, error)
            server = await loop.create_server(make, host=HOST, port=0)
        self._servers[name] = server
        sock = server.sockets[0]
        if self._partner is not None and left is None:
            self._partner.keep_port(name, sock.fileno())
        return int(sock.getsockname()[1])

    def close(self) -> None:
        for server in self._servers.values():
            server.close()
        for end in list(self._ends):
            end.transport.abort()

    def add(self, end: "NearEnd") -> None:
        self._ends.add(end)

    def remove(self, end: "NearEnd") -> None:
        self._ends.discard(end)

    async def reach(self, end: "NearEnd", name: str) -> None:
        """Open a connection's way to the controller's machine, as soon as there is one."""
        await self._tunnels.is_open.wait()
        ssh = self._tunnels.ssh
        try:
            if ssh is None:
                raise MachineFailed("The connection to the controller is lost.")
            remote = self._remote[name]
            await ssh.open_tunnel(lambda: FarEnd(end), self._tunnels.address, remote)
        except MachineFailed as error:
            log.info("%s: %s", name, error)
            end.transport.abort()


class NearEnd(asyncio.Protocol):
    """A program's connection to a forward."""

    transport: asyncio.Transport

    def __init__(self, forwards: Forwards, name: str) -> None:
        self._forwards, self._name = forwards, name
        self._far: Any = None  # the SSH channel
        self._early = b""  # Python 3.10 reads on even if connection_made pauses it
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.pause_reading()
        self._forwards.add(self)
        self._opening = asyncio.ensure_future(self._forwards.reach(self, self._name))

    def reached(self, channel: Any) -> None:
        """Send on what has come already: the channel is open."""
        if self.transport.is_closing():
            channel.close()
            return
        self._far = channel
        if self._early:
            channel.write(self._early)
        self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._far is None:
            self._early += data
        else:
            self._far.write(data)

    def eof_received(self) -> bool:
        return False  # closes this end, and with it the other

    def connection_lost(self, exc: Exception | None) -> None:
        self._forwards.remove(self)
        if self._opening is not None:
            self._opening.cancel()
        if self._far is not None:
            self._far.close()

    def pause_writing(self) -> None:
        if self._far is not None:
            self._far.pause_reading()

    def resume_writing(self) -> None:
        if self._far is not None:
            self._far.resume_reading()


class FarEnd:
    """The SSH channel that leads on; asyncssh's SSHTCPSession in its methods."""

    def __init__(self, near: NearEnd) -> None:
        self._near = near
        self._channel: Any = None

    def connection_made(self, channel: Any) -> None:
        self._channel = channel

    def session_started(self) -> None:
        self._near.reached(self._channel)

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        self._near.transport.write(data)

    def eof_received(self) -> bool:
        self._near.transport.close()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._near.transport.close()

    def pause_writing(self) -> None:
        self._near.transport.pause_reading()

    def resume_writing(self) -> None:
        self._near.transport.resume_reading()

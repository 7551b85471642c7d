"""sshd's habits: who may log in, what a session is, where forwards go."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from typing import TYPE_CHECKING, Any, cast

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.forward import SSHForwarder

from .addresses import LOOPBACK
from .ssh_session import run_session

if TYPE_CHECKING:
    from .process_machines import Machine

MAX_SESSIONS = 10  # OpenSSH's MaxSessions, per connection
SFTP_VERSION = 3  # OpenSSH's
OPEN_CONNECT_FAILED = 2


class MachineServer(asyncssh.SSHServer):
    """One connection to a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._connection: asyncssh.SSHServerConnection | None = None
        self._channels: list[asyncssh.SSHServerChannel[bytes]] = []

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._machine.connections.add(conn)
        spec = self._machine.spec
        local = conn.get_extra_info("sockname")[0]
        peer = conn.get_extra_info("peername")[0]
        if local == spec.public_address and not spec.admits(peer):
            conn.abort()  # a packet filter would drop it; a process can only hang up

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection:
            self._machine.connections.discard(self._connection)

    # Logging in

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        known = key.public_data in self._machine.keys
        return known and username == self._machine.spec.admin_username

    def password_auth_supported(self) -> bool:
        return self._machine.spec.password is not None

    def validate_password(self, username: str, password: str) -> bool:
        spec = self._machine.spec
        return username == spec.admin_username and password == spec.password

    # Sessions

    def session_requested(self) -> Any:
        """A session counts until its channel begins to close, as sshd counts."""
        self._channels = [channel for channel in self._channels if not channel.is_closing()]
        if len(self._channels) >= MAX_SESSIONS:
            raise asyncssh.ChannelOpenError(OPEN_CONNECT_FAILED, "open failed")
        connection = self._connection
        assert connection is not None  # noqa: S101 - asyncssh calls connection_made first
        channel: asyncssh.SSHServerChannel[bytes] = connection.create_server_channel(encoding=None)
        self._channels.append(channel)
        session: asyncssh.SSHServerProcess[bytes] = asyncssh.SSHServerProcess(
            self._run, self._sftp, SFTP_VERSION, True
        )
        return channel, session

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        machine = self._machine
        await run_session(process, machine.home, machine.environment, lambda: machine.up)

    def _sftp(self, channel: SSHChannel[bytes]) -> HomeSFTPServer:
        # asyncssh's own types disagree: sessions have the server's kind of channel.
        server_channel = cast(asyncssh.SSHServerChannel[bytes], channel)
        return HomeSFTPServer(server_channel, os.fsencode(self._machine.home))

    # Forwards

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Any:
        return self._connect(dest_host, dest_port)

    async def _connect(self, host: str, port: int) -> SSHForwarder:
        """From the machine's own address; beyond the loopback only with a way out."""
        spec = self._machine.spec
        inside = host == "localhost" or _is_loopback(host)
        if not inside and not spec.outbound:
            raise asyncssh.ChannelOpenError(OPEN_CONNECT_FAILED, "Network is unreachable")
        source = (spec.private_address, 0) if inside else None
        target = "127.0.0.1" if host == "localhost" else host
        try:
            _, peer = await asyncio.get_running_loop().create_connection(
                SSHForwarder, target, port, local_addr=source
            )
        except OSError as error:
            raise asyncssh.ChannelOpenError(OPEN_CONNECT_FAILED, str(error)) from None
        return SSHForwarder(peer)

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        return True


class HomeSFTPServer(asyncssh.SFTPServer):
    """Relative paths start at the login's home, as with OpenSSH; there is no chroot."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], home: bytes) -> None:
        super().__init__(channel)
        self._home = home

    def map_path(self, path: bytes) -> bytes:
        return os.path.join(self._home, path)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in LOOPBACK
    except ValueError:
        return False

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
from .sftp_server import HomeSFTPServer
from .ssh_session import run_session

if TYPE_CHECKING:
    from .machine import Machine

MAX_SESSIONS = 10  # OpenSSH's MaxSessions, per connection
MAX_AUTH_TRIES = 6
PROTOCOL_ERROR = 2  # a reason to disconnect
SFTP_VERSION = 3  # OpenSSH's
OPEN_CONNECT_FAILED = 2
CONNECT_GIVES_UP_S = 127.0  # Linux, after six retries


class MachineServer(asyncssh.SSHServer):
    """One connection to a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._connection: asyncssh.SSHServerConnection | None = None
        self._channels: list[asyncssh.SSHServerChannel[bytes]] = []
        self._failures = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._machine.connections.add(conn)

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
        return self._counted(known and username == self._machine.spec.admin_username)

    def _counted(self, admitted: bool) -> bool:
        """Return whether the login is admitted; after too many wrong tries sshd hangs up."""
        self._failures += not admitted
        if self._failures >= MAX_AUTH_TRIES:
            raise asyncssh.DisconnectError(PROTOCOL_ERROR, "Too many authentication failures")
        return admitted

    def password_auth_supported(self) -> bool:
        return self._machine.spec.password is not None

    def validate_password(self, username: str, password: str) -> bool:
        spec = self._machine.spec
        return self._counted(username == spec.admin_username and password == spec.password)

    # Sessions

    def session_requested(self) -> Any:
        """Admit a session; it counts until its channel begins to close, as sshd counts."""
        self._channels = [channel for channel in self._channels if not channel.is_closing()]
        if len(self._channels) >= MAX_SESSIONS:
            raise asyncssh.ChannelOpenError(OPEN_CONNECT_FAILED, "open failed")
        connection = self._connection
        assert connection is not None  # noqa: S101 - asyncssh calls connection_made first
        channel: asyncssh.SSHServerChannel[bytes] = connection.create_server_channel(encoding=None)
        self._channels.append(channel)
        session = Session(self._run, self._sftp, SFTP_VERSION, True)
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
        """Connect from the machine's own address; beyond the loopback only if it has a way out."""
        spec = self._machine.spec
        inside = host == "localhost" or _is_loopback(host)
        if not inside and not spec.outbound:
            raise asyncssh.ChannelOpenError(OPEN_CONNECT_FAILED, "Network is unreachable")
        target = "127.0.0.1" if host == "localhost" else host
        if inside and not spec.network.lets_out(target, port):
            await asyncio.sleep(CONNECT_GIVES_UP_S)  # its packets are dropped: no answer comes
            raise asyncssh.ChannelOpenError(OPEN_CONNECT_FAILED, "Connection timed out")
        source = (self._source(target), 0) if inside else None
        try:
            transport, peer = await asyncio.get_running_loop().create_connection(
                SSHForwarder, target, port, local_addr=source
            )
        except OSError as error:
            raise asyncssh.ChannelOpenError(OPEN_CONNECT_FAILED, _reason(error)) from None
        self._machine.forwards.add(transport)
        return SSHForwarder(peer)

    def _source(self, target: str) -> str:
        """Return the address that the target sees: other networks see the public one."""
        spec = self._machine.spec
        near = target in spec.addresses or spec.network.is_near(target)
        return (
            spec.private_address if near else spec.network.public_address() or spec.private_address
        )

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        return True

    def unix_connection_requested(self, dest_path: str) -> bool:
        return True

    def unix_server_requested(self, listen_path: str) -> bool:
        return True


class Session(asyncssh.SSHServerProcess[bytes]):
    """A session that refuses subsystems it doesn't know, as sshd; asyncssh would run a shell."""

    def subsystem_requested(self, subsystem: str) -> bool:
        return subsystem == "sftp" and super().subsystem_requested(subsystem)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in LOOPBACK
    except ValueError:
        return False


def _reason(error: OSError) -> str:
    """Return the bare text of the system's error, as sshd says it."""
    return os.strerror(error.errno) if error.errno else str(error)

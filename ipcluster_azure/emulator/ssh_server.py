"""sshd's habits: who may log in, what a session is, where forwards go."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.forward import SSHForwarder

from .addresses import LOOPBACK
from .ssh_session import run_session

if TYPE_CHECKING:
    from .process_machines import Machine

MAX_SESSIONS = 10  # OpenSSH's MaxSessions, per connection
OPEN_CONNECT_FAILED = 2


class MachineServer(asyncssh.SSHServer):
    """One connection to a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._connection: asyncssh.SSHServerConnection | None = None
        self._sessions = 0

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
        if self._sessions >= MAX_SESSIONS:
            raise asyncssh.ChannelOpenError(OPEN_CONNECT_FAILED, "open failed")
        connection = self._connection
        assert connection is not None  # noqa: S101 - asyncssh calls connection_made first
        self._sessions += 1
        session: asyncssh.SSHServerProcess[bytes] = CountedProcess(
            self._run, self._sftp, 3, True, self._session_over
        )
        return connection.create_server_channel(encoding=None), session

    def _session_over(self) -> None:
        self._sessions -= 1

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


class CountedProcess(asyncssh.SSHServerProcess[bytes]):
    """Tells when the session is over, whatever kind it was (command, shell, SFTP, scp)."""

    def __init__(
        self,
        run: Callable[[asyncssh.SSHServerProcess[bytes]], Awaitable[None]],
        sftp: Callable[[SSHChannel[bytes]], asyncssh.SFTPServer],
        sftp_version: int,
        allow_scp: bool,
        over: Callable[[], None],
    ) -> None:
        super().__init__(run, sftp, sftp_version, allow_scp)
        self._over: Callable[[], None] | None = over

    def connection_lost(self, exc: Exception | None) -> None:
        over, self._over = self._over, None
        if over:
            over()
        super().connection_lost(exc)


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

"""What is done over an open SSH connection: commands that report events, and tunnels."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncssh

from ..errors import BootstrapFailed, MachineFailed

CONCURRENT_LOGINS = 64  # through one connection; each takes some 8 ms of this computer's time
MAX_SESSIONS = 8  # on one connection; OpenSSH's default MaxSessions is 10
# bytes under way to us in a tunnel; asyncssh's own 2 MB fill a line of 1 Gbit/s up to 17 ms away
WINDOW = 1 << 24
# Linux, struct tcp_info of linux/tcp.h: eight bytes, then 32-bit fields, of which this is one
TCP_INFO_SIZE, LAST_DATA_RECEIVED_MS = 104, 11
CHUNK = 1 << 18  # bytes
OUTPUT_TAIL = 2000  # characters of a failed command's output that fit a message


class Connection:
    """An open connection; use it in an `async with` block."""

    def __init__(self, name: str, ssh: asyncssh.SSHClientConnection) -> None:
        self.name, self.ssh = name, ssh
        self._sessions = asyncio.Semaphore(MAX_SESSIONS)
        self.logins = asyncio.Semaphore(CONCURRENT_LOGINS)

    async def __aenter__(self) -> "Connection":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.ssh.close()
        await self.ssh.wait_closed()

    async def wait_closed(self) -> None:
        await self.ssh.wait_closed()

    def abort(self) -> None:
        """Close without saying so to the other side, which does not listen any more."""
        self.ssh.abort()

    def silent_s(self) -> float:
        """Return the seconds since anything came from the machine, 0 where the system can't tell
        (only Linux can). Never much more than keepalive_s while all is well."""
        sock = self.ssh.get_extra_info("socket")
        if sock is None or not hasattr(socket, "TCP_INFO"):
            return 0.0
        try:
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE)
        except OSError:  # it is closed, which wait_closed tells
            return 0.0
        return float(struct.unpack_from("=I", info, 8 + 4 * LAST_DATA_RECEIVED_MS)[0]) / 1000

    async def open_tunnel(self, session: Callable[[], Any], host: str, port: int) -> None:
        """Open a channel to host:port as seen from the machine; `session` makes what is called
        back, with the methods of asyncssh.SSHTCPSession. Raises MachineFailed."""
        try:
            await self.ssh.create_connection(session, host, port, window=WINDOW)
        except (OSError, asyncssh.Error) as error:
            raise MachineFailed(f"{self.name} can't reach {host}:{port}: {error}") from error

    async def events(
        self,
        command: str,
        *,
        stdin: bytes | AsyncIterable[bytes] = b"",
        timeout_s: float,
        on_event: Callable[[dict[str, Any]], None] = lambda event: None,
    ) -> dict[str, dict[str, Any]]:
        """Run a command that prints one JSON object a line; return the last of each "event".

        `stdin` is what it reads, at once or in pieces that are asked for as the line takes them.

        Raises BootstrapFailed with the reason or the output if it fails or is too slow.
        """
        try:
            async with self._sessions:
                return await asyncio.wait_for(self._events(command, stdin, on_event), timeout_s)
        except asyncio.TimeoutError:
            raise BootstrapFailed(
                f"{self.name} did not finish within {timeout_s:.0f} s: {_short(command)}"
            ) from None
        except (OSError, asyncssh.Error) as error:
            raise MachineFailed(f"The connection to {self.name} broke: {error}") from error

    async def follow(self, command: str, on_event: Callable[[dict[str, Any]], None]) -> None:
        """Run a command that prints events for as long as its standard input is open.

        Returns when it ends; raises BootstrapFailed with what it says if it fails, MachineFailed if
        the connection breaks.
        """
        failed: dict[str, Any] | None = None
        try:
            async with self._sessions, self._running(command) as process:
                async for line in process.stdout:
                    if (event := _parse_event(line)) is not None:
                        failed = event if event["event"] == "failed" else failed
                        on_event(event)
                errors = await process.stderr.read()
        except (OSError, asyncssh.Error) as error:
            raise MachineFailed(f"The connection to {self.name} broke: {error}") from error
        if process.exit_status:
            output = errors.decode(errors="replace")
            raise BootstrapFailed(self._failure(process.exit_status, failed, output))

    async def read(self, command: str, stdin: bytes, take: Callable[[bytes], None]) -> None:
        """Run a command and hand on what it prints, as it comes; what `take` raises is raised.

        Raises BootstrapFailed with what it says if it fails, MachineFailed if the line breaks.
        """
        try:
            async with self._sessions, self._running(command) as process:
                await _feed(process.stdin, stdin)
                while data := await process.stdout.read(CHUNK):
                    take(data)
                errors = await process.stderr.read()
        except (asyncssh.Error, ConnectionError) as error:
            raise MachineFailed(f"The connection to {self.name} broke: {error}") from error
        if process.exit_status is None:
            raise MachineFailed(f"The connection to {self.name} broke.")
        if process.exit_status != 0:
            output = errors.decode(errors="replace")
            raise BootstrapFailed(self._failure(process.exit_status, None, output))

    @asynccontextmanager
    async def _running(self, command: str) -> "AsyncIterator[asyncssh.SSHClientProcess[bytes]]":
        """Run a command until it has ended, which its exit status then tells.

        Whoever leaves early waits for nothing: the other side may not answer any more, for which
        asyncssh's own `async with` waits whatever time limit it is in.
        """
        process = await self.ssh.create_process(command, encoding=None)
        try:
            yield process
            await process.wait_closed()
        finally:
            process.close()

    async def _events(
        self,
        command: str,
        stdin: bytes | AsyncIterable[bytes],
        on_event: Callable[[dict[str, Any]], None],
    ) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        other: list[str] = []

        async def read_events() -> None:
            async for line in process.stdout:
                event = _parse_event(line)
                if event is None:
                    other.append(line.decode(errors="replace"))
                    continue
                found[event["event"]] = event
                on_event(event)

        async with self._running(command) as process:
            reading = (read_events(), process.stderr.read(), _feed(process.stdin, stdin))
            _, errors, _ = await asyncio.gather(*reading)
            other.append(errors.decode(errors="replace"))
        status = process.exit_status
        if status is None:
            raise MachineFailed(f"The connection to {self.name} broke.")
        if status != 0:
            raise BootstrapFailed(self._failure(status, found.get("failed"), "".join(other)))
        return found

    def _failure(self, status: int, failed: dict[str, Any] | None, output: str) -> str:
        if failed is None:
            return f"A command on {self.name} ended with {status}:\n{output[-OUTPUT_TAIL:]}"
        tail = (failed.get("log_tail") or "")[-OUTPUT_TAIL:]
        return f"{self.name}: {failed.get('reason', 'failed')}" + (f"\n{tail}" if tail else "")


async def _feed(writer: asyncssh.SSHWriter[bytes], data: bytes | AsyncIterable[bytes]) -> None:
    """Write all, then the end; a command that has ended before needs no more, its status tells."""
    with suppress(BrokenPipeError):
        if isinstance(data, bytes):
            writer.write(data)
        else:
            async for piece in data:
                writer.write(piece)
                await writer.drain()
        writer.write_eof()


def _parse_event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _short(command: str) -> str:
    return command if len(command) < 200 else f"{command[:200]}..."

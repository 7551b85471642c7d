"""SSH: the only module that imports asyncssh, and the only place where its errors are mapped.

The host keys are made before the machines are and always checked; there are no passwords. Engines
are reached through the controller's connection.
"""

import asyncio
import functools
import getpass
import json
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncssh

from .errors import (
    BootstrapFailed,
    BootTimeout,
    ConfigurationError,
    HostKeyMismatch,
    MachineFailed,
)
from .record import Machine, Record
from .record_file import RecordFile

PROBE_INTERVAL_S = 1.0
# a SYN that is lost because the machine boots is sent again after 1, 3 and 7 s: too rarely
PROBE_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 10.0
CONCURRENT_LOGINS = 64  # through one connection; each takes some 8 ms of this computer's time
KEEPALIVE_INTERVAL_S = 15
KEEPALIVE_PATIENCE_S = 60  # of silence, until a connection counts as broken
# Linux, struct tcp_info of linux/tcp.h: eight bytes, then 32-bit fields, of which this is one
TCP_INFO_SIZE, LAST_DATA_RECEIVED_MS = 104, 11
MAX_SESSIONS = 8  # on one connection; OpenSSH's default MaxSessions is 10
# bytes under way to us in a tunnel; asyncssh's own 2 MB fill a line of 1 Gbit/s up to 17 ms away
WINDOW = 1 << 24
FAST_CIPHER = "^aes128-gcm@openssh.com"  # first; twice as fast as asyncssh's first choice
RSA_BITS = 3072  # ed25519 login keys are unverified for Azure
OUTPUT_TAIL = 2000  # characters of a failed command's output that fit a message


@dataclass(frozen=True)
class Target:
    """A machine to log in to."""

    name: str
    host: str
    port: int
    username: str
    key_file: str
    host_key: str


def controller_target(file: RecordFile, record: Record) -> Target:
    plan, controller = record.plan, record.controller
    return Target(
        "the controller",
        controller.host,
        plan.ssh_port,
        plan.machine.admin_username,
        str(file.key_file),
        controller.host_key,
    )


def engine_target(file: RecordFile, record: Record, set_id: str, machine: Machine) -> Target:
    plan = record.plan
    return Target(
        machine.name,
        machine.address,
        plan.ssh_port,
        plan.machine.admin_username,
        str(file.key_file),
        record.engine_sets[set_id].host_key,
    )


@dataclass(frozen=True)
class KeyPair:
    """A key in OpenSSH's formats."""

    private: str
    public: str


def make_login_key() -> KeyPair:
    return _key_pair("ssh-rsa", key_size=RSA_BITS)


def make_host_key() -> KeyPair:
    return _key_pair("ssh-ed25519")


def _key_pair(algorithm: str, **options: Any) -> KeyPair:
    key = asyncssh.generate_private_key(algorithm, comment="ipcluster-azure", **options)
    public = key.export_public_key().decode().strip()
    return KeyPair(key.export_private_key().decode(), public)


class Connection:
    """An open connection; use it in an `async with` block."""

    def __init__(self, target: Target, ssh: asyncssh.SSHClientConnection) -> None:
        self.target, self._ssh = target, ssh
        self._sessions = asyncio.Semaphore(MAX_SESSIONS)
        self.logins = asyncio.Semaphore(CONCURRENT_LOGINS)

    async def __aenter__(self) -> "Connection":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._ssh.close()
        await self._ssh.wait_closed()

    async def wait_closed(self) -> None:
        await self._ssh.wait_closed()

    def abort(self) -> None:
        """Close without saying so to the other side, which does not listen any more."""
        self._ssh.abort()

    def silent_s(self) -> float:
        """Seconds since anything came from the machine, 0 where the system can't tell (only Linux
        can). Never much more than keepalive_s while all is well."""
        sock = self._ssh.get_extra_info("socket")
        if sock is None or not hasattr(socket, "TCP_INFO"):
            return 0.0
        try:
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE)
        except OSError:  # it is closed, which wait_closed tells
            return 0.0
        return float(struct.unpack_from("=I", info, 8 + 4 * LAST_DATA_RECEIVED_MS)[0]) / 1000

    async def forward(self, local_port: int, host: str, port: int) -> int:
        """Forward 127.0.0.1:local_port (0: any) to host:port as seen from the machine."""
        # forward_local_port has no argument for it
        opened = functools.partial(self._ssh.create_connection, window=WINDOW)
        self._ssh.create_connection = opened  # type: ignore[method-assign]
        listener = await self._ssh.forward_local_port("127.0.0.1", local_port, host, port)
        return int(listener.get_port())

    async def events(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        timeout_s: float,
        on_event: Callable[[dict[str, Any]], None] = lambda event: None,
    ) -> dict[str, dict[str, Any]]:
        """Run a command that prints one JSON object a line; return the last of each "event".

        Raises BootstrapFailed with the reason or the output if it fails or is too slow.
        """
        try:
            async with self._sessions:
                return await asyncio.wait_for(self._events(command, stdin, on_event), timeout_s)
        except asyncio.TimeoutError:
            raise BootstrapFailed(
                f"{self.target.name} did not finish within {timeout_s:.0f} s: {_short(command)}"
            ) from None
        except (OSError, asyncssh.Error) as error:
            raise MachineFailed(f"The connection to {self.target.name} broke: {error}") from error

    async def _events(
        self, command: str, stdin: bytes, on_event: Callable[[dict[str, Any]], None]
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

        async with self._ssh.create_process(command, encoding=None) as process:
            with suppress(BrokenPipeError):  # a short command may have ended; its status tells
                process.stdin.write(stdin)
                process.stdin.write_eof()
            _, errors = await asyncio.gather(read_events(), process.stderr.read())
            other.append(errors.decode(errors="replace"))
            await process.wait_closed()
            status = process.exit_status
        if status is None:
            raise MachineFailed(f"The connection to {self.target.name} broke.")
        if status != 0:
            raise BootstrapFailed(self._failure(status, found.get("failed"), "".join(other)))
        return found

    def _failure(self, status: int, failed: dict[str, Any] | None, output: str) -> str:
        if failed is None:
            return f"A command on {self.target.name} ended with {status}:\n{output[-OUTPUT_TAIL:]}"
        tail = (failed.get("log_tail") or "")[-OUTPUT_TAIL:]
        return f"{self.target.name}: {failed.get('reason', 'failed')}" + (
            f"\n{tail}" if tail else ""
        )


def _parse_event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _short(command: str) -> str:
    return command if len(command) < 120 else f"{command[:120]}..."


async def connect(
    target: Target,
    *,
    timeout_s: float,
    through: Connection | None = None,
    keepalive_s: int = KEEPALIVE_INTERVAL_S,
) -> Connection:
    """Log in, trying once a second until `timeout_s` is over, since the machine may still boot.

    After `keepalive_s` without anything from it the machine is asked for a sign of life.

    Raises ConfigurationError for an unreadable key and HostKeyMismatch at once, BootTimeout with
    the last reason at the end.
    """
    _ensure_local_user()
    key = _login_key(target.key_file)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        tried_at = loop.time()
        try:
            limit_s = min(CONNECT_TIMEOUT_S, timeout_s)
            return await _connect_once(target, key, through, limit_s, keepalive_s)
        except asyncssh.HostKeyNotVerifiable as error:
            raise HostKeyMismatch(
                f"{target.name} at {target.host}:{target.port} has another host key than the one "
                "that was made for it; something else answers there. Nothing was sent to it."
            ) from error
        except (OSError, asyncssh.Error, asyncio.TimeoutError) as error:
            if loop.time() >= deadline:
                raise BootTimeout(
                    f"{target.name} did not answer over SSH at {target.host}:{target.port} within "
                    f"{timeout_s:.0f} s ({_reason(error)})."
                ) from error
        await asyncio.sleep(max(0.0, tried_at + PROBE_INTERVAL_S - loop.time()))


async def _connect_once(
    target: Target,
    key: asyncssh.SSHKey,
    through: Connection | None,
    timeout_s: float,
    keepalive_s: int,
) -> Connection:
    options: dict[str, Any] = {
        "keepalive_interval": keepalive_s,
        "keepalive_count_max": KEEPALIVE_PATIENCE_S // keepalive_s,
    }
    if through is None:
        options["sock"] = await _reach(target.host, target.port)
        return await asyncio.wait_for(_log_in(target, key, **options), timeout_s)
    async with through.logins:
        options["tunnel"] = through._ssh
        return await asyncio.wait_for(_log_in(target, key, **options), timeout_s)


async def _reach(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        connecting = asyncio.get_running_loop().sock_connect(sock, (host, port))
        await asyncio.wait_for(connecting, PROBE_TIMEOUT_S)
    except BaseException:
        sock.close()
        raise
    return sock


async def _log_in(target: Target, key: asyncssh.SSHKey, **options: Any) -> Connection:
    host_key = asyncssh.import_public_key(target.host_key)
    ssh = await asyncssh.connect(
        target.host,
        target.port,
        config=None,
        username=target.username,
        client_keys=[key],
        agent_path=None,
        preferred_auth="publickey",
        known_hosts=([host_key], [], []),
        server_host_key_algs=["ssh-ed25519"],
        encryption_algs=FAST_CIPHER,
        **options,
    )
    return Connection(target, ssh)


def _login_key(path: str) -> asyncssh.SSHKey:
    try:
        return _read_key(path, os.stat(path).st_mtime_ns)
    except (OSError, asyncssh.KeyImportError) as error:
        raise ConfigurationError(
            f"The cluster's login key {path} can't be read: {error}. Without it the machines can't "
            "be reached; `ipcluster stop` still deletes them."
        ) from error


@functools.lru_cache(maxsize=8)
def _read_key(path: str, mtime_ns: int) -> asyncssh.SSHKey:
    """Checking an RSA key takes 170 ms, which all connections to a cluster's machines share."""
    return asyncssh.read_private_key(path)


def _reason(error: BaseException) -> str:
    return "no answer" if isinstance(error, asyncio.TimeoutError) else str(error) or repr(error)


def _ensure_local_user() -> None:
    """asyncssh wants the local user's name, which a container may not have ("Unknown local
    username"); nothing here depends on it."""
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):
        os.environ["LOGNAME"] = "nobody"

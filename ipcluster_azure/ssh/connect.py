"""Logs in to the machines. With connection.py all that imports asyncssh, or maps its errors.

The host keys are made before the machines are and always checked; there are no passwords. Engines
are reached through the controller's connection.
"""

import asyncio
import errno
import getpass
import os
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import asyncssh

from ..errors import BootTimeout, ConfigurationError, HostKeyMismatch
from ..naming import NOBODY
from ..record.contents import Machine, Record
from ..record.file import RecordFile
from . import silence
from .connection import Connection
from .silence import Symptom

T = TypeVar("T")
NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)
PROBE_INTERVAL_S = 1.0
# a SYN that is lost because the machine boots is sent again after 1, 3 and 7 s: too rarely
PROBE_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 10.0
KEEPALIVE_INTERVAL_S = 15
KEEPALIVE_PATIENCE_S = 60  # of silence, until a connection counts as broken
FAST_CIPHER = "^aes128-gcm@openssh.com"  # first; twice as fast as asyncssh's first choice


@dataclass(frozen=True)
class Target:
    """A machine to log in to. `causes`: what may be the reason that it doesn't answer."""

    name: str
    host: str
    port: int
    username: str
    key_file: str
    host_key: str
    causes: Callable[[Symptom], list[str]] = lambda symptom: []


def controller_target(file: RecordFile, record: Record) -> Target:
    plan, controller = record.plan, record.controller
    return Target(
        "the controller",
        controller.host,
        plan.ssh_port,
        plan.machine.admin_username,
        str(file.key_file),
        controller.host_key,
        partial(silence.of_controller, plan, controller.host),
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
        partial(silence.of_engine, plan),
    )


def boot_timeout(target: Target, within: str, error: BaseException | None = None) -> BootTimeout:
    """What to raise when a machine has not answered in time; `error` is how it failed last."""
    symptom = _symptom(error) if error else Symptom.SILENCE
    reason = f" ({_reason(error)})" if error else ""
    return BootTimeout(
        f"{target.name} did not answer over SSH at {target.host}:{target.port} within {within}"
        f"{reason}.",
        silence.listed(target.causes(symptom)),
    )


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
    key = _read_login_key(target.key_file)
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
                raise boot_timeout(target, f"{timeout_s:.0f} s", error) from error
        await asyncio.sleep(max(0.0, tried_at + PROBE_INTERVAL_S - loop.time()))


async def require_open(target: Target) -> None:
    """Return if the machine's SSH port can be reached; raises BootTimeout within PROBE_TIMEOUT_S.

    For machines that have answered before: whoever asks them something waits no longer than that.
    """
    try:
        (await _reach(target.host, target.port)).close()
    except (OSError, asyncio.TimeoutError) as error:
        raise boot_timeout(target, f"{PROBE_TIMEOUT_S:.0f} s", error) from error


def _read_login_key(path: str) -> asyncssh.SSHKey:
    """Read the private key of a cluster; raises ConfigurationError if it is missing or damaged.

    What is not checked is whether its numbers fit: that takes 170 ms in each of a cluster's
    processes, and guards against keys that others made.
    """
    try:
        return asyncssh.read_private_key(path, unsafe_skip_rsa_key_validation=True)
    except (OSError, asyncssh.KeyImportError) as error:
        raise ConfigurationError(
            f"The cluster's login key {path} can't be read: {error}. Without it the machines can't "
            "be reached; `ipcluster stop` still deletes them."
        ) from error


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
        return await _within(timeout_s, _log_in(target, key, **options))
    async with through.logins:
        options["tunnel"] = through.ssh
        return await _within(timeout_s, _log_in(target, key, **options))


async def _within(timeout_s: float, work: Coroutine[Any, Any, T]) -> T:
    """Do what asyncio.wait_for does, which up to Python 3.11 swallows a cancellation that comes
    together with the end of the work: a refused connection, and the attempts would go on for ever.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task], timeout=timeout_s)
        if not task.done():
            raise asyncio.TimeoutError
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _reach(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        connecting = asyncio.get_running_loop().sock_connect(sock, (host, port))
        await _within(PROBE_TIMEOUT_S, connecting)
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
    return Connection(target.name, ssh)


def _symptom(error: BaseException) -> Symptom:
    if isinstance(error, asyncssh.PermissionDenied):
        return Symptom.LOGIN
    if isinstance(error, asyncio.TimeoutError):
        return Symptom.SILENCE
    if isinstance(error, ConnectionRefusedError) or "refused" in str(error).lower():
        return Symptom.REFUSAL
    if isinstance(error, OSError) and error.errno in NO_WAY:
        return Symptom.NO_WAY
    return Symptom.OTHER


def _reason(error: BaseException) -> str:
    return "no answer" if isinstance(error, asyncio.TimeoutError) else str(error) or repr(error)


def _ensure_local_user() -> None:
    """Give asyncssh a local user's name, which a container may not have ("Unknown local
    username"); nothing here depends on it."""
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):
        os.environ["LOGNAME"] = NOBODY

"""OpenSSH's own sshd for comparison: run as the user, on a free port, with Ubuntu's defaults."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from .cloud import Keys

CONFIG = """
ListenAddress 127.0.0.1:{port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class Server:
    """Where an SSH server is, and who may log in."""

    address: str
    port: int
    user: str
    keys: Keys

    @asynccontextmanager
    async def connect(self, **options: Any) -> AsyncIterator[asyncssh.SSHClientConnection]:
        settings: dict[str, Any] = {
            "username": self.user,
            "client_keys": [self.keys.login],
            "known_hosts": self.keys.known_hosts,
            "config": None,
            "agent_path": None,
        }
        async with asyncssh.connect(self.address, self.port, **(settings | options)) as connection:
            yield connection


def sshd() -> str | None:
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def why_not() -> str:
    """Why there is nothing to compare with; empty if there is."""
    if sshd() is None:
        return "no sshd is installed"
    if os.geteuid() == 0:  # started by root, sshd wants the directory that systemd makes for it
        try:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        except OSError as error:
            return f"sshd as root needs /run/sshd: {error}"
    return ""


@contextmanager
def running(directory: Path, keys: Keys) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (directory / "host_key").write_bytes(keys.host.export_private_key())
    (directory / "host_key").chmod(0o600)
    (directory / "authorized_keys").write_text(keys.login_public)
    (directory / "config").write_text(CONFIG.format(port=port, directory=directory))
    command = [str(sshd()), "-D", "-e", "-f", str(directory / "config")]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
    try:
        _wait(process, port, directory / "log")
        yield Server("127.0.0.1", port, getpass.getuser(), keys)
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 10
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(log.read_text())
        time.sleep(0.02)

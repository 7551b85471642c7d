"""The near end of a tunnel as the link has it, with OpenSSH's sshd at the far end.

    python -m benchmarks.openssh TARGET_JSON PORT

is the near end, in a process of its own: it prints the local port that leads to PORT, and ends with
its input. The functions are for tunnel.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh

from ipcluster_azure.link.error_replies import ErrorReplies
from ipcluster_azure.link.journal import Journal
from ipcluster_azure.link.tunnels import Tunnels
from ipcluster_azure.ssh.connect import Target, connect

CHUNK = 1 << 20
CONFIGURATION = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/login.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
"""


def sshd() -> str | None:
    """OpenSSH's server, if it is installed and may be started."""
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found and os.geteuid() == 0:  # root's sshd wants the directory that systemd makes for it
        with contextlib.suppress(OSError):
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server() -> Iterator[dict[str, object]]:
    """A running sshd; gives the members of a Target that leads to it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        folder, port = Path(directory), free_port()
        for name in ("host", "login"):
            key = asyncssh.generate_private_key("ssh-ed25519")
            key.write_private_key(str(folder / name))
            key.write_public_key(str(folder / f"{name}.pub"))
            (folder / name).chmod(0o600)
        configuration = folder / "configuration"
        configuration.write_text(CONFIGURATION.format(port=port, folder=folder))
        command = [str(sshd()), "-D", "-f", str(configuration)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield {
                "name": "sshd",
                "host": "127.0.0.1",
                "port": port,
                "username": getpass.getuser(),
                "key_file": str(folder / "login"),
                "host_key": (folder / "host.pub").read_text(),
            }
        finally:
            process.terminate()
            process.wait(10)


@contextlib.contextmanager
def near_end(target: dict[str, object], port: int) -> Iterator[int]:
    """The local port of a tunnel to that port."""
    command = [sys.executable, "-m", "benchmarks.openssh", json.dumps(target), str(port)]
    pipes = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipes, stdout=pipes, text=True) as process:
        yield int(process.stdout.readline())  # type: ignore[union-attr]


def mb_s(megabytes: int, *, up: bool, through: dict[str, object] | None) -> float:
    """Raw bytes to or from a listener on this computer, through a tunnel or straight to it."""
    size = megabytes * 1_000_000
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        threading.Thread(target=far_end, args=(listener, size, up), daemon=True).start()
        with contextlib.ExitStack() as stack:
            if through is not None:
                port = stack.enter_context(near_end(through, port))
            near = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            began = time.perf_counter()
            if up:
                near.sendall(bytes(size))
                near.recv(1)
            else:
                receive(near, size)
            return megabytes / (time.perf_counter() - began)


def far_end(listener: socket.socket, size: int, up: bool) -> None:
    connection, _ = listener.accept()
    with connection:
        if up:
            receive(connection, size)
            connection.sendall(b"k")
        else:
            connection.sendall(bytes(size))


def receive(connection: socket.socket, size: int) -> None:
    while size > 0 and (chunk := connection.recv(CHUNK)):
        size -= len(chunk)


async def main() -> None:
    target = Target(**json.loads(sys.argv[1]))
    async with await connect(target, timeout_s=10) as connection:
        tunnels = Tunnels(ErrorReplies({}), Journal(Path(os.devnull)))
        tunnels.attach(connection, "127.0.0.1")
        print(await tunnels.listen("bytes", 0, int(sys.argv[2])), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())

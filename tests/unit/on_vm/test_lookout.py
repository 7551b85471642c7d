"""The script that sees which machines have booted, run as it is there: from standard input."""

import json
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ipcluster_azure.on_vm.scripts import lookout
from ipcluster_azure.ssh.commands import BARE

SOON_S = 1.5


def look(addresses: list[str], port: int, timeout_s: float, soft_limit: int = 256) -> list[str]:
    """The addresses that it says answer, in that order; it must end by itself."""
    limited = f'ulimit -Sn {soft_limit}; exec "$@"'
    words = [sys.executable, BARE, "-", str(port), str(timeout_s), *addresses]
    done = subprocess.run(
        ["/bin/sh", "-c", limited, "sh", *words],
        input=Path(lookout.__file__).read_text(encoding="utf-8"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["event"] for event in events} <= {"answers"}
    return [event["address"] for event in events]


@contextmanager
def machine(
    address: str,
    port: int,
    greeting: bytes,
    after_s: float = 0.0,
    pause_s: float = 0.0,
    only: str = "",
    asked: list[float] | None = None,
) -> Iterator[int]:
    """Something that listens there after `after_s`, and greets everyone, or those that ask for
    `only`, after `pause_s`; notes when it was asked. Gives the port."""
    silent: list[socket.socket] = []
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))

    def answer() -> None:
        time.sleep(after_s)
        server.listen(2000)
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                break
            if asked is not None:
                asked.append(time.monotonic())
            if only in ("", connection.getsockname()[0]):
                time.sleep(pause_s)
                connection.sendall(greeting)
                connection.close()
            else:
                silent.append(connection)
        for connection in silent:
            connection.close()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(timeout=5)


@pytest.fixture(autouse=True)
def room_for_many() -> None:
    """The test holds the other ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture
def booted() -> Iterator[int]:
    with machine("127.78.0.4", 0, b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        yield port


def test_machines_are_told_as_they_come(booted: int) -> None:
    with machine("127.78.0.5", booted, b"SSH-2.0-x\r\n", after_s=SOON_S):
        assert look(["127.78.0.5", "127.78.0.4"], booted, 30) == ["127.78.0.4", "127.78.0.5"]


def test_what_does_not_greet_as_ssh_has_not_booted(booted: int) -> None:
    with machine("127.78.0.5", booted, b"220 mail\r\n"):
        assert look(["127.78.0.4", "127.78.0.5"], booted, 2.5) == ["127.78.0.4"]


def test_a_slow_greeting_is_waited_for(booted: int) -> None:
    """Asking again and again would only slow a busy machine more."""
    asked: list[float] = []
    with machine("127.78.0.5", booted, b"SSH-2.0-x\r\n", pause_s=SOON_S, asked=asked):
        assert look(["127.78.0.5"], booted, 30) == ["127.78.0.5"]
    assert len(asked) == 1


def test_it_gives_up_when_the_launcher_does(booted: int) -> None:
    began = time.monotonic()
    assert look(["127.78.0.4", "127.78.0.9"], booted, 1.5) == ["127.78.0.4"]
    assert time.monotonic() - began >= 1.5


def test_as_many_as_a_scale_set_has() -> None:
    """More silent machines than the usual soft limit of open files allows, and one that greets."""
    silent = [f"127.78.{number // 250 + 1}.{number % 250 + 1}" for number in range(1100)]
    with machine("0.0.0.0", 0, b"SSH-2.0-x\r\n", only="127.78.0.4") as port:  # noqa: S104
        assert look([*silent, "127.78.0.4"], port, 8.0, soft_limit=64) == ["127.78.0.4"]

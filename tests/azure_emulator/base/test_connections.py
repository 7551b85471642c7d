"""Who is slow at the emulator's doors is hung up on: at ARM's and at the metadata service's."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from azure_emulator.base import connections
from azure_emulator.front.dispatch import Router
from azure_emulator.front.http_front import Front
from azure_emulator.guest.machine_interface import NoMachines
from azure_emulator.metadata.metadata_server import MetadataServer
from azure_emulator.server_options import ServerSettings
from azure_emulator.state import Emulator

LIMIT_S = 0.5
LONGEST_S = 20.0  # far less than the limits that are not set for the test


@dataclass
class Doors:
    """An emulator in this process, and the addresses of its servers by name."""

    em: Emulator
    addresses: dict[str, tuple[str, int]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Both servers of an emulator, without TLS, in a thread of this process."""
    em = Emulator(ServerSettings(tmp_path_factory.mktemp("em")), NoMachines(), Router())
    loop, over, ready = asyncio.new_event_loop(), asyncio.Event(), Event()

    async def serve() -> None:
        runner = web.AppRunner(Front(em, over.set).application(), access_log=None)
        await runner.setup()
        listener = socket.create_server(("127.0.0.1", 0))
        server = await connections.listen(runner, sock=listener)
        metadata = MetadataServer(em)
        await metadata.start()
        address = urlsplit(em.metadata.base)
        found.addresses["arm"] = listener.getsockname()
        found.addresses["metadata"] = (str(address.hostname), int(address.port or 0))
        ready.set()
        await over.wait()
        server.close()
        await runner.cleanup()
        await metadata.stop()

    found = Doors(em)
    thread = Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(20)
    yield found
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


def hung_up_after(address: tuple[str, int], first: bytes, then: bytes, *, read: bool) -> float:
    """The seconds until a connection ends on which `first` is sent, and `then` again and again."""
    began = time.monotonic()
    with socket.create_connection(address, 20) as door, suppress(ConnectionError):
        door.settimeout(0.1)
        door.sendall(first)
        while time.monotonic() - began < LONGEST_S:
            with suppress(TimeoutError):
                if read and not door.recv(1 << 16):
                    break
            with suppress(TimeoutError):
                if then or not read:
                    door.sendall(then or first)
            time.sleep(0.05)
    return time.monotonic() - began


ANSWERED = b"GET /x/metadata/y HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW = {
    "no head": ("HEAD_S", b"", b""),
    "half a head": ("HEAD_S", ANSWERED[:30], b""),
    "a head byte by byte": ("HEAD_S", ANSWERED[:-2] + b"X: ", b"y"),
    "nothing after an answer": ("IDLE_S", ANSWERED, b""),
    "the next head byte by byte": ("IDLE_S", ANSWERED + ANSWERED[:-2] + b"X: ", b"y"),
}


@pytest.mark.parametrize("door", ["arm", "metadata"])
@pytest.mark.parametrize("kind", SLOW)
def test_who_is_slow_to_ask_is_hung_up_on(
    doors: Doors, monkeypatch: pytest.MonkeyPatch, door: str, kind: str
) -> None:
    limit, first, then = SLOW[kind]
    monkeypatch.setattr(connections, limit, LIMIT_S)
    seconds = hung_up_after(doors.addresses[door], first, then, read=True)
    assert LIMIT_S <= seconds < LONGEST_S


@pytest.mark.parametrize("door", ["arm", "metadata"])
def test_who_does_not_read_is_hung_up_on(
    doors: Doors, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    monkeypatch.setattr(connections, "STALL_S", LIMIT_S)
    many = ANSWERED * 2000
    assert hung_up_after(doors.addresses[door], many, b"", read=False) < LONGEST_S


def test_a_body_that_comes_slowly_is_refused_and_hung_up_on(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BODY_S", LIMIT_S)
    path = f"/subscriptions/{doors.em.store.subscription_id}/resourceGroups/g"
    lines = [
        f"PUT {path}?api-version=2024-07-01 HTTP/1.1",
        *("Host: localhost", "Connection: close", "Content-Length: 1000"),
        f"Authorization: Bearer {doors.em.permissions.own_token}",
    ]
    with socket.create_connection(doors.addresses["arm"], 20) as door:
        door.sendall("\r\n".join([*lines, "", "{"]).encode())
        answer = door.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"error":{"code":"BadRequest"' in answer


def test_who_is_at_work_is_left_alone(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that takes longer than any of the limits, as a fault can make it, arrives."""
    for limit in ("HEAD_S", "IDLE_S", "STALL_S", "BODY_S"):
        monkeypatch.setattr(connections, limit, LIMIT_S)
    doors.em.faults.declare({"kind": "delay", "delay_s": 3 * LIMIT_S})
    path = f"/subscriptions/{doors.em.store.subscription_id}?api-version=2024-07-01"
    token = doors.em.permissions.own_token
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    with socket.create_connection(doors.addresses["arm"], 20) as door:
        began = time.monotonic()
        door.sendall(head.encode())
        assert door.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - began >= 3 * LIMIT_S

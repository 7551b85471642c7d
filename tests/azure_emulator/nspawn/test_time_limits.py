"""Nobody who falls silent keeps a connection of the machines' network."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from azure_emulator.base import connections
from azure_emulator.nspawn import namespaces, package_index
from azure_emulator.nspawn.platform import Platform

SOON_S, PATIENCE_S = 0.3, 10.0


async def _ended(reader: asyncio.StreamReader) -> bool:
    """Whether the other side closes a connection on which nothing is said, within PATIENCE_S."""
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    except ConnectionError:
        return True


@pytest.fixture
async def platform_address(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[str, int]]:
    """Where the machines' platform listens, without a network namespace of its own."""
    listeners = []

    def listener(*_: object) -> socket.socket:
        listeners.append(socket.create_server(("127.0.0.1", 0)))
        return listeners[-1]

    monkeypatch.setattr(namespaces, "listener", listener)
    platform = Platform("", lambda _: None)
    await platform.start()
    yield listeners[0].getsockname()
    await platform.close()


async def test_a_head_that_does_not_come_is_not_waited_for(
    platform_address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", SOON_S)
    reader, writer = await asyncio.open_connection(*platform_address)
    writer.write(b"GET / HTTP/1.1\r\nHost: ")
    assert await _ended(reader)
    writer.close()


async def test_the_platform_answers(platform_address: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*platform_address)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
    assert b"2012-11-30" in answer
    writer.close()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _served(serve: Serve) -> tuple[asyncio.Server, int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_an_index_that_falls_silent_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(package_index, "SILENCE_S", SOON_S)

    async def index(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send for longer than anybody may be silent, hear nothing meanwhile, and stop."""
        for _ in range(6):
            writer.write(b"x")
            await asyncio.sleep(SOON_S / 2)
        await reader.read()
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await package_index.carry(reader, writer, "127.0.0.1", port)
        writer.close()

    there, port = await _served(index)
    here, own_port = await _served(relay)
    reader, writer = await asyncio.open_connection("127.0.0.1", own_port)
    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b"xxxxxx"
    writer.close()
    here.close()
    there.close()

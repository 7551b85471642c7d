"""Plain forwards that the link keeps: opened while it runs, and the same after a lost line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from ipcluster_azure.record.contents import NOTEBOOK, Tunnel
from ipcluster_azure.record.file import RecordFile

from .test_link import Line, line

__all__ = ["line"]  # the fixture
LONG_S = 60.0
SIZE = 3_000_000  # bytes: more than any buffer on the way
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@asynccontextmanager
async def serving(greeting: bytes) -> AsyncIterator[int]:
    """A program on the machine that greets, then sends back what it gets; gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            writer.write(greeting)
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def forward_to(file: RecordFile, remote: int) -> int:
    """Have the link forward to a port of the machine; returns the local one, once it is open."""
    with file.edit() as record:
        before = record.forwards.get(NOTEBOOK, Tunnel(0, 0))
        record.forwards[NOTEBOOK] = Tunnel(before.local, remote)
    deadline = asyncio.get_running_loop().time() + LONG_S
    while not (port := file.require().forwards[NOTEBOOK].local):
        assert asyncio.get_running_loop().time() < deadline, "the link opens no forward"
        await asyncio.sleep(0.05)
    return port


async def greeted(port: int, expected: bytes) -> None:
    """Try until the program there greets a new connection as expected."""
    deadline = asyncio.get_running_loop().time() + LONG_S
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                reading = reader.readexactly(len(expected))
                if await asyncio.wait_for(reading, LONG_S) == expected:
                    return
            finally:
                writer.close()
        assert asyncio.get_running_loop().time() < deadline, "the forward is not there"
        await asyncio.sleep(0.1)


async def test_bytes_pass_as_they_are_both_ways(line: tuple[Line, int], tmp_path: Path) -> None:
    file = RecordFile.of(str(tmp_path / "profile_azure"), "")
    async with serving(b"hello") as remote:
        reader, writer = await asyncio.open_connection("127.0.0.1", await forward_to(file, remote))
        content = bytes(range(256)) * (SIZE // 256)
        writer.write(content)
        received = await asyncio.wait_for(reader.readexactly(5 + len(content)), LONG_S)
        assert received == b"hello" + content
        writer.close()


async def test_a_lost_line_closes_what_was_open_and_the_port_stays(
    line: tuple[Line, int], tmp_path: Path
) -> None:
    way, _ = line
    file = RecordFile.of(str(tmp_path / "profile_azure"), "")
    async with serving(b"hello") as remote:
        port = await forward_to(file, remote)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.readexactly(5), LONG_S) == b"hello"
        way.cut()
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), LONG_S) == b""
        writer.close()
        await greeted(port, b"hello")
        assert file.require().forwards[NOTEBOOK].local == port


async def test_the_port_leads_to_the_program_of_now(line: tuple[Line, int], tmp_path: Path) -> None:
    file = RecordFile.of(str(tmp_path / "profile_azure"), "")
    async with serving(b"first") as one, serving(b"other") as two:
        port = await forward_to(file, one)
        await greeted(port, b"first")
        assert await forward_to(file, two) == port
        await greeted(port, b"other")


async def test_nothing_there_ends_a_connection_and_not_the_link(
    line: tuple[Line, int], tmp_path: Path
) -> None:
    file = RecordFile.of(str(tmp_path / "profile_azure"), "")
    async with serving(b"hello") as remote:
        pass  # and is gone
    port = await forward_to(file, remote)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), LONG_S) == b""
    writer.close()
    async with serving(b"again") as remote:
        await forward_to(file, remote)
        await greeted(port, b"again")

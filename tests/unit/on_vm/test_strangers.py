"""Who connects to the guard and does not say who he is keeps nobody else out."""

import asyncio

import pytest

from ipcluster_azure.on_vm.agent import strangers
from ipcluster_azure.on_vm.agent.strangers import Strangers


def test_of_too_many_strangers_the_oldest_are_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "MOST", 3)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with crowd.waiting(writer):
            known = await reader.read(1)
        if known:
            await reader.read(1)
        writer.close()

    async def hung_up() -> list[bool]:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            lines = [await asyncio.open_connection(host, port) for _ in range(2)]
            lines[0][1].write(b"x")  # it says who it is
            await asyncio.sleep(0.2)
            lines += [await asyncio.open_connection(host, port) for _ in range(4)]
            await asyncio.sleep(0.2)
            ended = [reader.at_eof() for reader, _ in lines]
            for _, writer in lines:
                writer.close()
            await asyncio.sleep(0.2)
            return ended

    crowd = Strangers()
    assert asyncio.run(hung_up()) == [False, True, True, False, False, False]

"""A far-away cloud: a relay that delays what passes, and the hook that leads connections to it.

The kernel's own means (netem) need rights and modules that few machines have. The relay works on
streams: every chunk waits for the line (`mbit_s`, shared by all connections in one direction),
then for half a round trip; a chunk that is "lost" waits for one round trip more, and as in TCP all
behind it wait too. A new connection passes its first byte one round trip after it was opened.

A process with the hook in its PYTHONPATH asks the relay for a port instead of connecting to an
address in 127.0.0.0/8. ZeroMQ's own connections are not touched: they end at the local tunnels.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CHUNK = 1448  # bytes of payload in a packet
PORT_VARIABLE = "BENCHMARK_RELAY_PORT"
HOOK = f'''
import os, socket
_connect, _connect_ex = socket.socket.connect, socket.socket.connect_ex
_ports = {{}}
_relay = int(os.environ.get("{PORT_VARIABLE}", 0))

def _far(sock, address):
    if not _relay or sock.family != socket.AF_INET or not address[0].startswith("127."):
        return address
    if address not in _ports:
        with socket.socket() as asking:
            _connect(asking, ("127.0.0.1", _relay))
            asking.sendall(("%s %d\\n" % address[:2]).encode())
            _ports[address] = int(asking.makefile().readline())
    return "127.0.0.1", _ports[address]

socket.socket.connect = lambda sock, address: _connect(sock, _far(sock, address))
socket.socket.connect_ex = lambda sock, address: _connect_ex(sock, _far(sock, address))
'''


@dataclass(frozen=True)
class Line:
    """What lies between: round trip in seconds, share of packets lost, megabits a second."""

    round_trip_s: float
    loss: float
    mbit_s: float


@dataclass
class _Direction:
    """One direction of the line: when it is free again, shared by all connections."""

    free_at: float = 0.0


@dataclass
class Relay:
    line: Line
    seed: int = 1
    _up: _Direction = field(default_factory=_Direction)
    _down: _Direction = field(default_factory=_Direction)
    _ports: dict[tuple[str, int], int] = field(default_factory=dict)
    _servers: list[asyncio.Server] = field(default_factory=list)
    bytes_up: int = 0
    bytes_down: int = 0
    connections: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - simulation, not secrecy

    async def listen(self) -> int:
        """The port on which processes with the hook ask."""
        return await self._serve(self._answer)

    async def _serve(self, handler: object) -> int:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)  # type: ignore[arg-type]
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = (await reader.readline()).decode().split()
        target = (host, int(port))
        if target not in self._ports:

            async def pass_on(up: asyncio.StreamReader, down: asyncio.StreamWriter) -> None:
                await self._pass_on(target, up, down)

            self._ports[target] = await self._serve(pass_on)
        writer.write(f"{self._ports[target]}\n".encode())
        writer.close()

    async def _pass_on(
        self, target: tuple[str, int], near: asyncio.StreamReader, back: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        opened_at = asyncio.get_running_loop().time() + self.line.round_trip_s
        try:
            far, onward = await asyncio.open_connection(*target)
        except OSError:
            await asyncio.sleep(self.line.round_trip_s)
            back.transport.abort()
            return
        await asyncio.gather(
            self._copy(near, onward, self._up, opened_at),
            self._copy(far, back, self._down, opened_at),
        )

    async def _copy(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        direction: _Direction,
        not_before: float,
    ) -> None:
        """In order; reading goes on while what was read is on its way."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=4096)

        async def deliver() -> None:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not data:
                    break
                target.write(data)
                await target.drain()
            with contextlib.suppress(OSError, RuntimeError):
                target.close()

        delivering = asyncio.ensure_future(deliver())
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                not_before = self._arrival(len(data), direction, not_before)
                await queue.put((not_before, data))
        await queue.put((not_before, b""))
        with contextlib.suppress(OSError):
            await delivering

    def _arrival(self, size: int, direction: _Direction, not_before: float) -> float:
        if direction is self._up:
            self.bytes_up += size
        else:
            self.bytes_down += size
        now = asyncio.get_running_loop().time()
        direction.free_at = max(now, direction.free_at) + size * 8 / (self.line.mbit_s * 1e6)
        lost = self._random.random() < self.line.loss
        trips = 0.5 + (1.0 if lost else 0.0)
        return max(not_before, direction.free_at + trips * self.line.round_trip_s)


@contextlib.contextmanager
def far_away(line: Line) -> Iterator[tuple[Relay, dict[str, str]]]:
    """A relay in a thread of its own, and the environment that leads a process's way through it."""
    relay, loop = Relay(line), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    port = asyncio.run_coroutine_threadsafe(relay.listen(), loop).result()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "sitecustomize.py").write_text(HOOK)
        path = os.pathsep.join(filter(None, (directory, os.environ.get("PYTHONPATH"))))
        try:
            yield relay, {PORT_VARIABLE: str(port), "PYTHONPATH": path}
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

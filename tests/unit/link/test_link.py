"""The link, a process as always, behind a line that can be cut, silenced and taken down."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import asyncssh
import psutil
import pytest

from ipcluster_azure.errors import AzureLauncherError
from ipcluster_azure.record.contents import Controller, Tunnel
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.start.link_process import end_link, ensure_link

from ..plans import CLUSTER
from ..record.test_record import _record
from ..ssh.test_connect import HOST_KEY, LOGIN_KEY

HEALED_S = 5.0
# the stand-in's side: asyncssh leaves forwarded sockets open when a connection was silent
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of silence")


class Door(asyncssh.SSHServer):
    """As much of a controller's machine as a link needs."""

    connections: ClassVar[list[asyncssh.SSHServerConnection]] = []

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connections.append(conn)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key.public_data == asyncssh.import_public_key(LOGIN_KEY.public).public_data

    def connection_requested(self, *args: object) -> bool:
        return True


@dataclass
class Line:
    """Passes bytes on to a port, in both directions."""

    target: int
    port: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    connections: list[tuple[asyncio.Event, asyncio.StreamWriter]] = field(default_factory=list)
    far_ends: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: set["asyncio.Task[None] | None"] = field(default_factory=set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        flowing = asyncio.Event()
        flowing.set()
        await self.open.wait()
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self.connections.append((flowing, writer))
        self.far_ends.append(far_writer)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while data := await source.read(65536):
                    await flowing.wait()
                    sink.write(data)
            sink.close()

        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
        for end in (writer, far_writer):
            with suppress(OSError):
                await end.wait_closed()

    def cut(self) -> None:
        for _, writer in self.connections:
            writer.transport.abort()

    def silence(self) -> None:
        """What is connected hears nothing any more; a new connection works."""
        for flowing, _ in self.connections:
            flowing.clear()

    def resume(self) -> None:
        for flowing, _ in self.connections:
            flowing.set()

    async def end(self) -> None:
        self.open.set()
        self.resume()
        self.cut()
        for writer in self.far_ends:
            writer.transport.abort()
        await asyncio.wait({task for task in self.tasks if task}, timeout=5)


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[tuple[Line, int]]:
    """The line to a controller's machine, and the local port of a tunnel to an echo there."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1000):
                writer.write(data)
        writer.close()

    echoing = await asyncio.start_server(echo, "127.0.0.1", 0)
    key = asyncssh.import_private_key(HOST_KEY.private)
    sshd = await asyncssh.create_server(Door, "127.0.0.1", 0, server_host_keys=[key])
    line = Line(sshd.get_port())
    line.open.set()
    relay = await asyncio.start_server(line.handle, "127.0.0.1", 0)
    line.port = relay.sockets[0].getsockname()[1]
    file = RecordFile.of(str(tmp_path / "profile_azure"), "")
    record = replace(
        _record(),
        plan=replace(CLUSTER, ssh_port=line.port),
        controller=Controller(
            host="127.0.0.1", address="127.0.0.1", host_key=HOST_KEY.public, state="ready"
        ),
        tunnels={"echo": Tunnel(0, echoing.sockets[0].getsockname()[1])},
        link_pid=0,
    )
    file.create(record)
    file.key_file.write_text(LOGIN_KEY.private)
    file.client_file.write_text("{}")
    ports = await asyncio.to_thread(ensure_link, file)
    yield line, ports["echo"]
    link_pid = file.require().link_pid
    file.erase()  # it ends at that; else it is given 3 s to see that it is to end
    await asyncio.to_thread(end_link, link_pid, file)
    await line.end()
    while Door.connections:
        connection = Door.connections.pop()
        connection.abort()
        await connection.wait_closed()
    for server in (relay, sshd, echoing):
        server.close()  # wait_closed() would wait for connections, too, from Python 3.12 on
    await asyncio.sleep(0.1)  # for what the servers close in their turn


async def answer(port: int, timeout_s: float) -> None:
    """Try until the echo answers a new connection."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            return await asyncio.wait_for(_echoed(port), 1.0)
        assert asyncio.get_running_loop().time() < deadline, "the tunnel is not healed"
        await asyncio.sleep(0.1)


async def _echoed(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
    finally:
        writer.close()


async def test_why_there_is_no_way_is_said(line: tuple[Line, int], tmp_path: Path) -> None:
    way, _ = line
    file = RecordFile.of(str(tmp_path / "profile_other"), "")
    other_key = replace(_record().controller, host="127.0.0.1", host_key=LOGIN_KEY.public)
    plan = replace(CLUSTER, ssh_port=way.port)
    file.create(replace(_record(), plan=plan, controller=other_key, link_pid=0))
    file.key_file.write_text(LOGIN_KEY.private)
    file.client_file.write_text("{}")
    before = psutil.Process().children()
    with pytest.raises(AzureLauncherError, match="another host key") as caught:
        await asyncio.to_thread(ensure_link, file)
    assert psutil.Process().children() == before  # a notebook may run for weeks
    assert f"More in {file.link_log}" in str(caught.value)
    assert "HostKeyMismatch" in file.link_log.read_text()


async def test_a_cut_is_healed_on_the_same_port(line: tuple[Line, int]) -> None:
    way, port = line
    await answer(port, HEALED_S)
    way.cut()
    await answer(port, HEALED_S)
    assert len(way.connections) == 2


@on_linux
async def test_a_connection_that_died_silently_is_replaced(line: tuple[Line, int]) -> None:
    way, port = line
    await answer(port, HEALED_S)
    way.silence()
    await answer(port, 2 * HEALED_S)
    assert len(way.connections) > 1


async def test_a_line_that_is_down_for_a_while_loses_nothing(line: tuple[Line, int]) -> None:
    way, port = line
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"before")
    assert await reader.readexactly(6) == b"before"
    way.open.clear()
    way.silence()
    writer.write(b"meanwhile")
    await asyncio.sleep(HEALED_S)
    way.open.set()
    way.resume()
    assert await asyncio.wait_for(reader.readexactly(9), HEALED_S) == b"meanwhile"
    await asyncio.sleep(HEALED_S / 2)  # another connection has got through by now
    writer.write(b"after")
    assert await asyncio.wait_for(reader.readexactly(5), HEALED_S) == b"after"
    writer.close()


def test_a_link_that_runs_on_is_no_matter_for_warnings(tmp_path: Path) -> None:
    """Python warns of a subprocess that still runs when its Popen goes; this one is to."""
    code = (
        "from pathlib import Path\n"
        "from ipcluster_azure.record.file import RecordFile\n"
        "from ipcluster_azure.start import link_process\n"
        f"link_process._spawn(RecordFile(Path({str(tmp_path / 's' / 'azure-.json')!r})))\n"
    )
    (tmp_path / "s").mkdir()
    command = [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "still running" not in done.stderr

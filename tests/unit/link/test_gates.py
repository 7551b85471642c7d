"""What the link refuses, keeps back or changes on a client's connection; with libzmq's sockets."""

import asyncio
import importlib.metadata
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.link.visitors import Visitors
from ipcluster_azure.record.environment import Environment

from .test_error_replies import PATIENCE_S, Cluster, answer, silent


@pytest.fixture
async def cluster(tmp_path: Path) -> Any:
    cluster = Cluster(tmp_path / "requests")
    yield cluster
    cluster.ssh.cut()
    await cluster.close()
    await asyncio.sleep(0.05)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a moment")
async def test_another_users_dask_client_is_hung_up_on(cluster: Cluster) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    remote = server.sockets[0].getsockname()[1]
    ports = [await cluster.tunnels.listen(name, 0, remote) for name in ("dask", "other")]
    cluster.tunnels.attach(cluster.ssh, "127.0.0.1")

    async def heard(port: int, uid: int) -> bytes:
        os.seteuid(uid)  # a socket belongs to who makes it
        try:
            connecting = asyncio.open_connection("127.0.0.1", port)
            reader, writer = await connecting
        finally:
            os.seteuid(0)
        try:
            return await asyncio.wait_for(reader.read(), 5)
        finally:
            writer.close()

    assert [await heard(port, 65534) for port in ports] == [b"", b"hello"]
    assert [await heard(port, 0) for port in ports] == [b"hello", b"hello"]
    server.close()


@pytest.fixture
def engines() -> Environment:
    """What the engines have, on record: the same as here, unless a test changes it."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    packages = {name: importlib.metadata.version(name) for name in ("pyzmq", "numpy")}
    return Environment("minimal", "", python, "9.2.0", packages=packages)


@pytest.fixture
def other_pid() -> Iterator[int]:
    """Another process of the same Python, which has no connection."""
    program = [sys.executable, "-c", "print('ready', flush=True); input()"]
    pipe = subprocess.PIPE
    with subprocess.Popen(program, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        process.communicate("\n")


@pytest.fixture
async def looked_at(cluster: Cluster, engines: Environment) -> Cluster:
    """The cluster, which looks at its clients: this process."""
    cluster.tunnels.visitors = Visitors(lambda: engines)
    await cluster.open()
    return cluster


async def arrived(cluster: Cluster) -> list[bytes]:
    identity, *frames = await asyncio.wait_for(cluster.router.recv_multipart(), PATIENCE_S)
    await cluster.router.send_multipart([identity, *failed(cluster, frames)])
    return frames


def failed(cluster: Cluster, frames: list[bytes]) -> list[bytes]:
    """An engine's answer to a request that is given as its frames."""
    content = {"status": "error", "ename": "AttributeError", "evalue": "none", "traceback": []}
    reply = cluster.session.msg("apply_reply", content=content, metadata={"status": "error"})
    reply["parent_header"] = cluster.session.unpack(frames[2])
    parts: list[bytes] = cluster.session.serialize(reply)
    return [*parts, b"x" * 100_000]


async def test_a_client_with_the_engines_environment_passes_untouched(looked_at: Cluster) -> None:
    client = looked_at.client()
    for kind in ("apply_request", "execute_request", "apply_request"):
        _, frames = looked_at.request(kind)
        await client.send_multipart([*frames, b"x" * 300_000])
        assert (await arrived(looked_at))[:-1] == frames
        assert (await answer(client))["content"]["evalue"] == "none"


async def test_functions_of_another_python_do_not_reach_the_engines(
    looked_at: Cluster, engines: Environment
) -> None:
    engines.python = "3.7"
    client = looked_at.client()
    for _ in range(2):
        msg_id, frames = looked_at.request(is_broadcast=True, targets=[["a", 0], ["b", 1]])
        await client.send_multipart([*frames, b"x" * 3_000_000])
        found = [await answer(client) for _ in range(2)]
        asked = {item["parent_header"]["msg_id"] for item in found}
        assert asked == {f"{msg_id}_a", f"{msg_id}_b"}
        assert all("The engines run Python 3.7" in item["content"]["evalue"] for item in found)
        _, frames = looked_at.request("execute_request")
        await client.send_multipart(frames)
        assert await arrived(looked_at) == frames
        assert (await answer(client))["content"]["evalue"] == "none"
    assert await silent(client)
    looked_at.tunnels.answer_with_errors("it is dead")  # nothing is answered twice
    assert await silent(client)


async def test_errors_of_a_client_with_other_packages_tell_of_them(
    looked_at: Cluster, engines: Environment
) -> None:
    engines.packages = {"pyzmq": "1.0", "numpy": engines.packages["numpy"], "pandas": "3"}
    client = looked_at.client()
    for _ in range(2):
        _, frames = looked_at.request()
        await client.send_multipart(frames)
        assert await arrived(looked_at) == frames
        found = await answer(client)
        pyzmq = importlib.metadata.version("pyzmq")
        said = (
            f"none. This client's packages differ from the engines': pyzmq {pyzmq} here, 1.0 there."
        )
        assert found["content"]["evalue"].startswith(said)
        assert found["buffers"] == [b"x" * 100_000]


async def test_requests_wait_in_their_order_until_their_client_is_known(
    looked_at: Cluster, engines: Environment
) -> None:
    def slowly() -> Environment:
        time.sleep(0.5)
        return engines

    looked_at.tunnels.visitors = Visitors(slowly)
    client = looked_at.client()
    requests = [looked_at.request()[1] for _ in range(20)]
    for frames in requests:
        await client.send_multipart([*frames, b"x" * 300_000])
    assert [(await arrived(looked_at))[:-1] for _ in requests] == requests


async def test_who_can_not_be_looked_at_passes(looked_at: Cluster) -> None:
    def unreadable() -> Environment:
        raise OSError("no record")

    looked_at.tunnels.visitors = Visitors(unreadable)
    _, frames = looked_at.request()
    client = looked_at.client()
    await client.send_multipart(frames)
    assert await arrived(looked_at) == frames


async def test_a_process_is_not_taken_for_one_of_a_container(
    looked_at: Cluster, engines: Environment, other_pid: int
) -> None:
    """Whose id is the same, but which has not made this connection."""
    engines.python = "3.7"
    message = looked_at.session.msg("apply_request", content={})
    message["header"]["msg_id"] = f"session_{other_pid}_1"
    frames = looked_at.session.serialize(message)
    await looked_at.client().send_multipart(frames)
    assert await arrived(looked_at) == frames

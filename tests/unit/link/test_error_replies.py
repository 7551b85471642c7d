"""ZMTP read as it passes by, and clients told what they wait for in vain; with libzmq's sockets."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.asyncio
from jupyter_client.session import Session

from ipcluster_azure.link import zmtp
from ipcluster_azure.link.error_replies import ErrorReplies, OpenRequests
from ipcluster_azure.link.journal import Journal
from ipcluster_azure.link.orphans import CUT
from ipcluster_azure.link.tunnels import Tunnels

KEY = "00112233"
INFO = {"key": KEY, "signature_scheme": "hmac-sha256"}
PATIENCE_S = 5.0


def session() -> Session:
    return Session(key=KEY.encode(), signature_scheme="hmac-sha256", packer="json")


class StandIn:
    """What asyncssh's connection does: leads on to a port of this computer, until it is cut."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []

    async def open_tunnel(self, make: Callable[[], Any], host: str, port: int) -> None:
        end = make()
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_connection(lambda: Channel(end), host, port)
        self.channels.append(channel)
        end.connection_made(channel)
        end.session_started()

    def cut(self) -> None:
        for channel in self.channels:
            channel.transport.abort()


class Channel(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, end: Any) -> None:
        self.end = end
        self.limit = 1 << 60  # bytes that are passed on

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        data, self.limit = data[: self.limit], max(0, self.limit - len(data))
        if data:
            self.end.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end.connection_lost(exc)

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def close(self) -> None:
        self.transport.close()

    def pause_reading(self) -> None:
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        self.transport.resume_reading()


class Cluster:
    """A controller's ROUTER behind tunnels, and clients at this end."""

    def __init__(self, journal: Path) -> None:
        self.context = zmq.asyncio.Context()
        self._sockets: list[zmq.asyncio.Socket] = []  # closed by us, not by their collection
        self.router = self.socket(zmq.ROUTER)
        self.remote = self.router.bind_to_random_port("tcp://127.0.0.1")
        self.tunnels = Tunnels(ErrorReplies(INFO), Journal(journal))
        self.ssh: Any = StandIn()
        self.port = 0
        self.session = session()

    async def open(self) -> None:
        self.port = await self.tunnels.listen("task", 0, self.remote)
        self.tunnels.attach(self.ssh, "127.0.0.1")

    def socket(self, kind: int) -> zmq.asyncio.Socket:
        self._sockets.append(self.context.socket(kind))
        return self._sockets[-1]

    def client(self) -> zmq.asyncio.Socket:
        dealer = self.socket(zmq.DEALER)
        dealer.connect(f"tcp://127.0.0.1:{self.port}")
        return dealer

    def request(self, kind: str = "apply_request", **metadata: Any) -> tuple[str, list[bytes]]:
        message = self.session.msg(kind, content={}, metadata=metadata)
        return message["header"]["msg_id"], self.session.serialize(message)

    async def close(self) -> None:
        await self.tunnels.close()
        self.context.destroy(linger=0)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    cluster = Cluster(tmp_path / "requests")
    await cluster.open()
    yield cluster
    cluster.ssh.cut()
    await cluster.close()
    await asyncio.sleep(0.05)


async def answer(client: zmq.asyncio.Socket) -> dict[str, Any]:
    """The next message, with its signature checked as ipyparallel does."""
    frames = await asyncio.wait_for(client.recv_multipart(), PATIENCE_S)
    reader = session()
    _, parts = reader.feed_identities(frames)
    found: dict[str, Any] = reader.deserialize(parts)
    return found


async def silent(client: zmq.asyncio.Socket) -> bool:
    return not await client.poll(300)


async def settled(cluster: Cluster, open_requests: int) -> None:
    """Until so many requests have been seen passing by."""
    for _ in range(500):
        ends = cluster.tunnels.ends
        if sum(len(end._requests.replies) for end in ends) == open_requests:
            return
        await asyncio.sleep(0.01)
    pytest.fail("requests were not counted")


async def test_the_dead_controllers_requests_are_answered_to_whoever_asked(
    cluster: Cluster,
) -> None:
    first, second = cluster.client(), cluster.client()
    done_id, done = cluster.request()
    await first.send_multipart([*done, b"x" * 300_000])
    identity, *_ = await cluster.router.recv_multipart()
    reply = cluster.session.msg("apply_reply", content={"status": "ok"}, parent=None)
    reply["parent_header"] = {"msg_id": done_id}
    await cluster.router.send_multipart([identity, *cluster.session.serialize(reply)])
    assert (await answer(first))["content"] == {"status": "ok"}
    ids = {}
    for client, count in ((first, 3), (second, 200)):
        ids[client] = []
        for _ in range(count):
            msg_id, frames = cluster.request()
            await client.send_multipart([*frames, b"buffer"])
            ids[client].append(msg_id)
    await settled(cluster, 203)
    cluster.tunnels.answer_with_errors("it is dead")
    for client in (first, second):
        found = [await answer(client) for _ in ids[client]]
        assert [item["parent_header"]["msg_id"] for item in found] == ids[client]
        assert {item["msg_type"] for item in found} == {"apply_reply"}
        assert {item["content"]["evalue"] for item in found} == {"it is dead"}
        assert await silent(client)


async def test_what_is_asked_of_a_dead_controller_is_answered_too(cluster: Cluster) -> None:
    before, idle = cluster.client(), cluster.client()
    msg_id, frames = cluster.request()
    await before.send_multipart(frames)
    await settled(cluster, 1)
    cluster.tunnels.answer_with_errors("it is dead")
    await answer(before)
    late = cluster.client()
    for client in (before, idle, late):
        msg_id, frames = cluster.request("connection_request")
        await client.send_multipart(frames)
        found = await answer(client)
        assert found["msg_type"] == "connection_reply"
        assert found["parent_header"]["msg_id"] == msg_id
        assert found["content"]["status"] == "error"


async def test_requests_that_were_cut_off_are_answered_and_the_client_connects_again(
    cluster: Cluster,
) -> None:
    client = cluster.client()
    _, frames = cluster.request()
    await client.send_multipart(frames)
    await cluster.router.recv_multipart()
    cluster.ssh.cut()
    cluster.tunnels.detach()
    assert await silent(client)  # the line may be back soon, or the controller be dead
    _, frames = cluster.request()
    await client.send_multipart(frames)  # into the void: an answer is owed to this as well
    await settled(cluster, 2)
    cluster.tunnels.attach(StandIn(), "127.0.0.1")  # type: ignore[arg-type]
    for _ in range(2):
        assert (await answer(client))["content"]["evalue"] == CUT
    _, frames = cluster.request()
    await client.send_multipart(frames)
    _, *received = await asyncio.wait_for(cluster.router.recv_multipart(), PATIENCE_S)
    assert received == frames


@pytest.mark.parametrize("dead", [True, False])
async def test_half_an_answer_is_never_completed(cluster: Cluster, dead: bool) -> None:
    """Zeros for the rest of an array would be taken for its data: the request fails instead."""
    client = cluster.client()
    msg_id, frames = cluster.request()
    await client.send_multipart(frames)
    identity, *_ = await cluster.router.recv_multipart()
    (channel,) = cluster.ssh.channels
    channel.limit = 200_000
    reply = cluster.session.msg("apply_reply", content={"status": "ok"})
    reply["parent_header"] = {"msg_id": msg_id}
    parts = cluster.session.serialize(reply)
    await cluster.router.send_multipart([identity, *parts, b"x" * 400_000])
    await asyncio.sleep(0.3)
    cluster.ssh.cut()
    await asyncio.sleep(0.1)
    cluster.tunnels.detach()
    if dead:
        cluster.tunnels.answer_with_errors("it is dead")
    else:
        cluster.tunnels.attach(StandIn(), "127.0.0.1")  # type: ignore[arg-type]
    found = await answer(client)
    assert found["parent_header"]["msg_id"] == msg_id
    assert found["content"]["evalue"] == ("it is dead" if dead else CUT)
    assert found["buffers"] == []


async def test_a_client_that_leaves_takes_its_way_with_it(cluster: Cluster) -> None:
    client = cluster.client()
    _, frames = cluster.request()
    await client.send_multipart(frames)
    await cluster.router.recv_multipart()
    client.close(linger=0)
    for _ in range(500):
        if cluster.ssh.channels[0].transport.is_closing():
            break
        await asyncio.sleep(0.01)
    assert cluster.ssh.channels[0].transport.is_closing()
    await cluster.tunnels.without_clients(PATIENCE_S)
    assert not cluster.tunnels.ends


async def test_the_last_word_reaches_subscribers(cluster: Cluster) -> None:
    publisher = cluster.socket(zmq.PUB)
    remote = publisher.bind_to_random_port("tcp://127.0.0.1")
    port = await cluster.tunnels.listen("notification", 0, remote)
    subscriber = cluster.socket(zmq.SUB)
    subscriber.subscribe(b"")
    subscriber.connect(f"tcp://127.0.0.1:{port}")
    while await silent(subscriber):
        await publisher.send(b"hello")
    cluster.tunnels.answer_with_errors("it is dead")
    cluster.tunnels.close_clients()
    while (frames := await subscriber.recv_multipart()) == [b"hello"]:
        pass
    reader = session()
    _, parts = reader.feed_identities(frames)
    assert reader.deserialize(parts)["msg_type"] == "shutdown_notification"


async def test_other_protocols_pass_unread(cluster: Cluster) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(100):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = await cluster.tunnels.listen("echo", 0, server.sockets[0].getsockname()[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    text = random.Random(1).randbytes(5000)  # noqa: S311
    writer.write(text)
    assert await reader.readexactly(5000) == text
    cluster.tunnels.answer_with_errors("it is dead")
    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    writer.close()
    server.close()


async def stream_of(messages: list[list[bytes]]) -> bytes:
    """What libzmq itself sends for these messages."""
    context = zmq.asyncio.Context()
    dealer = context.socket(zmq.DEALER)
    received = bytearray()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(zmtp.handshake("ROUTER"))
        with suppress(OSError):
            while data := await reader.read(65536):
                received.extend(data)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    dealer.connect(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    for frames in messages:
        await dealer.send_multipart(frames)
    await asyncio.sleep(0.3)
    context.destroy(linger=1000)
    await asyncio.sleep(0.1)
    server.close()
    await server.wait_closed()
    return bytes(received)


async def test_messages_are_seen_whatever_pieces_they_come_in() -> None:
    rng = random.Random(7)  # noqa: S311
    sizes = (0, 1, 254, 255, 256, 257, 70_000, 1_500_000)
    messages = [
        [
            *([b"engine-1"] if number % 2 else []),
            zmtp.DELIMITER,
            *(rng.randbytes(rng.choice(sizes[:7])) for _ in range(4)),
            b"{}",
            *(rng.randbytes(rng.choice(sizes)) for _ in range(number % 4)),
        ]
        for number in range(40)
    ]
    stream = await stream_of(messages)
    wanted = [frames[frames.index(zmtp.DELIMITER) + 1 :][:4] for frames in messages]
    for largest in (1, 3, 1000, 100_000, len(stream)):
        found: list[list[bytes]] = []
        reader, position = zmtp.Reader(found.append), 0
        part = stream if largest > 3 else stream[:100_000]
        while position < len(part):
            step = rng.randint(1, largest)
            reader.feed(part[position : position + step])
            position += step
        assert reader.readable
        assert found == wanted[: len(found)]
        if part is stream:
            assert reader.between_messages
            assert len(found) == len(messages)


def test_encrypted_streams_are_left_alone() -> None:
    reader = zmtp.Reader(lambda frames: pytest.fail("nothing can be read here"))
    reader.feed(zmtp.NULL_GREETING.replace(b"NULL", b"CURV"))
    reader.feed(zmtp.message([zmtp.DELIMITER, b"", b"{}", b"{}", b"{}", b"{}"]))
    assert not reader.readable
    assert not reader.between_messages


def frames_of(header: Any, parent: Any, metadata: Any) -> list[bytes]:
    return [b"", *(json.dumps(part).encode() for part in (header, parent, metadata))]


def test_each_target_of_a_broadcast_is_waited_for() -> None:
    requests = OpenRequests()
    header = {"msg_type": "apply_request", "msg_id": "m"}
    targets = {"is_broadcast": True, "targets": [["a", 0], ["b", 1]]}
    requests.asked(frames_of(header, {}, {**targets, "is_coalescing": False}))
    assert requests.replies == {"m_a": "apply_reply", "m_b": "apply_reply"}
    requests.answered(frames_of({}, {"msg_id": "m_a"}, {}))
    assert requests.take() == {"m_b": "apply_reply"}
    requests.asked(frames_of(header, {}, {**targets, "is_coalescing": True}))
    assert requests.replies == {"m": "apply_reply"}
    requests.answered(frames_of({}, {"msg_id": "m_b"}, {"original_msg_id": "m"}))
    assert requests.take() == {}


@pytest.mark.parametrize("kind", ["comm_msg", "apply_reply", ""])
def test_what_nobody_answers_is_not_waited_for(kind: str) -> None:
    requests = OpenRequests()
    requests.asked(frames_of({"msg_type": kind, "msg_id": "m"}, {}, {}))
    requests.asked([b"", b"no json", b"[]", b"\xff"])
    requests.asked(frames_of([], [], []))
    assert requests.take() == {}


def test_a_result_that_comes_twice_is_no_duplicate_to_its_client() -> None:
    """A client that has seen a signature before raises in its loop, and reads no more."""
    engine, client = session(), session()
    asked = engine.msg("apply_request")["header"]
    answered = engine.msg("apply_reply", content={"status": "ok"})
    found = {
        "header": json.loads(json.dumps(asked, default=str)),
        "result_header": json.loads(json.dumps(answered["header"], default=str)),
        "result_content": answered["content"],
        "result_metadata": {},
    }
    replies = ErrorReplies(INFO)
    for _ in range(2):
        stream = replies.result("apply_reply", found, [b"7"])
        ((_, *frames),) = zmtp.messages_in(stream, 0)
        message = client.deserialize(frames)
        assert message["parent_header"]["msg_id"] == asked["msg_id"]
        assert message["buffers"] == [b"7"]

"""Requests whose connection is gone: whom their answers are taken to, and which."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from ipcluster_azure.link.error_replies import CONNECTION
from ipcluster_azure.link.hub import REGISTRATION, Hub
from ipcluster_azure.link.journal import LONGEST_IDLE, Journal
from ipcluster_azure.link.left_behind import requests_in
from ipcluster_azure.link.orphans import CUT
from ipcluster_azure.link.zmtp import message, messages_in

from .test_error_replies import Cluster, StandIn, answer, session, silent


class Controller(Cluster):
    """A hub behind tunnels, that knows some results."""

    def __init__(self, journal: Path) -> None:
        super().__init__(journal)
        self.hub_socket = self.socket(zmq.ROUTER)
        self.hub_port = self.hub_socket.bind_to_random_port("tcp://127.0.0.1")
        self.registration = 0
        self.completed: dict[str, bool] = {}
        self.stranded: set[str] = set()  # whose engine has died, as the hub notes it
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        self.registration = await self.tunnels.listen(REGISTRATION, 0, self.hub_port)
        await super().open()
        ports = {REGISTRATION: self.registration, "task": self.port}
        hub = Hub(ports, self.tunnels.error_replies)
        self._tasks.append(asyncio.ensure_future(self.tunnels.orphans.run(hub)))

    def answer_questions(self) -> None:
        self._tasks.append(asyncio.ensure_future(self._answer_questions()))

    async def _answer_questions(self) -> None:
        talk = session()
        while True:
            frames = await self.hub_socket.recv_multipart()
            idents, parts = talk.feed_identities(frames)
            request = talk.deserialize(parts)
            content, buffers = self._content(request["msg_type"], request["content"])
            kind = request["msg_type"].replace("_request", "_reply")
            reply = talk.msg(kind, content=content, parent=request["header"])
            await self.hub_socket.send_multipart([*idents, *talk.serialize(reply), *buffers])

    def _content(self, kind: str, asked: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        if kind == "connection_request":
            return {"status": "ok", "engines": {"0": "uuid"}}, []
        if kind == "db_request":
            found = [
                {"msg_id": msg_id, "completed": "now" if done else None}
                for msg_id, done in self.completed.items()
            ]
            return {"status": "ok", "records": found}, []
        (msg_id,) = asked["msg_ids"]
        record = {
            "result_header": session().msg("apply_reply")["header"],
            "header": {"msg_id": msg_id},
            "result_metadata": {"engine": "e"},
            "result_content": {"status": "ok"},
        }
        if msg_id in self.stranded:
            record |= {"result_header": {"engine": "e", "date": "now"}, "result_metadata": None}
        return {"status": "ok", msg_id: record}, [b"buffer"]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().close()

    def cut(self) -> None:
        self.ssh.cut()
        self.tunnels.detach()

    def heal(self) -> None:
        self.ssh = StandIn()
        self.tunnels.attach(self.ssh, "127.0.0.1", again=True)


@pytest.fixture
async def controller(tmp_path: Path) -> AsyncIterator[Controller]:
    controller = Controller(tmp_path / "requests")
    await controller.open()
    yield controller
    controller.ssh.cut()
    await controller.close()
    await asyncio.sleep(0.05)


async def test_a_result_that_comes_later_is_fetched_from_the_hub(controller: Controller) -> None:
    controller.answer_questions()
    done, runs, lost = (f"{letter * 8}-{letter}_{os.getpid()}_1" for letter in "abc")
    client = controller.client()
    controller.completed = {done: True, runs: False}
    controller.tunnels.orphans.add_left(dict.fromkeys((done, runs, lost), ("task", "apply_reply")))
    found = {}
    for _ in range(2):
        item = await answer(client)
        found[item["parent_header"]["msg_id"]] = item
    assert found[done]["content"] == {"status": "ok"}
    assert [bytes(part) for part in found[done]["buffers"]] == [b"buffer"]
    assert found[lost]["content"]["evalue"] == CUT
    controller.completed[runs] = True
    assert (await answer(client))["parent_header"]["msg_id"] == runs


async def test_what_its_engine_died_with_is_no_result(controller: Controller) -> None:
    """The client makes an error of it by itself, when it hears of the death; another would confuse
    it."""
    controller.answer_questions()
    dead, done = (f"{letter * 8}-{letter}_{os.getpid()}_1" for letter in "ab")
    client = controller.client()
    controller.completed, controller.stranded = {dead: True, done: True}, {dead}
    left = dict.fromkeys((dead, done), ("task", "apply_reply"))
    controller.tunnels.orphans.add_left(left)
    assert (await answer(client))["parent_header"]["msg_id"] == done
    assert await silent(client)


async def test_a_client_that_was_just_connecting_is_told_how(controller: Controller) -> None:
    """An error would be the end of it: "Failed to connect!"."""
    client = controller.socket(zmq.DEALER)
    client.connect(f"tcp://127.0.0.1:{controller.registration}")
    msg_id, frames = controller.request("connection_request")
    await client.send_multipart(frames)
    await controller.hub_socket.recv_multipart()
    controller.answer_questions()
    controller.cut()
    await asyncio.sleep(0.2)
    controller.heal()
    found = await answer(client)
    assert found["msg_type"] == CONNECTION
    assert found["parent_header"]["msg_id"] == msg_id
    assert found["content"]["engines"] == {"0": "uuid"}


async def test_nobody_else_gets_the_answer_to_a_question_to_the_hub(
    controller: Controller,
) -> None:
    """A client takes whatever comes first for the answer to its own question."""
    controller.answer_questions()
    controller.tunnels.orphans.add(REGISTRATION, {f"a-b_{os.getpid()}_1": "queue_reply"})
    client = controller.socket(zmq.DEALER)
    client.connect(f"tcp://127.0.0.1:{controller.registration}")
    msg_id, frames = controller.request("connection_request")
    await client.send_multipart(frames)
    assert (await answer(client))["parent_header"]["msg_id"] == msg_id
    await asyncio.sleep(2.5)
    assert await silent(client)


async def test_answers_of_other_processes_are_kept_from_a_client(controller: Controller) -> None:
    client = controller.client()
    controller.tunnels.orphans.add("task", {f"a-b_{os.getppid()}_1": "apply_reply"})
    await asyncio.sleep(1.5)
    assert await silent(client)
    controller.tunnels.orphans.add("task", {f"a-c_{os.getpid()}_1": "apply_reply"})
    assert (await answer(client))["content"]["evalue"] == CUT


def pieces() -> tuple[list[str], list[list[bytes]]]:
    talk, ids, messages = session(), [], []
    for number in range(6):
        request = talk.msg("apply_request", content={})
        ids.append(request["header"]["msg_id"])
        messages.append([b"engine", *talk.serialize(request), b"x" * 300 * number])
    return ids, messages


@pytest.mark.parametrize("before", [0, 1])
def test_what_is_whole_in_a_piece_of_a_stream_is_known(before: int) -> None:
    ids, all_messages = pieces()
    messages = [item[1 - before :] for item in all_messages]
    stream = b"".join(map(message, messages))
    ends = [len(b"".join(map(message, messages[:count]))) for count in range(7)]
    assert list(messages_in(stream, before)) == messages
    assert list(requests_in(stream)) == ids
    for start in range(0, ends[2], 7):
        for end in (ends[4], ends[5] - 1):
            found = list(messages_in(stream[start:end], before))
            # the first that is whole may not be known to be; none is taken for whole that isn't
            first = next(number for number in range(7) if ends[number] >= start)
            assert found in (messages[first:4], messages[first + 1 : 4])
    assert list(messages_in(stream[ends[1] : ends[3]], before)) == messages[1:3]
    assert list(messages_in(b"", before)) == []


def test_data_that_look_like_a_frame_before_the_delimiter_are_none() -> None:
    """120 is both the letter x and the length of what follows up to the delimiter."""
    first, second = pieces()[1][4:]
    stream = message(first) + message(second[1:])
    found = list(messages_in(stream[len(message(first)) - 122 :], 1))
    assert found in ([second[1:]], [])


def test_the_journal_says_what_is_open_whenever_its_writer_dies(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    journal = Journal(path)
    journal.add("task", {"a": "apply_reply", "b": "apply_reply"})
    journal.add("mux", {"c": "execute_reply"})
    journal.remove(["a", "unknown"])
    journal.close()
    with open(path, "a") as file:
        file.write("d\tta")  # half a line
    later = Journal(path)
    assert later.left == {"b": ("task", "apply_reply"), "c": ("mux", "execute_reply")}
    later.remove(["b", "c"])
    later.close()
    assert Journal(path).left == {}
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_journal_of_an_idle_cluster_stays_small(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "requests")
    for number in range(5000):
        journal.add("task", {f"{number:0100}": "apply_reply"})
        journal.remove([f"{number:0100}"])
    assert (tmp_path / "requests").stat().st_size <= LONGEST_IDLE + 300
    journal.close()

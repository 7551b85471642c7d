"""Asks the cluster's hub, as a client of our own tunnels does.

It knows which requests have arrived, keeps the results of most, and knows which engines there are.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from .error_replies import ErrorReplies

if TYPE_CHECKING:
    import zmq.asyncio

ANSWER_S = 10.0
TAKEN_S = 10.0  # which messages may take to the controller, until the connection is closed
REGISTRATION = "registration"  # the channel on which clients ask the hub
DEALER = 5  # zmq's type of the socket
LOCAL = "tcp://127.0.0.1"


class HubSilent(Exception):
    """The hub did not answer, or can't."""


class Conversation:
    """Questions to the hub over one connection; all raise HubSilent."""

    def __init__(self, dealer: "zmq.asyncio.Socket", error_replies: ErrorReplies) -> None:
        self._dealer, self._error_replies = dealer, error_replies

    async def completed(self, msg_ids: Sequence[str]) -> dict[str, bool]:
        """Return of each request that has arrived whether there is a result."""
        query = {"query": {"msg_id": {"$in": list(msg_ids)}}, "keys": ["msg_id", "completed"]}
        answer, _ = await self._ask("db_request", query)
        return {item["msg_id"]: item["completed"] is not None for item in answer.get("records", [])}

    async def result(self, msg_id: str, kind: str) -> bytes | None:
        """Return the reply of type `kind` to a completed request, as bytes for a client.

        None if the hub does not have it any more; nothing if no engine has made it.
        """
        answer, buffers = await self._ask("result_request", {"msg_ids": [msg_id]})
        if msg_id not in answer:
            return None
        return self._error_replies.result(kind, answer[msg_id], buffers)

    async def connection(self) -> dict[str, Any]:
        """Return what the hub tells a client that connects."""
        answer, _ = await self._ask("connection_request", {})
        return answer

    async def engines(self) -> dict[int, str]:
        """Return the engines that there are: id -> uuid."""
        answer = await self.connection()
        return {int(engine_id): uuid for engine_id, uuid in answer.get("engines", {}).items()}

    async def _ask(self, kind: str, content: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        session = self._error_replies.session
        request = session.msg(kind, content=content)
        await self._dealer.send_multipart(session.serialize(request))
        try:
            return await asyncio.wait_for(self._answer(request["header"]["msg_id"]), ANSWER_S)
        except asyncio.TimeoutError:
            raise HubSilent(f"The hub did not answer a {kind} within {ANSWER_S:g} s") from None

    async def _answer(self, msg_id: str) -> tuple[dict[str, Any], list[Any]]:
        session = self._error_replies.session
        while True:
            _, parts = session.feed_identities(await self._dealer.recv_multipart())
            message = session.deserialize(parts)
            if message["parent_header"].get("msg_id") == msg_id:
                return message["content"], message["buffers"]


class Hub:
    """The cluster's schedulers and its hub, behind ports of this computer, by channel.

    `error_replies` has the cluster's key.
    """

    def __init__(self, ports: Mapping[str, int], error_replies: ErrorReplies) -> None:
        self._ports, self._error_replies = ports, error_replies

    @asynccontextmanager
    async def conversation(self) -> AsyncIterator[Conversation]:
        async with self._connected(REGISTRATION, linger_s=0) as dealer:
            yield Conversation(dealer, self._error_replies)

    async def send(self, channel: str, messages: Sequence[Sequence[bytes]]) -> None:
        """Send on what clients have sent to a channel; the hub gets the results."""
        async with self._connected(channel, linger_s=ANSWER_S) as dealer:
            for frames in messages:
                await dealer.send_multipart(frames)
            await asyncio.sleep(TAKEN_S)

    @asynccontextmanager
    async def _connected(
        self, channel: str, linger_s: float
    ) -> "AsyncIterator[zmq.asyncio.Socket]":
        import zmq.asyncio  # seldom needed, as the session

        context = zmq.asyncio.Context()
        dealer = context.socket(DEALER)
        dealer.connect(f"{LOCAL}:{self._ports[channel]}")
        try:
            yield dealer
        finally:
            dealer.close(linger=int(linger_s * 1000))
            # in another thread: it waits for what lingers, which passes through this one
            await asyncio.shield(asyncio.to_thread(context.term))

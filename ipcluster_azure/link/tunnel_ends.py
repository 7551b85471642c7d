"""The two ends of a client's way to the controller: its connection to us, and the SSH channel."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

from .error_replies import OpenRequests
from .zmtp import Reader, handshake

if TYPE_CHECKING:
    from .tunnels import Tunnels

NOTIFICATIONS = "notification"  # the channel on which clients hear of engines, and of the end
PUBLISHERS = (NOTIFICATIONS, "iopub")


class ClientEnd(asyncio.Protocol):
    """A client's connection to one channel."""

    transport: asyncio.Transport

    def __init__(self, tunnels: "Tunnels", name: str, remote_port: int) -> None:
        self.tunnels, self.name, self.remote_port = tunnels, name, remote_port
        self.far: FarEnd | None = None
        self.waits = True  # for the first way to the controller
        self._requests = OpenRequests()
        counted = name not in PUBLISHERS
        self.up = Reader(self._requests.asked if counted else None)
        self.down = Reader(self._requests.answered if counted else None)
        self._early = b""  # Python 3.10 reads on even if connection_made pauses it
        self._handed_over = self._released = False

    @property
    def listens(self) -> bool:
        """Return whether a message can be put into what the client reads, now."""
        return not self._released and self.up.ready and self.down.between_messages

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.pause_reading()
        self.tunnels.add(self)

    def data_received(self, data: bytes) -> None:
        self.up.feed(data)
        if self.far is not None:
            self.far.channel.write(data)
        elif self.waits:
            self._early += data
        self._hand_over()
        if self.tunnels.dead_because and not self._released:
            self._answer_with(self.tunnels.dead_because)

    def eof_received(self) -> bool:
        return False  # closes this end, and with it the other

    def connection_lost(self, exc: Exception | None) -> None:
        self.tunnels.remove(self)
        if self._released and (replies := self._requests.take()):
            self.tunnels.note_unanswered(self.name, replies)
        self.waits = False
        self.lose_far()

    def pause_writing(self) -> None:
        if self.far is not None:
            self.far.channel.pause_reading()

    def resume_writing(self) -> None:
        if self.far is not None:
            self.far.channel.resume_reading()

    def reached(self, far: "FarEnd") -> None:
        """Send on what has come from the client: the SSH channel is open."""
        if not self.waits:  # too late
            far.channel.close()
            return
        self.far, self.waits = far, False
        if self._early:
            far.channel.write(self._early)
        self.transport.resume_reading()

    def heard(self, data: bytes) -> None:
        """Hand on to the client what has come from the controller."""
        self.transport.write(data)
        self.down.feed(data)
        self._hand_over()

    def _hand_over(self) -> None:
        """Tell the client, once after the handshake, what an earlier connection left unanswered."""
        if not self._handed_over and self.listens:
            self._handed_over = True
            self.tell(self.tunnels.errors_for_unanswered(self.name))

    def lose_far(self) -> None:
        far, self.far = self.far, None
        if far is not None:
            far.channel.close()

    def far_lost(self) -> None:
        self.far = None
        # what comes now is counted, and answered in its turn
        self.transport.resume_reading()
        self.tunnels.way_lost(self)

    def release(self, why: str) -> None:
        """Answer what is open, then let the client connect again.

        What it still sends before it notices the end is read, and answered on the next connection.
        """
        if self._released:
            return
        self._answer_with(why)
        if not self.up.ready or not self.up.readable or not self.transport.can_write_eof():
            self.close()
            return
        self._released = True
        self.transport.write_eof()
        self.transport.resume_reading()

    def answer_with_errors(self) -> None:
        """Answer this client's requests with errors from now on: the controller is dead."""
        if self.waits:
            self.waits = False
            kind = "PUB" if self.name in PUBLISHERS else "ROUTER"
            self.heard(handshake(kind))
        elif not self.listens:
            self.release(self.tunnels.dead_because)
            return
        self.transport.resume_reading()
        self._answer_with(self.tunnels.dead_because)

    def _answer_with(self, why: str) -> None:
        if not (replies := self._requests.take()):
            return
        if self.listens:
            self.tell(self.tunnels.error_replies.errors(replies, why))
        else:
            self.tunnels.note_unanswered(self.name, replies)

    def tell(self, data: bytes) -> None:
        self.transport.write(data)

    def close(self) -> None:
        self.waits = False
        self.transport.close()


class FarEnd:
    """The SSH channel that leads on to the controller; asyncssh's SSHTCPSession in its methods."""

    channel: Any

    def __init__(self, client: ClientEnd) -> None:
        self._client = client

    def connection_made(self, channel: Any) -> None:
        self.channel = channel

    def session_started(self) -> None:
        self._client.reached(self)

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        if self._client.far is self:
            self._client.heard(data)

    def eof_received(self) -> bool:
        self.channel.close()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._client.far is self:
            self._client.far_lost()

    def pause_writing(self) -> None:
        self._client.transport.pause_reading()

    def resume_writing(self) -> None:
        self._client.transport.resume_reading()

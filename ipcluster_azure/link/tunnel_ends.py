"""The two ends of a client's way to the controller: its connection to us, and the SSH channel."""

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from ..record.contents import DASK
from .client_processes import session_of
from .error_replies import CONNECTION, OpenRequests, Replies
from .gates import gate_of
from .zmtp import Reader, handshake

if TYPE_CHECKING:
    from .tunnels import Tunnels

NOTIFICATIONS = "notification"  # the channel on which clients hear of engines, and of the end
IOPUB = "iopub"
PUBLISHERS = (NOTIFICATIONS, IOPUB)


class ClientEnd(asyncio.Protocol):
    """A client's connection to one channel."""

    transport: asyncio.Transport

    def __init__(self, tunnels: "Tunnels", name: str, remote_port: int) -> None:
        self.tunnels, self.name, self.remote_port = tunnels, name, remote_port
        self.far: FarEnd | None = None
        self.session = ""  # of its client, once that has asked something here
        self.opened_at = 0.0  # the way to the controller, by time.monotonic()
        self.waits = True  # for the first way to the controller
        self._requests = OpenRequests()
        self.kept_as = ""  # its key at the partner
        counted = name not in PUBLISHERS
        self.up = Reader(self._requests.asked if counted else None, early=True)
        self.down = Reader(self._requests.answered if counted else None)
        self._gate = gate_of(self)
        self._owed: list[tuple[Replies, str]] = []  # requests that the gate has refused, and why
        self._early = b""  # Python 3.10 reads on even if connection_made pauses it
        self._handed_over = self._released = False
        self._left = False  # by us, and the client is there still

    @property
    def socket(self) -> Any:
        return self.transport.get_extra_info("socket")

    @property
    def route(self) -> tuple[int, int]:
        """The client's port and ours."""
        peer, own = map(self.transport.get_extra_info, ("peername", "sockname"))
        return int(peer[1]), int(own[1])

    @property
    def listens(self) -> bool:
        """Return whether a message can be put into what the client reads, now."""
        return not self._released and self.up.ready and self.down.between_messages

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.pause_reading()
        self.transport.set_write_buffer_limits(0)  # so that we hear when the system has taken all
        self.tunnels.add(self)

    def data_received(self, data: bytes) -> None:
        self.up.feed(data)
        if self._requests.new:  # before it is sent on: if we are killed, somebody must know of it
            new = self._requests.take_new()
            self._note_client(next(iter(new)))
            self.tunnels.journal.add(self.name, new)
        self._send_on(self._gate.up(data))
        self._hand_over()
        self._pay()
        if self.tunnels.dead_because and not self._released:
            self._answer_with(self.tunnels.dead_because)

    def _note_client(self, msg_id: str) -> None:
        """Note whose connection it is; who is new is looked at, before it sends tasks."""
        visitors = self.tunnels.visitors
        if not self.session and visitors is not None:
            visitors.look(msg_id, self.route, lambda: None)
        self.session = session_of(msg_id)

    def _send_on(self, data: bytes) -> None:
        if self.far is not None:
            self.far.channel.write(data)
        elif self.waits:
            self._early += data

    def go_on(self) -> None:
        """Send on what the gate has kept back."""
        if not self.transport.is_closing():
            self._send_on(self._gate.up(b""))
            self._pay()
            self.transport.resume_reading()

    def refuse(self, replies: Replies, why: str) -> None:
        """Answer requests with an error as soon as the client can be told."""
        self._owed.append((replies, why))

    def _pay(self) -> None:
        while self._owed and self.listens:
            refused, why = self._owed.pop(0)
            replies = self._requests.take(refused)
            self.tell(self.tunnels.error_replies.errors(replies, why), answers=replies)

    def eof_received(self) -> bool:
        return False  # closes this end, and with it the other

    def connection_lost(self, exc: Exception | None) -> None:
        self.tunnels.remove(self)
        replies = self._requests.take()
        self.tunnels.journal.remove(self._requests.take_done())
        if self._left and replies:
            self.tunnels.orphans.add(self.name, replies)
        else:
            self.tunnels.journal.remove(replies)
        self.waits = False
        self.lose_far()

    def pause_writing(self) -> None:
        if self.far is not None:
            self.far.channel.pause_reading()

    def resume_writing(self) -> None:
        self._note_done()
        if self.far is not None:
            self.far.channel.resume_reading()

    def _note_done(self) -> None:
        """Note what has been answered, once the system has all of it: our death can't undo it."""
        if self._requests.done and not self.transport.get_write_buffer_size():
            self.tunnels.journal.remove(self._requests.take_done())

    def reached(self, far: "FarEnd") -> None:
        """Send on what has come from the client: the SSH channel is open."""
        if not self.waits:  # too late
            far.channel.close()
            return
        self.far, self.waits, self.opened_at = far, False, time.monotonic()
        if self._early:
            far.channel.write(self._early)
        self.transport.resume_reading()

    def heard(self, data: bytes) -> None:
        """Hand on to the client what has come from the controller."""
        self.transport.write(self._gate.down(data))
        self.down.feed(data)
        self._note_done()
        self._hand_over()
        self._pay()

    def _hand_over(self) -> None:
        """Tell the client, once after the handshake, what an earlier connection left unanswered."""
        if not self._handed_over and self.listens:
            self._handed_over = True
            self.tunnels.orphans.hand_over(self)

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
        self._released = self._left = True
        self.transport.write_eof()
        self.transport.resume_reading()

    def answer_with_errors(self) -> None:
        """Answer this client's requests with errors from now on: the controller is dead."""
        if self.name == DASK:
            self.close()
            return
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
        if self.listens and (self.tunnels.dead_because or CONNECTION not in replies.values()):
            self.tell(self.tunnels.error_replies.errors(replies, why), answers=replies)
        else:
            self.tunnels.orphans.add(self.name, replies)

    def tell(self, data: bytes, answers: Iterable[str] = ()) -> None:
        """Put messages of ours in; they answer the requests of these ids."""
        self._requests.done += answers
        self.transport.write(data)
        self._note_done()

    def close(self) -> None:
        self.waits, self._left = False, True
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

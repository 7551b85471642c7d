"""The connections that clients had with a link that died: what they sent there and nobody read.

Their other ends take it as sent, and nobody else knows of it. So each is read to its end; whole
requests are sent on in their clients' names if the hub will have the result, and the others are
answered with an error.
"""

import asyncio
import logging
import socket
from collections.abc import Sequence
from contextlib import suppress

from ..formatting import counted
from .error_replies import OpenRequests, Replies
from .hub import Hub
from .orphans import RECORDED
from .tunnels import Tunnels
from .zmtp import frames_in, message, messages_in

AT_ONCE = 1 << 16
NOTICING_S = 5.0  # which a client may take to see that this connection ends
LONGEST = 1 << 26  # bytes that are kept of one connection

log = logging.getLogger(__name__)


async def answer_for(
    clients: Sequence[tuple[str, str, socket.socket]], tunnels: Tunnels, hub: Hub
) -> None:
    """End these connections, each with its key and channel; the clients connect again."""
    await asyncio.gather(*(_answer_for(*client, tunnels, hub) for client in clients))


async def _answer_for(
    key: str, channel: str, sock: socket.socket, tunnels: Tunnels, hub: Hub
) -> None:
    unread = b""
    with sock, suppress(OSError):
        unread = await _read_to_end(sock)
        sock.shutdown(socket.SHUT_RDWR)
    if tunnels.partner is not None:
        tunnels.partner.drop(key)
    whole = list(messages_in(unread, RECORDED[channel])) if channel in RECORDED else []
    asked = requests_in(unread)
    sent_on = requests_in(b"".join(map(message, whole)))
    lost = {msg_id: kind for msg_id, kind in asked.items() if msg_id not in sent_on}
    tunnels.journal.add(channel, asked)
    tunnels.orphans.add(channel, lost)
    tunnels.orphans.add(channel, sent_on, lost=False)
    if asked:
        log.info("%s to %s were not read", counted(len(asked), "request"), channel)
    if whole:
        await tunnels.is_open.wait()
        await hub.send(channel, whole)


async def _read_to_end(sock: socket.socket) -> bytes:
    """Read all that the client sends until it sees that nobody answers any more.

    First what is there: ZeroMQ forgets what it could not send while it waited for room.
    """
    data = bytearray()
    sock.setblocking(False)
    with suppress(BlockingIOError):
        while (part := sock.recv(AT_ONCE)) and len(data) < LONGEST:
            data += part
    sock.shutdown(socket.SHUT_WR)
    with suppress(OSError, asyncio.TimeoutError):
        await asyncio.wait_for(_read_on(sock, data), NOTICING_S)
    return bytes(data)


async def _read_on(sock: socket.socket, data: bytearray) -> None:
    loop = asyncio.get_running_loop()
    while (part := await loop.sock_recv(sock, AT_ONCE)) and len(data) < LONGEST:
        data += part


def requests_in(data: bytes) -> Replies:
    """Return the requests in a piece of a client's stream that may begin and end anywhere."""
    requests = OpenRequests()
    for frames in frames_in(data):
        requests.asked(frames)
    return requests.replies

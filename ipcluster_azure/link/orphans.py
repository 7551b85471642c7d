"""Requests whose connection has ended before their answer came, and what becomes of them.

ZeroMQ's sockets connect again by themselves, but as somebody else: the controller can't send them
the answer any more. It is taken to the client's next connection here: an error for what was lost,
or the result if the hub has it on record.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .client_processes import Connections, process_of, session_of
from .error_replies import CONNECTION, Replies
from .hub import REGISTRATION, Conversation, Hub, HubSilent
from .journal import Asked

if TYPE_CHECKING:
    from .tunnel_ends import ClientEnd
    from .tunnels import Tunnels

CUT = (
    "The connection to the controller was cut while this was under way, and its answer is lost. "
    "The cluster still runs: submit it again."
)
# channels of whose requests the hub keeps the results -> frames before the delimiter: the engine
RECORDED = {"mux": 1, "task": 0}
ARRIVED_S = 3.0  # by then the hub knows what has reached the controller
NEW_S = 1.0  # by then a client that is new has asked how to connect
ASK_S = 1.0
ASKED_AT_ONCE = 500
TOLD_S = 5.0  # other connections of the same process get it as well: it may have several clients
GIVEN_UP_S = 60.0  # for which the process has no connection to that channel

log = logging.getLogger(__name__)


@dataclass
class Orphan:
    """One request. `lost`: its answer is an error; else the hub is asked. `seen_at` is when its
    process was last connected; times are by time.monotonic(), 0: never."""

    msg_id: str
    channel: str
    kind: str
    lost: bool
    since: float = field(default_factory=time.monotonic)
    seen_at: float = field(default_factory=time.monotonic)
    told_at: float = 0.0
    told: set["ClientEnd"] = field(default_factory=set)


class Orphans:
    """The requests of a cluster's clients that have lost their connection."""

    def __init__(self, tunnels: "Tunnels") -> None:
        self._tunnels = tunnels
        self._orphans: dict[str, Orphan] = {}

    def add(self, channel: str, replies: Replies, *, lost: bool = True) -> None:
        """Note requests; if they are lost, their answer will be an error.

        How a client connects can be found out again.
        """
        for msg_id, kind in replies.items():
            is_lost = bool(self._tunnels.dead_because) or (lost and kind != CONNECTION)
            self._orphans[msg_id] = Orphan(msg_id, channel, kind, is_lost)

    def add_left(self, left: Mapping[str, Asked]) -> None:
        """Note what an earlier link has left open."""
        for msg_id, (channel, kind) in left.items():
            self.add(channel, {msg_id: kind}, lost=channel not in RECORDED)

    def answer_all(self) -> None:
        """Answer with errors: the controller is dead, and nobody else has a result."""
        for orphan in self._orphans.values():
            orphan.lost = True
        self._tell_of_losses(self._orphans.values())

    def hand_over(self, end: "ClientEnd") -> None:
        """Tell a new connection, which listens now, what its client waits for in vain."""
        self._tell_of_losses([item for item in self._orphans.values() if item.channel == end.name])

    async def run(self, hub: "Hub") -> None:
        """Get results from the hub, and take answers to connections that come late; for ever."""
        while True:
            await asyncio.sleep(ASK_S)
            self._forget()
            self._tell_of_losses(self._orphans.values())
            waiting = [orphan for orphan in self._orphans.values() if not orphan.lost]
            if not waiting or self._tunnels.ssh is None:
                continue
            try:
                async with hub.conversation() as conversation:
                    for first in range(0, len(waiting), ASKED_AT_ONCE):
                        await self._ask(conversation, waiting[first : first + ASKED_AT_ONCE])
            except HubSilent as error:
                log.info("%s", error)

    async def _ask(self, hub: Conversation, orphans: list[Orphan]) -> None:
        """Take the results that there are to those who wait for them; raises HubSilent."""
        completed = await hub.completed([orphan.msg_id for orphan in orphans])
        connections = self._connections()
        for orphan in orphans:
            msg_id = orphan.msg_id
            if orphan.kind != CONNECTION and msg_id not in completed:
                since = max(orphan.since, self._tunnels.attached_at)
                orphan.lost = time.monotonic() - since > ARRIVED_S
            elif completed.get(msg_id, True):
                for end in self._listeners(orphan, connections):
                    answer = await self._answer(hub, orphan)  # made anew: see error_replies.result
                    orphan.lost = answer is None
                    if answer is not None and end.listens:
                        self._note_told(orphan, end)
                        end.tell(answer, answers=[msg_id])

    async def _answer(self, hub: Conversation, orphan: Orphan) -> bytes | None:
        if orphan.kind != CONNECTION:
            return await hub.result(orphan.msg_id, orphan.kind)
        content = await hub.connection()
        return self._tunnels.error_replies.reply(orphan.msg_id, orphan.kind, content)

    def _tell_of_losses(self, orphans: Iterable[Orphan]) -> None:
        """Send the errors that are due to the connections of those who asked."""
        errors: dict[ClientEnd, Replies] = {}
        connections = self._connections()
        for orphan in orphans:
            for end in self._listeners(orphan, connections) if orphan.lost else ():
                self._note_told(orphan, end)
                errors.setdefault(end, {})[orphan.msg_id] = orphan.kind
        why = self._tunnels.dead_because or CUT
        for end, replies in errors.items():
            end.tell(self._tunnels.error_replies.errors(replies, why), answers=replies)

    def _connections(self) -> Connections:
        return Connections(self._tunnels.ends)

    def _listeners(self, orphan: Orphan, connections: Connections) -> "list[ClientEnd]":
        """Return the connections of its process that can be told, and have not been."""
        ends = connections.of(process_of(orphan.msg_id), orphan.channel)
        if ends:
            orphan.seen_at = time.monotonic()
        session = session_of(orphan.msg_id)
        ends = [end for end in ends if end.listens and end.session in ("", session)]
        if orphan.channel == REGISTRATION:  # whatever comes there is taken for the answer
            now = time.monotonic()
            ends = [end for end in ends if end.session or now - end.opened_at > NEW_S]
            ends = ends[: 0 if orphan.told else 1]
        return [end for end in ends if end not in orphan.told]

    def _note_told(self, orphan: Orphan, end: "ClientEnd") -> None:
        orphan.told.add(end)
        orphan.told_at = orphan.told_at or time.monotonic()

    def _forget(self) -> None:
        """Forget what was told, and what nobody waits for any more."""
        now, connections = time.monotonic(), self._connections()
        for orphan in list(self._orphans.values()):
            gone = connections.is_gone(process_of(orphan.msg_id))
            if gone or now - (orphan.told_at or now) > TOLD_S or now - orphan.seen_at > GIVEN_UP_S:
                del self._orphans[orphan.msg_id]
                self._tunnels.journal.remove([orphan.msg_id])

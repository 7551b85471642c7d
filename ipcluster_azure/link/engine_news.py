"""What clients have missed of engines while nothing could reach them, as the hub would say it.

Else a client would go on sending to an engine that has died meanwhile, and wait for ever; and would
never hear of the one that took its place.
"""

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from .hub import Hub, HubSilent
from .tunnel_ends import NOTIFICATIONS, ClientEnd

if TYPE_CHECKING:
    from .tunnels import Tunnels

LATECOMERS_S = 30.0  # after the way is open again
SETTLED_S = 1.0  # from a connection until the hub's own notifications reach it
LOOK_S = 0.25

log = logging.getLogger(__name__)


class EngineNews:
    """Tells each client's new connection which engines there are, after a way that was lost.

    `spare`: how many engines may have had ids above those that there are.
    """

    def __init__(self, tunnels: "Tunnels", hub: Hub, spare: int) -> None:
        self._tunnels, self._hub, self._spare = tunnels, hub, spare

    async def run(self) -> None:
        """Do so for ever."""
        told: set[ClientEnd] = set()
        while True:
            await asyncio.sleep(LOOK_S)
            told &= self._tunnels.ends
            due = {end for end in self._tunnels.ends - told if self._is_due(end)}
            if not due:
                continue
            try:
                async with self._hub.conversation() as conversation:
                    engines = await conversation.engines()
            except HubSilent as error:
                log.info("%s", error)
                continue
            for end in due:
                if end.listens:
                    end.tell(self._news(engines))  # signed anew: see ErrorReplies.result
                    told.add(end)

    def _is_due(self, end: ClientEnd) -> bool:
        reopened_at = self._tunnels.reopened_at
        if end.name != NOTIFICATIONS or not (reopened_at and end.far and end.listens):
            return False
        late_s = end.opened_at - reopened_at
        return 0 <= late_s < LATECOMERS_S and time.monotonic() - end.opened_at > SETTLED_S

    def _news(self, engines: dict[int, str]) -> bytes:
        error_replies = self._tunnels.error_replies
        gone = set(range(max(engines, default=-1) + 1 + self._spare)) - engines.keys()
        messages = [
            error_replies.notification("unregistration_notification", id=engine_id, uuid="")
            for engine_id in sorted(gone)
        ]
        messages += [
            error_replies.notification("registration_notification", id=engine_id, uuid=uuid)
            for engine_id, uuid in engines.items()
        ]
        return b"".join(messages)

"""What the guard asks the hub, whichever is there by now: one question after the other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from .hub import LINGER_S, Hub, HubSilent, hub_of
from .processes import Json
from .work_dir import WorkDir, read_json

T = TypeVar("T")
REGISTERED_S = 5.0  # for the hub to say which engines it knows


class HubQuestions:
    """Asks in threads, so that the guard goes on hearing the machines."""

    def __init__(self, work: WorkDir) -> None:
        self._work, self._asking = work, asyncio.Lock()

    def info(self) -> Json:
        """Return the content of the engines' connection file; empty while there is none."""
        files = read_json(self._work.controller_file).get("files", {})
        return read_json(Path(files["engine"])) if files else {}

    async def ask(self, question: Callable[[Hub], T]) -> T:
        """Return what `question` learns from the hub.

        Raises HubSilent if the hub does not answer, also when there is none yet.
        """
        info = self.info()
        if not info:
            raise HubSilent("no controller was started on this machine")

        def ask() -> T:
            with hub_of(info) as hub:
                return question(hub)

        async with self._asking:
            return await asyncio.to_thread(ask)

    async def forget(self, ids: Collection[int]) -> set[int]:
        """Have the hub forget these engines; returns those that it doesn't know any more."""

        def tell(hub: Hub) -> set[int]:
            for engine_id in sorted(ids):
                hub.tell("unregistration_request", id=engine_id)
            return set(ids) - hub.engines(timeout_s=LINGER_S)  # it has done it then

        return await self.ask(tell)

    async def registered(self) -> int | None:
        """Return how many engines the hub knows; None if it doesn't say."""
        with contextlib.suppress(HubSilent):
            return len(await self.ask(lambda hub: hub.engines(REGISTERED_S)))
        return None

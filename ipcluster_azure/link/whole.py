"""One link as a whole: its ports, what it does beside them, what an earlier one has left."""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial

from ..errors import AzureLauncherError
from ..record.contents import VISIT_OFFERED
from ..record.file import RecordFile
from .caretaker import Caretaker
from .engine_news import EngineNews
from .error_replies import ErrorReplies
from .forwards import Forwards
from .hub import REGISTRATION, Hub
from .journal import Journal
from .left_behind import answer_for
from .partner import POSSIBLE, Inheritance, Partner
from .tunnels import Tunnels
from .visitors import Visitors

AGAIN_S = 5.0  # after an error of ours

log = logging.getLogger(__name__)


class Link:
    """The link of one cluster. `left`: what an earlier link has left, if there was one."""

    def __init__(self, file: RecordFile, left: Inheritance | None) -> None:
        self._file, self._left, self._record = file, left, file.require()
        name = self._record.plan.names.base
        self._partner = Partner(file.path, name, self._note_watcher) if POSSIBLE else None
        if self._partner is not None and left is not None:
            self._partner.adopt(left)
        self._tasks: list[asyncio.Task[None]] = []

    def say_goodbye(self) -> None:
        """Have nobody start it again; may run in a signal handler."""
        if self._partner is not None:
            self._partner.say_goodbye()

    async def run(self, announce: Callable[[dict[str, int]], None]) -> None:
        """Open the tunnels, tell `announce` which local ports they have, and stay until the end.

        Raises AzureLauncherError if the controller can't be reached at the start, unless there was
        an earlier link.
        """
        client_info = {}
        with suppress(FileNotFoundError):  # a stop has erased it, and may need our help
            client_info = json.loads(self._file.client_file.read_text(encoding="utf-8"))
        journal = Journal(self._file.open_requests)
        visitors = Visitors(lambda: self._file.require().environment)
        tunnels = Tunnels(ErrorReplies(client_info), journal, self._partner, visitors)
        tunnels.orphans.add_left(journal.left)
        left = self._left.ports if self._left is not None else {}
        forwards = Forwards(self._file, tunnels, self._partner, left)
        try:
            ports = await self._listen(tunnels)
            self._note_open(ports)

            def on_open() -> None:
                self._go_on_beside(tunnels, ports, forwards)
                announce(ports)

            if self._left is not None:
                self._go_on_beside(tunnels, ports, forwards)
            revived = self._left is not None
            await Caretaker(self._file, tunnels, on_open, revived=revived).run()
        finally:
            for task in self._tasks:
                task.cancel()
            forwards.close()
            await tunnels.close()

    async def _listen(self, tunnels: Tunnels) -> dict[str, int]:
        left = self._left.ports if self._left is not None else {}
        return {
            name: await tunnels.listen(name, tunnel.local, tunnel.remote, left.get(name))
            for name, tunnel in self._record.tunnels.items()
        }

    def _note_open(self, ports: Mapping[str, int]) -> None:
        with self._file.edit() as record:
            record.link_pid, record.last_visit = os.getpid(), VISIT_OFFERED
            for name, port in ports.items():
                record.tunnels[name].local = port

    def _note_watcher(self, pid: int) -> None:
        with suppress(AzureLauncherError), self._file.edit() as record:
            record.watcher_pid = pid

    def _go_on_beside(self, tunnels: Tunnels, ports: Mapping[str, int], forwards: Forwards) -> None:
        """Begin, once, what is done beside the tunnels: nobody waits for it."""
        if self._tasks:
            return
        works: list[Callable[[], Awaitable[None]]] = [forwards.run]
        works += [] if self._partner is None else [self._partner.run]
        hub = Hub(ports, tunnels.error_replies)
        if REGISTRATION in ports:
            spare = sum(engine_set.n for engine_set in self._record.engine_sets.values())
            works += [partial(tunnels.orphans.run, hub), EngineNews(tunnels, hub, spare).run]
        if self._left is not None:
            works.append(partial(answer_for, self._left.clients, tunnels, hub))
        self._tasks = [asyncio.ensure_future(_keep_at(work)) for work in works]


async def _keep_at(work: Callable[[], Awaitable[None]]) -> None:
    """Do some work until it is done, whatever it raises."""
    while True:
        try:
            return await work()
        except Exception:
            log.exception("This is tried again")
        await asyncio.sleep(AGAIN_S)

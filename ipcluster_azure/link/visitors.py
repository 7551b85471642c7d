"""Clients whose Python environment isn't the engines': found out as they first ask something.

Neither side notices by itself: functions travel as bytecode, which ends an engine of another minor
version, and objects as pickles, which know the inside of their package.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from ..environment.versions import versions_in
from ..record.environment import Environment
from .client_interpreters import interpreter_of
from .client_processes import Route, process_of, session_of

LOOK_S = 2.0  # then a client is let in unseen
REMEMBERED = 1000  # sessions

log = logging.getLogger(__name__)


@dataclass
class Visitor:
    """What is wrong with the client of one session; both empty if nothing is.

    `refusal`: its functions must not reach the engines. `warning`: its packages are others.
    """

    refusal: str = ""
    warning: str = ""
    is_warned: bool = False


class Visitors:
    """The clients of a cluster, by the session that their messages name.

    `environment` reads what the engines have, in another thread.
    """

    def __init__(self, environment: Callable[[], Environment]) -> None:
        self._environment = environment
        self._known: dict[str, Visitor] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}

    def known(self, msg_id: str) -> Visitor | None:
        """Return who sent this message; None if nobody has looked."""
        return self._known.get(session_of(msg_id))

    def look(self, msg_id: str, route: Route, on_known: Callable[[], None]) -> Visitor | None:
        """Return who sent this message over a connection.

        None if that must be found out first: `on_known` is called as soon as it is.
        """
        session, pid = session_of(msg_id), process_of(msg_id)
        if session in self._known:
            return self._known[session]
        if pid is None:
            return Visitor()
        if session not in self._looking:
            self._looking[session] = asyncio.ensure_future(self._find_out(session, pid, route))
        self._looking[session].add_done_callback(lambda _: on_known())
        return None

    async def _find_out(self, session: str, pid: int, route: Route) -> None:
        visitor = Visitor()
        try:
            looking = asyncio.to_thread(self._examine, pid, route)
            visitor = await asyncio.wait_for(looking, LOOK_S)
        except Exception:
            log.exception("It can't be told what Python process %d runs", pid)
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[session] = visitor
        del self._looking[session]
        if text := visitor.refusal or visitor.warning:
            log.warning("The client with process id %d: %s", pid, text)

    def _examine(self, pid: int, route: Route) -> Visitor:
        interpreter = interpreter_of(pid, route)
        if interpreter is None:
            return Visitor()
        engines = self._environment()
        if interpreter.python and (refusal := engines.foreign(interpreter.python)):
            return Visitor(refusal=refusal)
        if not interpreter.folders:
            return Visitor()
        packages = versions_in(engines.packages, *interpreter.folders)
        return Visitor(warning=engines.difference(packages))

"""Talks to the hub over ZeroMQ, from the machines. Needs ipyparallel and pyzmq.

Whoever forks must not have used this: each call makes a ZeroMQ context, and so threads.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

ANSWER_S = 1.0  # before it is asked again
LINGER_S = 2.0  # how long a last message to a hub that doesn't answer is kept
PAUSE_S = 0.05


@dataclass(frozen=True)
class Load:
    """How much the hub has to do: ids of the engines that clients can see, number of tasks that run
    or wait, number of tasks that are done."""

    engines: set[int]
    unfinished: int
    completed: int


class HubSilent(Exception):
    """The hub did not answer."""


class Hub:
    """A conversation with the hub's registration port."""

    def __init__(self, session: Any, dealer: Any) -> None:
        self._session, self._dealer = session, dealer

    def tell(self, kind: str, **content: Any) -> None:
        self._session.send(self._dealer, kind, content=content)

    def ask(self, kind: str, timeout_s: float = ANSWER_S, **content: Any) -> Json:
        """Send a request; returns the content of the answer. Raises HubSilent."""
        asked = self._session.send(self._dealer, kind, content=content)["header"]["msg_id"]
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0 and self._dealer.poll(left_s * 1000):
            _, reply = self._session.feed_identities(self._dealer.recv_multipart())
            message = self._session.deserialize(reply)
            if message["parent_header"].get("msg_id") == asked:
                answer: Json = message["content"]
                return answer
        raise HubSilent(f"the hub did not answer a {kind} within {timeout_s:g} s")

    def engines(self, timeout_s: float = ANSWER_S) -> set[int]:
        """Return the ids of the engines that clients can see. Raises HubSilent."""
        return set(map(int, self.ask("connection_request", timeout_s).get("engines", {})))

    def load(self) -> Load:
        """Return the load of the engines that are there: a dead one keeps its tasks in the hub's
        lists. Raises HubSilent."""
        engines = self.engines(LINGER_S)
        unfinished, completed = 0, 0
        if engines:
            queues = self.ask("queue_request", LINGER_S, targets=sorted(engines), verbose=False)
            unfinished = int(queues.pop("unassigned", 0))
            for queue in queues.values():
                if isinstance(queue, dict):
                    unfinished += int(queue["queue"]) + int(queue["tasks"])
                    completed += int(queue["completed"])
        return Load(engines, unfinished, completed)


@contextlib.contextmanager
def hub_of(info: Json) -> Iterator[Hub]:
    """Connect to the hub of the engines' connection file, of which `info` is the content.

    At the end, what was told is kept for up to LINGER_S until it is sent.
    """
    from ipyparallel import util
    from jupyter_client.session import Session

    util._disable_session_extract_dates()
    session = Session(
        key=info["key"].encode(),
        signature_scheme=info["signature_scheme"],
        packer=info["pack"],
        unpacker=info["unpack"],
    )
    zmq: Any = importlib.import_module("zmq")
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.LINGER = int(LINGER_S * 1000)
        url = util.disambiguate_url(f"{info['interface']}:{info['registration']}", info["location"])
        util.connect(dealer, url, curve_serverkey=(info.get("curve_serverkey") or "").encode())
        yield Hub(session, dealer)


def unregister(info: Json, ids: Iterable[int]) -> None:
    """Tell the hub that engines have ended, as ipyparallel's KernelNanny.notify_exit does."""
    with hub_of(info) as hub:
        for engine_id in ids:
            hub.tell("unregistration_request", id=engine_id)


def wait_until_listed(info: Json, ids: set[int]) -> None:
    """Ask the hub until clients can see all engines: some heartbeats after registration."""
    with hub_of(info) as hub:
        while True:
            with contextlib.suppress(HubSilent):
                if ids <= hub.engines():
                    return
            time.sleep(PAUSE_S)

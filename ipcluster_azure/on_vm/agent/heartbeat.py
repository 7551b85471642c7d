"""Each engines' machine tells the guard once a second that it lives. Linux, standard library.

Lines of JSON over one TCP connection, each signed with the cluster's key:

    guard    {"nonce"}                     a new one for each connection
    machine  {"count", "machine", "ids", "starting", "begun", "done", "evicted", "load", "mac"}
             once a second, more often while engines are starting; count goes up, begun and done
             are numbers of tasks, load is what loads.py notes. {"count", "machine", "bye",
             "evicted", "mac"} is its last
    guard    {"count", "unknown", "mac"}   to each; unknown: ids that the hub doesn't have

The command that has a machine's engines unregistered sends {"count", "unregister", "mac"} and gets
{"count", "ids", "mac"}; the one that shows the load sends {"count", "show_load", "mac"} and
gets {"count", "load", "mac"}.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

Json = dict[str, Any]

BEAT_S = 1.0
STARTING_S = 0.1  # a machine may be lost as soon as its engines are there: whose were they?
ANSWER_S = 3.0  # then the line counts as broken
LINE_LIMIT = 1 << 16  # of a machine's beat: some 50 bytes for each engine
ANSWER_LIMIT = 1 << 26  # of the guard's answer about all machines
DOMAIN = b"ipcluster-azure guard"


def sign(key: bytes, nonce: str, side: str, content: Json) -> Json:
    return content | {"mac": _mac(key, nonce, side, content)}


def verified(key: bytes, nonce: str, side: str, line: bytes) -> Json:
    """Return the content of a line.

    Raises ValueError unless `side` ("guard" or "machine") wrote it on the connection of this nonce.
    """
    content = json.loads(line)
    if not isinstance(content, dict):
        raise ValueError("not an object")
    mac = str(content.pop("mac", ""))
    if not hmac.compare_digest(mac.encode(), _mac(key, nonce, side, content).encode()):
        raise ValueError("wrong signature")
    return content


def _mac(key: bytes, nonce: str, side: str, content: Json) -> str:
    text = json.dumps([nonce, side, content], sort_keys=True).encode()
    return hmac.new(key, DOMAIN + text, hashlib.sha256).hexdigest()


class Line:
    """The machine's end of a connection to the guard. Raises OSError and ValueError everywhere."""

    def __init__(self, address: str, port: int, key: bytes, limit: int, timeout_s: float) -> None:
        self._key, self._count, self._limit = key, 0, limit
        self._socket = socket.create_connection((address, port), timeout_s)
        self._file = self._socket.makefile("rb")
        try:
            self._nonce = str(json.loads(self._read())["nonce"])
        except BaseException:
            self.close()
            raise

    @classmethod
    def to(cls, hub: Json, limit: int = LINE_LIMIT, timeout_s: float = ANSWER_S) -> Line:
        """Connect to the guard of a cluster; `hub` is the content of its connection file, `limit`
        how many bytes an answer may have, `timeout_s` how long it may take."""
        return cls(hub["location"], hub["guard"], hub["key"].encode(), limit, timeout_s)

    def _read(self) -> bytes:
        line = self._file.readline(self._limit)
        if not line.endswith(b"\n"):
            raise ConnectionError("the guard hung up")
        return line

    def ask(self, content: Json) -> Json:
        self._count += 1
        request = sign(self._key, self._nonce, "machine", {"count": self._count, **content})
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        answer = verified(self._key, self._nonce, "guard", self._read())
        if answer["count"] != self._count:
            raise ValueError("an answer to another request")
        return answer

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def keep_beating(
    hub: Json,
    state: Callable[[], Json],
    on_unknown: Callable[[list[int]], None],
) -> None:
    """Tell the guard once a second how this machine is, for ever.

    `hub` is the content of the connection file, with the guard's port in it; `state` gives what a
    beat says; `on_unknown` is called with the ids of engines that the hub has given up.
    """
    while True:
        with contextlib.suppress(OSError, ValueError, KeyError), Line.to(hub) as line:
            while True:
                beat_at = time.monotonic()
                beat = state()
                if unknown := line.ask(beat)["unknown"]:
                    on_unknown(unknown)
                pause_s = STARTING_S if beat["starting"] else BEAT_S
                time.sleep(max(0.0, beat_at + pause_s - time.monotonic()))
        time.sleep(BEAT_S / 2)


def tell(hub: Json, content: Json) -> Json:
    """Send the guard one message; returns its answer. Raises OSError and ValueError."""
    with Line.to(hub) as line:
        return line.ask(content)

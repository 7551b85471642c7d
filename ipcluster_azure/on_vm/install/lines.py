"""Connections to package indexes, each used for many files: a TLS handshake takes longer than most
wheels do. It is short, as job files have little room."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any


class Lines:
    """Gets files over HTTP; each thread keeps its connection to a host for the next file.

    Where a proxy is configured, or an address leads on to another, a file has one of its own.
    `silence_s`: how long a host may take to answer, or between two bytes.
    """

    def __init__(self, silence_s: float) -> None:
        self._silence_s = silence_s
        self._kept: dict[Any, Any] = {}  # connections by thread, scheme and host
        # one for all: to read the certificates takes longer than most downloads
        self._context = ssl.create_default_context()
        https = urllib.request.HTTPSHandler(context=self._context)
        self._opener = urllib.request.build_opener(https)

    def close(self) -> None:
        """End the connections that are kept."""
        for line in self._kept.values():
            line.close()

    @contextlib.contextmanager
    def get(self, url: str) -> Iterator[http.client.HTTPResponse]:
        """Yield the reply whose body is what is at this address.

        Raises HTTPError if the host refuses, OSError or HTTPException if it doesn't answer.
        """
        place = urllib.parse.urlsplit(url)
        key = (threading.get_ident(), *place[:2])
        with contextlib.ExitStack() as ending:
            if place.scheme in {"http", "https"} - urllib.request.getproxies().keys():
                line, reply = self._ask(place, self._kept.pop(key, None))
                ending.callback(line.close)
                if reply and reply.status >= 400:
                    said = (reply.status, reply.reason, reply.headers)
                    raise urllib.error.HTTPError(url, *said, None)
                if reply and reply.status == 200:
                    yield reply
                    if reply.isclosed() and line.sock:  # all was read, and the host waits for more
                        self._kept[key] = line
                        ending.pop_all()
                    return
        # this one knows what to do about proxies, redirections, and lines that were cut
        with self._opener.open(url, timeout=self._silence_s) as reply:
            yield reply

    def _ask(self, place: urllib.parse.SplitResult, kept: Any) -> tuple[Any, Any]:
        """Return a connection and its reply; None if the host has ended the `kept` one."""
        line: Any = kept or http.client.HTTPConnection(place.netloc, timeout=self._silence_s)
        if not kept and place.scheme == "https":
            line = http.client.HTTPSConnection(
                place.netloc, timeout=self._silence_s, context=self._context
            )
        try:
            line.request("GET", place._replace(scheme="", netloc="").geturl())
            return line, line.getresponse()
        except (OSError, http.client.HTTPException):
            line.close()
            if not kept:
                raise
            return line, None

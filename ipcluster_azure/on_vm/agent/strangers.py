"""Connections of which nobody knows yet whose they are. Linux, standard library."""

from __future__ import annotations

from asyncio import StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager

MOST = 1024  # more than there are machines that connect at once


class Strangers:
    """Neighbours in the network can open connections, but each costs memory: the oldest of too many
    are closed, as a machine of the cluster says at once who it is."""

    def __init__(self) -> None:
        self._waiting: dict[StreamWriter, None] = {}

    @contextmanager
    def waiting(self, writer: StreamWriter) -> Iterator[None]:
        """Count a connection as a stranger's until its request was found to be good."""
        self._waiting[writer] = None
        if len(self._waiting) > MOST:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.transport.abort()
        try:
            yield
        finally:
            self._waiting.pop(writer, None)

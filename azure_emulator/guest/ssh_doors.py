"""A machine's doors: the SSH port of its addresses, silent to whoever may not come in.

A packet filter drops what it forbids, and a machine that is off answers nothing. A process without
root cannot drop one peer's packets and not another's: it takes the connection and never says a
word on it. Once the peer may come in, it is served, as its next SYN would be.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

BACKLOG = 128
MOST_HELD = 256  # silent connections of one door; the oldest go first
HUNG_UP = (7, 8)  # TCP_INFO's states CLOSE and CLOSE_WAIT: the peer is gone
PAUSE_S = 1.0

Admits = Callable[[str, str], bool]  # peer address, own address
Serve = Callable[[socket.socket], None]


class Door:
    """One address, whose port is taken; open() and close() say whether anything answers there."""

    def __init__(self, address: str, port: int) -> None:
        """Take the port; raises OSError if the address can't be had."""
        self.address = address
        self._listener = socket.socket()
        self._held: list[tuple[socket.socket, str]] = []
        self._admits: Admits | None = None
        self._serve: Serve | None = None
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind((address, port))
            self._listener.listen(BACKLOG)
        except OSError:
            self._listener.close()
            raise
        self._listener.setblocking(False)
        self._accepting = asyncio.ensure_future(self._accept())

    def open(self, admits: Admits, serve: Serve) -> None:
        """Serve whom `admits` lets in, also those whose connections are held already."""
        self._admits, self._serve = admits, serve
        self.look_again()

    def close(self) -> None:
        """Be silent to everybody from now on; what is being served is not touched."""
        self._admits = self._serve = None

    def look_again(self) -> None:
        """Ask again about the connections that are held: who may come in has changed."""
        self._held = [item for item in self._held if not self._answers(*item)]

    def remove(self) -> None:
        """Give the port back: the address is not the machine's any more."""
        self.close()
        self._accepting.cancel()
        self._listener.close()
        for connection, _ in self._held:
            connection.close()
        self._held.clear()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(self._listener)
            except OSError as error:
                log.warning("cannot accept on %s: %s", self.address, error)
                await asyncio.sleep(PAUSE_S)  # no descriptor is free, most likely
                continue
            connection.setblocking(False)
            if not self._answers(connection, peer[0]):
                self._held.append((connection, peer[0]))
                if len(self._held) > MOST_HELD:
                    self._forget()

    def _answers(self, connection: socket.socket, peer: str) -> bool:
        """Serve the connection if the peer may come in; return whether it does."""
        if self._admits is None or self._serve is None or not self._admits(peer, self.address):
            return False
        self._serve(connection)
        return True

    def _forget(self) -> None:
        """Let go of held connections that have hung up, or else of the oldest."""
        gone = [item for item in self._held if _has_hung_up(item[0])] or self._held[:1]
        self._held = [item for item in self._held if item not in gone]
        for connection, _ in gone:
            connection.close()


def _has_hung_up(connection: socket.socket) -> bool:
    try:
        state: int = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    except OSError:
        return True
    return state in HUNG_UP


class Doors:
    """All doors of one machine, kept in step with the addresses it has."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._doors: dict[str, Door] = {}

    def keep(self, addresses: Iterable[str]) -> OSError | None:
        """Have doors at these addresses alone, new ones silent; return one that can't be had."""
        wanted = list(addresses)
        for address in [address for address in self._doors if address not in wanted]:
            self._doors.pop(address).remove()
        for address in wanted:
            if address not in self._doors:
                try:
                    self._doors[address] = Door(address, self._port)
                except OSError as error:
                    error.filename = address
                    return error
        return None

    def open(self, admits: Admits, serve: Serve) -> None:
        for door in self._doors.values():
            door.open(admits, serve)

    def close(self) -> None:
        for door in self._doors.values():
            door.close()

    def remove(self) -> None:
        self.keep(())

"""The only part of the internet that machines reach: the package index of this computer's user.

Its names are looked up here, told by the router's DNS, and connections to them are carried: the
router redirects them to a relay in this process, which is where the internet is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Mapping
from urllib.parse import urlsplit

PYPI = ("pypi.org", "files.pythonhosted.org")
VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX")
SO_ORIGINAL_DST = 80
CHUNK = 1 << 16


def names() -> list[str]:
    """Return the hosts of the indexes that pip and uv are configured to ask."""
    words = [word for name in VARIABLES for word in os.environ.get(name, "").split()]
    hosts = [urlsplit(word.rpartition("=")[2]).hostname for word in words]
    return sorted({*PYPI, *(host for host in hosts if host)})


def look_up() -> dict[str, str]:
    """Return name -> address of those that can be found. Blocking."""
    found = {}
    for name in names():
        with contextlib.suppress(OSError):
            found[name] = socket.getaddrinfo(name, 443, socket.AF_INET)[0][4][0]
    return {name: str(address) for name, address in found.items()}


class Relay:
    """Carries the connections that the router redirected to where they were going."""

    def __init__(self, listener: socket.socket, addresses: Mapping[str, str]) -> None:
        self._listener = listener
        self._allowed = frozenset(addresses.values())
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._carry, sock=self._listener)

    def close(self) -> None:
        if self._server:
            self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        raw = sock.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
        port, address = struct.unpack("!2xH4s8x", raw)
        host = socket.inet_ntoa(address)
        try:
            if host not in self._allowed:
                return
            with contextlib.suppress(OSError):
                there, back = await asyncio.open_connection(host, port)
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        with contextlib.suppress(OSError):
            writer.close()

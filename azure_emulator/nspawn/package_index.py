"""The only part of the internet that machines reach: the package index of this computer's user.

Its names are looked up here, told by the router's DNS, and connections to them are carried: the
router redirects them to a relay in this process, which is where the internet is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..guest.vm_environment import way_out

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PYPI = ("pypi.org", "files.pythonhosted.org")
VARIABLES = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    *("UV_DEFAULT_INDEX", "UV_INDEX"),
)
SO_ORIGINAL_DST = 80
CHUNK = 1 << 16
CONNECT_S = 30.0
SILENCE_S = 300.0  # an index may think for a while before it answers
LOGIN = re.compile(r"//[^/@\s]*@")


def _addresses() -> Iterator[str]:
    """Yield the indexes that pip and uv are configured to ask; uv's may begin with `name=`."""
    for name in VARIABLES:
        for word in os.environ.get(name, "").split():
            address = word[word.index("http") :] if "http" in word else word
            yield address


def names() -> list[str]:
    """Return the hosts of the indexes that pip and uv are configured to ask."""
    hosts = [urlsplit(address).hostname for address in _addresses()]
    return sorted({*PYPI, *(host for host in hosts if host)})


def environment() -> str:
    """Return /etc/environment of a machine with a way out: the index, as it is configured here.

    What names files of this computer is left out, but for the certificates that the root file
    system has a copy of. Everybody can read that file: logins are in logins().
    """
    return "".join(
        f'{name}="{LOGIN.sub("//", value)}"\n'
        for name, value in way_out().items()
        if value == str(CERTIFICATES) or (name in VARIABLES and "://" in value)
    )


def logins() -> str:
    """Return the indexes' logins as a .netrc, which pip and uv read; empty if there are none."""
    lines = []
    for address in _addresses():
        parts = urlsplit(address)
        if parts.hostname and parts.username is not None:
            login = f"login {unquote(parts.username)} password {unquote(parts.password or '')}"
            lines.append(f"machine {parts.hostname} {login}\n")
    return "".join(dict.fromkeys(lines))


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
            await carry(reader, writer, host, port)
        finally:
            writer.close()


async def carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
) -> None:
    """Carry a connection to where it was going, until either end closes it or both are silent."""
    try:
        there, back = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_S)
    except (OSError, asyncio.TimeoutError):
        return
    moved = asyncio.Event()
    both = asyncio.gather(_pump(reader, back, moved), _pump(there, writer, moved))
    try:
        while not (await asyncio.wait([both], timeout=SILENCE_S))[0] and moved.is_set():
            moved.clear()
    finally:
        both.cancel()
        back.close()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, moved: asyncio.Event
) -> None:
    try:
        while data := await reader.read(CHUNK):
            moved.set()
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        with contextlib.suppress(OSError):
            writer.close()

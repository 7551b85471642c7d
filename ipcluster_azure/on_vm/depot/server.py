"""The server: a folder's files, below a path that nobody can guess.

Neighbours in an existing subnet reach this server. Who doesn't know the path costs a few kilobytes
for HEAD_S at most: nothing else of a request is looked at before the path is right, and when too
many are slow to say it, the oldest are hung up on.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import socket
import stat
import urllib.parse
from http import HTTPStatus
from pathlib import Path
from typing import IO, NamedTuple

ENVIRONMENT = "environment.tar"
PASSING_ON = "pass-on"
PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
TRANSFERS = 4  # of the environment at once, for the controller and for each that passes it on
TRANSFER_S = 300.0  # that one answer may take to be sent
HEAD_LIMIT, HEAD_S = 8192, 10.0  # of a request's first lines: bytes, and seconds until all are here
BODY_LIMIT, BODY_S = 500, 10.0
UNKNOWN = 2048  # connections that have not shown the path yet: more than machines ask at once


class Refused(Exception):
    """Carries the status with which a request is refused."""


class Head(NamedTuple):
    """A request's first lines. `headers` has names in lower case, each with all its values."""

    method: str
    target: str
    headers: dict[str, list[str]]

    @classmethod
    def parsed(cls, data: bytes) -> Head:
        first, *rest = data.decode("latin-1").rstrip("\r\n").split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise Refused(HTTPStatus.BAD_REQUEST)
        headers: dict[str, list[str]] = {}
        for line in rest:
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        return cls(words[0], words[1], headers)

    def body_size(self) -> int:
        """Return the length of the body that comes; raises Refused unless it is said once, short
        and plainly."""
        (size, *more) = self.headers.get("content-length", [""])
        if more or "transfer-encoding" in self.headers or not re.fullmatch(r"[0-9]{1,9}", size):
            raise Refused(HTTPStatus.LENGTH_REQUIRED)
        if int(size) > BODY_LIMIT:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return int(size)


class Depot:
    """Serves a folder's files below a path that nobody can guess: one request a connection."""

    def __init__(self, address: str, folder: Path, before: str = "") -> None:
        """`before`: the URL of a server that has died, which this one goes on with."""
        place = urllib.parse.urlsplit(before)
        self.listener = socket.create_server((address, place.port or 0))
        self.folder, self.token = folder, place.path[1:] or secrets.token_urlsafe(16)
        self.url = f"http://{address}:{self.listener.getsockname()[1]}/{self.token}"
        self._turns = TRANSFERS
        self._unknown: dict[asyncio.StreamWriter, None] = {}  # the oldest first
        self._others: dict[str, str] = {}  # address -> URL of its copy, the next to be named first

    async def start(self) -> asyncio.AbstractServer:
        """Listen; all machines of a set may ask at the same moment."""
        return await asyncio.start_server(
            self._serve, sock=self.listener, limit=HEAD_LIMIT, backlog=1024
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(self._head(reader, writer), HEAD_S)
            await asyncio.wait_for(self._answer(head, reader, writer), TRANSFER_S)
            writer.close()
        except Refused as refusal:
            writer.write(_head(refusal.args[0]))
            writer.close()
        except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError):
            pass
        finally:
            if not writer.is_closing():
                writer.transport.abort()  # what it has not read by now is lost

    async def _head(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Head:
        """Return the first lines of a request whose path is right; raises Refused for others."""
        self._unknown[writer] = None
        if len(self._unknown) > UNKNOWN:
            oldest = next(iter(self._unknown))
            del self._unknown[oldest]
            oldest.transport.abort()
        try:
            head = Head.parsed(await reader.readuntil(b"\r\n\r\n"))
        finally:
            self._unknown.pop(writer, None)
        token = head.target.lstrip("/").partition("/")[0]
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            raise Refused(HTTPStatus.NOT_FOUND)
        return head

    async def _answer(
        self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        name = head.target.lstrip("/").partition("/")[2]
        if head.method == "POST" and name == PASSING_ON:
            body = await asyncio.wait_for(reader.readexactly(head.body_size()), BODY_S)
            self._add(body, writer.get_extra_info("peername")[0])
            writer.write(_head(HTTPStatus.NO_CONTENT))
        elif head.method != "GET" or not PLAIN_NAME.fullmatch(name):
            raise Refused(HTTPStatus.NOT_FOUND)
        elif name != ENVIRONMENT:
            await self._send(name, writer)
        elif self._turns:
            self._turns -= 1
            try:
                await self._send(name, writer)
            finally:
                self._turns += 1
        elif self._others:
            writer.write(_head(HTTPStatus.FOUND, Location=self._another()))
        else:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE)

    async def _send(self, name: str, writer: asyncio.StreamWriter) -> None:
        with self._opened(name) as file:
            size = os.fstat(file.fileno()).st_size
            writer.write(_head(HTTPStatus.OK, Content_Length=str(size)))
            if size:
                await asyncio.get_running_loop().sendfile(writer.transport, file)

    def _opened(self, name: str) -> IO[bytes]:
        """Open one of the folder's files; raises Refused for all else that may have this name."""
        try:
            file = open(self.folder / name, "rb", opener=_no_link)  # noqa: SIM115 - its caller does
        except OSError:
            raise Refused(HTTPStatus.NOT_FOUND) from None
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise Refused(HTTPStatus.NOT_FOUND)
        return file

    def _add(self, body: bytes, address: str) -> None:
        """Note where a machine offers its copy: at its own address, or it is not believed."""
        url = rf"http://{re.escape(address)}:[0-9]{{1,5}}/[A-Za-z0-9_-]+/{re.escape(ENVIRONMENT)}"
        text = body.decode("latin-1")
        if not re.fullmatch(url, text):
            raise Refused(HTTPStatus.NOT_FOUND)
        self._others[address] = text

    def _another(self) -> str:
        """Return the URL of another machine's copy, each in turn."""
        address = next(iter(self._others))
        self._others[address] = url = self._others.pop(address)
        return url


def _head(status: HTTPStatus, **headers: str) -> bytes:
    lines = [f"HTTP/1.0 {status.value} {status.phrase}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def _no_link(path: str, flags: int) -> int:
    """An opener for open(): follows no link, and waits for nobody who writes to a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)

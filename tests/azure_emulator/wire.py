"""Bytes to an emulator's port, whatever they are, and what comes back."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from .cloud import Answer, Cloud


@contextlib.contextmanager
def connected(cloud: Cloud) -> Iterator[ssl.SSLSocket]:
    """A TLS connection, as any client has it."""
    address = urlsplit(cloud.info.endpoint)
    context = ssl.create_default_context(cafile=cloud.info.ca_file)
    with (
        socket.create_connection((str(address.hostname), int(address.port or 0)), 20) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secure,
    ):
        yield secure


def received(sock: ssl.SSLSocket) -> bytes:
    """All until the other side closes or says nothing for a while."""
    parts = []
    with contextlib.suppress(OSError):
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


def ask(cloud: Cloud, raw: bytes) -> Answer | None:
    """The answer to these bytes; None if the connection was closed without one."""
    with connected(cloud) as sock:
        with contextlib.suppress(OSError):  # it may refuse before it has read everything
            sock.sendall(raw)
        return parsed(received(sock))


def parsed(raw: bytes) -> Answer | None:
    """The last response in it, after any 100 Continue."""
    if not raw:
        return None
    response = http.client.HTTPResponse(_Fake(raw))  # type: ignore[arg-type]
    response.begin()
    body = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, json.loads(body) if body else None)


class _Fake:
    """What HTTPResponse needs of a socket."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._raw)


def head(cloud: Cloud, method: bytes, target: bytes, *lines: bytes, http: bytes = b"1.1") -> bytes:
    """A request's head with the token; the connection closes after the answer."""
    token = cloud.token.encode()
    first = method + b" " + target + b" HTTP/" + http
    usual = (b"Host: localhost", b"Authorization: Bearer " + token, b"Connection: close")
    return b"\r\n".join([first, *usual, *lines, b"", b""])

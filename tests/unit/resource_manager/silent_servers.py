"""Servers that accept connections, and then do not answer as servers do."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trustme

from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.resource_manager.login import session_for

BODY = b'{"value": []}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
Answer = Callable[[ssl.SSLSocket], None]


def stalls(connection: ssl.SSLSocket) -> None:
    """Send the headers and half of the body, and then nothing."""
    connection.sendall(HEAD % len(BODY) + BODY[:5])


def trickles(connection: ssl.SSLSocket) -> None:
    """Send a byte now and then, from the first of the headers on."""
    for byte in HEAD % len(BODY) + BODY:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def says_nothing(connection: ssl.SSLSocket) -> None:
    """Hear the request, and no more."""


def is_gone(connection: ssl.SSLSocket) -> None:
    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def asks_for_pauses(*pauses_s: int) -> Answer:
    """Answer so many requests with 429, then well."""
    left = list(pauses_s)

    def answer(connection: ssl.SSLSocket) -> None:
        if left:
            head = b"HTTP/1.1 429 Too Many\r\nRetry-After: %d\r\nContent-Length: 0\r\n\r\n"
            connection.sendall(head % left.pop(0))
        else:
            connection.sendall(HEAD % len(BODY) + BODY)

    return answer


class Server:
    """`asked`: how many requests it got."""

    def __init__(self, folder: Path, answer: Answer) -> None:
        self.asked = 0
        self._answer = answer
        self._connections: list[socket.socket] = []
        authority = trustme.CA()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._context)
        ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        token_file = folder / "token"
        token_file.write_text("token")
        self._listener = socket.create_server(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.endpoint = Endpoint(url, url, str(ca_file), str(token_file))

    def run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), self._context.wrap_socket(plain, server_side=True) as connection:
            self._connections.append(connection)
            while said := connection.recv(65536):
                if b"\r\n\r\n" in said:
                    self.asked += 1
                    self._answer(connection)

    def close(self) -> None:
        """End what threads of this process may still wait for, on either side."""
        for one in (self._listener, *self._connections):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        session_for(self.endpoint).close()


@contextmanager
def server(folder: Path, answer: Answer) -> Iterator[Server]:
    running = Server(folder, answer)
    threading.Thread(target=running.run, daemon=True).start()
    try:
        yield running
    finally:
        running.close()

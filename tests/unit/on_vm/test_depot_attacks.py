"""The depot under attack: whoever is in the network can connect, and send what he likes."""

import asyncio
import os
import resource
import socket
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import psutil
import pytest

from ipcluster_azure.on_vm.depot import commands, server
from ipcluster_azure.on_vm.depot.server import TRANSFERS, Depot

from .agents import wait_for

ADDRESS = "127.77.1.4"
SIZE = 16_000_000  # more than fits between two sockets
IDLE, ENGINES = 1000, 32
LONGEST_S = 5.0  # far less than any time limit that is not set for the test


@contextmanager
def offered(folder: Path) -> Iterator[Depot]:
    """A depot in a thread of this process, so that a test can set its limits."""
    served, loop, over = Depot(ADDRESS, folder), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with await served.start():
            await over.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.05)

    thread = Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    yield served
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Depot]:
    (tmp_path / "environment.tar").write_bytes(os.urandom(SIZE))
    (tmp_path / "bundle.tar.gz").write_bytes(b"scripts")
    with offered(tmp_path) as running:
        yield running


def connect(to: Depot) -> socket.socket:
    return socket.create_connection(to.listener.getsockname(), timeout=20)


def said(to: Depot, request: bytes) -> bytes:
    """What is answered until the connection ends; TOKEN in the request is the right one."""
    answer = b""
    with connect(to) as connection, suppress(ConnectionResetError, BrokenPipeError):
        connection.sendall(request.replace(b"TOKEN", to.token.encode()))
        while data := connection.recv(1 << 16):
            answer += data
    return answer


def status(to: Depot, request: bytes) -> int:
    """The status of the one answer, 0 if there is none."""
    answer = said(to, request)
    assert answer.count(b"HTTP/1.0 ") <= 1
    return int(answer.split()[1]) if answer else 0


def own(to: Depot) -> bytes:
    with connect(to) as connection:
        address = connection.getsockname()[0]
    return f"http://{address}:80/x/environment.tar".encode()


BODIES = {
    b"Content-Length: -1": 411,
    b"Content-Length: +5": 411,
    b"Content-Length: 0x5": 411,
    b"Content-Length: 5, 5": 411,
    b"Content-Length: ": 411,
    b"Content-Length: \xb2": 411,
    b"Content-Length: 501": 413,
    b"Content-Length: 999999999": 413,
    b"Content-Length: " + b"9" * 5000: 411,
    b"Content-Length: 5\r\nContent-Length: 5": 411,
    b"Content-Length: 5\r\ncontent-length: 500": 411,
    b"Content-Length: 5\r\nTransfer-Encoding: chunked": 411,
    b"Transfer-Encoding: chunked": 411,
    b"X: y": 411,
}


@pytest.mark.parametrize("header", BODIES, ids=lambda header: str(header[:40]))
def test_a_body_whose_length_is_not_plain_is_not_read(served: Depot, header: bytes) -> None:
    assert (
        status(served, b"POST /TOKEN/pass-on HTTP/1.0\r\n" + header + b"\r\n\r\n")
        == (BODIES[header])
    )


def test_what_a_machine_says_is_believed_at_its_own_address(served: Depot) -> None:
    body = own(served)
    head = b"POST /TOKEN/pass-on HTTP/1.0\r\nContent-Length: %d\r\n\r\n"
    assert status(served, head % len(body) + body) == 204
    for other in (b"http://127.0.0.9:80/x/environment.tar", body + b"\r\nX: y", b"", b"\xff\xfe"):
        assert status(served, head % len(other) + other) == 404


REFUSED = {
    b"GET /TOKEN HTTP/1.0\r\n\r\n": 404,
    b"GET /TOKEN/ HTTP/1.0\r\n\r\n": 404,
    b"GET /wrong/bundle.tar.gz HTTP/1.0\r\n\r\n": 404,
    b"GET /\xe9/bundle.tar.gz HTTP/1.0\r\n\r\n": 404,
    b"GET /TOKENx/bundle.tar.gz HTTP/1.0\r\n\r\n": 404,
    b"GET /TOKEN/../depot.json HTTP/1.0\r\n\r\n": 404,
    b"GET /TOKEN/..%2fdepot.json HTTP/1.0\r\n\r\n": 404,
    b"GET /TOKEN/..\\depot.json HTTP/1.0\r\n\r\n": 404,
    b"GET /TOKEN//etc/passwd HTTP/1.0\r\n\r\n": 404,
    b"GET /TOKEN/.hidden HTTP/1.0\r\n\r\n": 404,
    b"GET /TOKEN/bundle.tar.gz\0 HTTP/1.0\r\n\r\n": 404,
    b"GET /TOKEN/bundle.tar.gz?a HTTP/1.0\r\n\r\n": 404,
    b"GET /TOKEN/link HTTP/1.0\r\n\r\n": 404,
    b"GET /TOKEN/pipe HTTP/1.0\r\n\r\n": 404,
    b"GET /TOKEN/folder HTTP/1.0\r\n\r\n": 404,
    b"PUT /TOKEN/bundle.tar.gz HTTP/1.0\r\nContent-Length: 5\r\n\r\nevil!": 404,
    b"DELETE /TOKEN/bundle.tar.gz HTTP/1.0\r\n\r\n": 404,
    b"POST /TOKEN/bundle.tar.gz HTTP/1.0\r\nContent-Length: 5\r\n\r\nevil!": 404,
    b"GET /TOKEN/bundle.tar.gz\r\n\r\n": 400,  # HTTP/0.9
    b"GET /TOKEN/bundle.tar.gz HTTP/2.0\r\n\r\n": 400,
    b"GET  /TOKEN/bundle.tar.gz HTTP/1.0\r\n\r\n": 400,
    b"\r\n\r\n": 400,
    b"\0\xff" * 100 + b"\r\n\r\n": 400,
    b"GET /" + b"a" * 100_000 + b" HTTP/1.0\r\n\r\n": 0,
    b"GET /TOKEN/bundle.tar.gz HTTP/1.0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n": 0,
}


@pytest.mark.parametrize("request_", REFUSED, ids=lambda request: str(request[:50]))
def test_nothing_else_is_given(served: Depot, request_: bytes) -> None:
    folder = served.folder
    (folder.parent / "depot.json").write_text("{}")
    (folder / ".hidden").write_text("secret")
    (folder / "folder").mkdir()
    os.symlink("/etc/passwd", folder / "link")
    os.mkfifo(folder / "pipe")
    assert status(served, request_) == REFUSED[request_]
    assert (folder / "bundle.tar.gz").read_bytes() == b"scripts"
    assert said(served, b"GET /TOKEN/bundle.tar.gz HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nscripts")


def test_of_several_requests_the_first_is_answered(served: Depot) -> None:
    one = b"GET /TOKEN/bundle.tar.gz HTTP/1.1\r\nContent-Length: 9\r\n\r\n"
    assert said(served, one * 3).count(b"scripts") <= 1


def test_no_body_is_read_without_the_path(tmp_path: Path) -> None:
    """Nor with it, when it is too long: the depot's memory stays what it was."""
    (tmp_path / "depot").mkdir()
    pid = os.fork()
    if pid == 0:
        try:
            commands.serve(tmp_path, ADDRESS)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    url = urllib.parse.urlsplit((tmp_path / "depot.json").read_text().split('"')[-2])
    wait_for(lambda: len(listening(url.port or 0)) == 1)  # the processes before it have ended
    (daemon,) = listening(url.port or 0)
    try:
        before = daemon.memory_info().rss
        for path in ("/wrong/pass-on", f"{url.path}/pass-on"):
            for length in (-1, 600_000_000):
                flood(str(url.hostname), url.port or 0, path, length)
                assert daemon.memory_info().rss - before < 10_000_000
        assert daemon.num_threads() == 1
    finally:
        daemon.kill()


def listening(port: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(item.laddr.port == port for item in process.net_connections("tcp")):
                found.append(process)
    return found


def flood(host: str, port: int, path: str, length: int) -> None:
    head = f"POST {path} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode()
    with socket.create_connection((host, port), timeout=20) as connection, suppress(OSError):
        connection.sendall(head)
        for _ in range(600):
            connection.sendall(b"x" * 100_000)


@contextmanager
def open_files(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(count, hard)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_idle_connections_keep_no_engine_waiting(served: Depot) -> None:
    sha = (served.folder / "environment.tar").read_bytes()

    def engine(_: int) -> bool:
        parts = urllib.parse.urlsplit(f"{served.url}/environment.tar")
        while True:
            connection = HTTPConnection(parts.netloc, timeout=20)
            connection.request("GET", parts.path)
            with connection.getresponse() as reply:
                if reply.status == 200:
                    return reply.read() == sha
            time.sleep(0.1)

    with open_files(4 * IDLE), ExitStack() as stack:
        idle = [stack.enter_context(connect(served)) for _ in range(IDLE)]
        with ThreadPoolExecutor(ENGINES) as pool:
            assert all(pool.map(engine, range(ENGINES)))
        assert all(not ended(connection) for connection in idle)


def ended(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_when_too_many_are_silent_the_oldest_are_hung_up_on(
    served: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "UNKNOWN", 10)
    with ExitStack() as stack:
        silent = [stack.enter_context(connect(served)) for _ in range(30)]
        wait_for(lambda: [ended(item) for item in silent] == [True] * 20 + [False] * 10)
        assert b"scripts" in said(served, b"GET /TOKEN/bundle.tar.gz HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize(
    ("limit", "request_"),
    [
        ("HEAD_S", b""),
        ("HEAD_S", b"GET /TOKEN/bundle.tar.gz HTTP/1.0\r\n"),
        ("BODY_S", b"POST /TOKEN/pass-on HTTP/1.0\r\nContent-Length: 500\r\n\r\n"),
        ("TRANSFER_S", b"GET /TOKEN/environment.tar HTTP/1.0\r\n\r\n"),
    ],
)
def test_who_is_slow_is_hung_up_on(
    served: Depot, monkeypatch: pytest.MonkeyPatch, limit: str, request_: bytes
) -> None:
    """Slow at sending, however often a byte comes, or at reading."""
    monkeypatch.setattr(server, limit, 0.5)
    began = time.monotonic()
    with connect(served) as connection, suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(request_.replace(b"TOKEN", served.token.encode()))
        while time.monotonic() - began < LONGEST_S:
            connection.sendall(b"x")
            time.sleep(0.1)
    assert time.monotonic() - began < LONGEST_S
    assert served._turns == TRANSFERS

"""Files that are got over one connection, and what becomes of connections that can't be used."""

import threading
import urllib.error
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ipcluster_azure.on_vm.install.lines import Lines

SILENCE_S = 5.0


class Host(BaseHTTPRequestHandler):
    """Says what it was asked for; /gone is refused, /elsewhere leads to /there, and after /last it
    hangs up without a word."""

    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self) -> None:
        super().setup()
        type(self).connections += 1

    def do_GET(self) -> None:
        status = {"/gone": 404, "/elsewhere": 302}.get(self.path, 200)
        body = self.path.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Location", "/there")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.path == "/last"

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    Host.connections = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def lines() -> Iterator[Lines]:
    with closing(Lines(SILENCE_S)) as lines:
        yield lines


def read(lines: Lines, url: str) -> str:
    with lines.get(url) as reply:
        return reply.read().decode()


def test_a_connection_is_used_again(host: str, lines: Lines) -> None:
    assert [read(lines, f"{host}/{number}") for number in range(3)] == ["/0", "/1", "/2"]
    assert Host.connections == 1


def test_one_that_the_host_has_ended_is_replaced(host: str, lines: Lines) -> None:
    assert [read(lines, f"{host}/{name}") for name in ("last", "next")] == ["/last", "/next"]
    assert Host.connections == 2


def test_one_with_a_file_half_read_is_not_used_again(host: str, lines: Lines) -> None:
    with lines.get(f"{host}/long-name") as reply:
        assert reply.read(2) == b"/l"
    assert read(lines, f"{host}/next") == "/next"


def test_a_refusal_is_raised(host: str, lines: Lines) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        read(lines, f"{host}/gone")
    assert read(lines, f"{host}/next") == "/next"


def test_a_redirection_is_followed(host: str, lines: Lines) -> None:
    assert read(lines, f"{host}/elsewhere") == "/there"


def test_a_proxy_is_asked(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", host)
    monkeypatch.setenv("no_proxy", "")
    url = "http://packages.example/one.whl"
    assert read(Lines(SILENCE_S), url) == url

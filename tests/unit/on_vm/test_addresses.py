"""Packages of which a job file has said the hash alone, found at an index by PEP 503."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.on_vm.install.addresses import find_addresses
from ipcluster_azure.on_vm.install.lock import Lock
from ipcluster_azure.on_vm.install.steps import Failed

RIGHT, OTHER = "a" * 64, "b" * 64


class _Index(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = (
            f'<a href="../../files/x-1.0.tar.gz#sha256={OTHER}">sdist</a>'
            f'<a href="../../files/x-1.0%2Bcpu-py3-none-any.whl#sha256={RIGHT}">wheel</a>'
        ).encode()
        self.send_response(200 if self.path == "/simple/x/" else 404)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def index() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Index) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()
        thread.join()


def _lock(folder: Path, *packages: dict[str, Any]) -> Path:
    path = folder / "wheels.json"
    path.write_text(json.dumps({"python": "3.11", "packages": packages}))
    return path


def test_addresses_and_files_are_filled_in(tmp_path: Path, index: str) -> None:
    known = {"name": "y", "version": "1", "file": "y.whl", "sha256": OTHER, "url": "https://y"}
    lock = _lock(tmp_path, {"name": "x", "version": "1.0+cpu", "sha256": RIGHT}, known)
    find_addresses(lock, index)
    found = Lock.read(lock).packages
    assert found[0].url == index.replace("simple", "files/x-1.0%2Bcpu-py3-none-any.whl")
    assert found[0].file == "x-1.0+cpu-py3-none-any.whl"
    assert found[1].url == "https://y"


def test_what_the_index_does_not_have_any_more_is_named(tmp_path: Path, index: str) -> None:
    lock = _lock(tmp_path, {"name": "x", "version": "1.0", "sha256": "c" * 64})
    with pytest.raises(Failed, match=r"does not have the files of x 1\.0 any more"):
        find_addresses(lock, index)

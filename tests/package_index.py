"""A package index (PEP 503) on a loopback port, with a password if need be, and wheels for it."""

import base64
import hashlib
import io
import ssl
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from packaging.utils import canonicalize_name


def make_wheel(
    name: str,
    version: str,
    requires: tuple[str, ...] = (),
    tag: str = "py3-none-any",
    requires_python: str = "",
) -> tuple[str, bytes]:
    """Return the file name and the content of a wheel with one module of the package's name."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Dist: {text}" for text in requires]
    metadata += [f"Requires-Python: {requires_python}"] if requires_python else []
    files = {
        f"{module}.py": f"version = {version!r}\n",
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{path},,\n" for path in files) + f"{info}/RECORD,,\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return f"{module}-{version}-{tag}.whl", buffer.getvalue()


@dataclass
class PackageIndex:
    """What it serves, `files` by their names, and what it was asked for: paths and credentials.

    `hashes`: whether links tell the SHA-256. `yanked` are file names;
    of `withheld` there is only the metadata (PEP 658).
    """

    files: dict[str, bytes] = field(default_factory=dict)
    password: str = ""
    port: int = 0
    scheme: str = "http"
    hashes: bool = True
    yanked: set[str] = field(default_factory=set)
    withheld: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/simple"

    def url_for(self, user: str, password: str) -> str:
        return f"http://{user}:{password}@127.0.0.1:{self.port}/simple"

    def add(self, name: str, version: str, *requires: str, tag: str = "py3-none-any") -> str:
        file_name, content = make_wheel(name, version, requires, tag)
        self.files[file_name] = content
        return file_name

    def metadata(self, file_name: str) -> bytes:
        with zipfile.ZipFile(io.BytesIO(self.files[file_name])) as archive:
            return next(archive.read(name) for name in archive.namelist() if "METADATA" in name)

    def page(self, name: str) -> str | None:
        links = []
        for file_name, content in self.files.items():
            if canonicalize_name(file_name.partition("-")[0]) == canonicalize_name(name):
                digest = hashlib.sha256(content).hexdigest()
                fragment = f"#sha256={digest}" if self.hashes else ""
                mark = ' data-yanked=""' if file_name in self.yanked else ""
                mark += ' data-core-metadata="true"' if file_name in self.withheld else ""
                links.append(f'<a href="/files/{file_name}{fragment}"{mark}>{file_name}</a>')
        return f"<html><body>{' '.join(links)}</body></html>" if links else None


@contextmanager
def served(index: PackageIndex, tls: ssl.SSLContext | None = None) -> Iterator[PackageIndex]:
    """Serve it until the block ends, over HTTPS if there is a context for it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(index))
    if tls is not None:
        index.scheme = "https"
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    index.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(index: PackageIndex) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            index.asked.append((self.path, given))
            if index.password and not self._knows_password(given):
                self._answer(401, b"", "text/plain")
                return
            folder, _, name = unquote(self.path).strip("/").partition("/")
            if folder == "simple" and (page := index.page(name.strip("/"))):
                self._answer(200, page.encode(), "text/html")
            elif folder == "files" and name.removesuffix(".metadata") in index.withheld:
                wheel = name.removesuffix(".metadata")
                metadata = index.metadata(wheel)
                self._answer(200 if name != wheel else 404, metadata, "text/plain")
            elif folder == "files" and name in index.files:
                self._answer(200, index.files[name], "application/octet-stream")
            else:
                self._answer(404, b"", "text/plain")

        def do_HEAD(self) -> None:
            self.do_GET()

        def _knows_password(self, given: str) -> bool:
            kind, _, text = given.partition(" ")
            told = base64.b64decode(text).decode().partition(":")[2] if kind == "Basic" else ""
            return told == index.password

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="packages"')
            self.end_headers()
            if self.command == "GET":
                with suppress(ConnectionError):  # uv has seen enough
                    self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler

"""Runs on the machines, with any Python from 3.8 on and its standard library alone.

    build   makes the Python environment DIR/env with uv            (controller)
    serve   packs it and offers it to the virtual network           (controller)
    fetch   copies it from there: the engines have no way out       (engines)

Prints one JSON object a line for the launcher; the log is DIR/log/environment.log.
"""

import argparse
import hashlib
import http.server
import json
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

PACKAGE_INDEX = "https://pypi.org/simple"
IMPORTED_BY_ENGINES = "import ipyparallel.engine.app, ipykernel.ipkernel, numpy"
CHUNK = 1 << 20
FETCH_TIMEOUT_S = 60


class Failed(Exception):
    """The message goes to the launcher."""


def emit(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def log_file(root: Path) -> Path:
    path = root / "log" / "environment.log"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def run(root: Path, *command: "str | Path", **environment: str) -> None:
    """Run a command, its output in the log; Failed says which command and with what status."""
    with open(log_file(root), "ab") as log:
        log.write(f"$ {' '.join(map(str, command))}\n".encode())
        log.flush()
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
        )
    if done.returncode:
        name = f"{Path(str(command[0])).name} {command[1]}"
        raise Failed(f"{name} ended with {done.returncode} while building the Python environment")


def build(root: Path, python: str, requirements: "list[str]") -> None:
    """Make DIR/env; does nothing if it holds the same already."""
    env, made = root / "env", root / "environment.json"
    wanted = json.dumps({"python": python, "requirements": requirements})
    if made.exists() and made.read_text() == wanted:
        emit("environment", seconds=0.0)
        return
    started = time.monotonic()
    uv = find_uv(root)
    shutil.rmtree(env, ignore_errors=True)
    pythons = {"UV_PYTHON_INSTALL_DIR": str(root / "python")}
    run(root, uv, "venv", "--quiet", "--relocatable", "--python", python, env, **pythons)
    interpreter = env / "bin" / "python"
    run(root, uv, "pip", "install", "--python", interpreter, *requirements, **pythons)
    made.write_text(wanted)
    emit("environment", seconds=round(time.monotonic() - started, 2))


def find_uv(root: Path) -> Path:
    """uv on the image, else from the package index: from there it reaches the controller faster
    than from the user's own line."""
    found = Path(shutil.which("uv") or root / "bin" / "uv")
    if not found.exists():
        download_uv(found)
    return found


def download_uv(target: Path) -> None:
    """Take the executable out of uv's wheel, after checking the index's hash of it."""
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL") or PACKAGE_INDEX
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    try:
        request = urllib.request.Request(f"{index.rstrip('/')}/uv/", headers=accept)
        with urllib.request.urlopen(request, timeout=FETCH_TIMEOUT_S) as reply:
            wheel = newest_wheel(json.load(reply)["files"])
        url = urllib.parse.urljoin(request.full_url, wheel["url"])
        with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_S) as reply:
            content = reply.read()
    except (OSError, ValueError, KeyError) as error:
        raise Failed(f"can't get uv from the package index {index}: {error}") from error
    expected = wheel.get("hashes", {}).get("sha256")
    if hashlib.sha256(content).hexdigest() != expected:
        raise Failed(f"uv from {url} does not have the hash that the index gives")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    archive = target.with_suffix(".whl")
    archive.write_bytes(content)
    with zipfile.ZipFile(archive) as wheel_file:
        name = next(n for n in wheel_file.namelist() if n.endswith(".data/scripts/uv"))
        target.write_bytes(wheel_file.read(name))
    archive.unlink()
    target.chmod(0o700)


def newest_wheel(files: "list[Any]") -> "dict[str, Any]":
    """The last release of uv for this machine in an index's list (PEP 691)."""
    pattern = rf"uv-([\d.]+)-py3-none-(manylinux|linux).*_{platform.machine()}\.whl"
    found = []
    for file in files:
        match = re.fullmatch(pattern, file["filename"])
        if match and not file.get("yanked"):
            found.append(([int(part) for part in match[1].split(".")], file))
    if not found:
        raise Failed(f"the package index has no uv for Linux on {platform.machine()}")
    newest: dict[str, Any] = max(found, key=lambda pair: pair[0])[1]
    return newest


def serve(root: Path, address: str) -> None:
    """Pack DIR/env and leave a server behind that offers it under a path nobody can guess."""
    state = root / "server.json"
    if state.exists():
        emit("serving", **json.loads(state.read_text()))
        return
    # compile once here what every engine would else compile at its first import
    run(root, root / "env" / "bin" / "python", "-c", IMPORTED_BY_ENGINES)
    archive = root / "environment.tar"
    parts = [name for name in ("env", "python") if (root / name).exists()]
    run(root, "tar", "--create", "--file", archive, "--directory", root, *parts)
    with open(archive, "rb") as file:
        sha256 = hash_of(file)
    token = secrets.token_urlsafe(16)
    server = http.server.ThreadingHTTPServer((address, 0), handler_for(archive, f"/{token}"))
    url = f"http://{address}:{server.server_port}/{token}"
    state.write_text(json.dumps({"url": url, "sha256": sha256}))
    if detach():
        emit("serving", url=url, sha256=sha256)
        return
    server.serve_forever()


def hash_of(file: "IO[bytes]") -> str:
    digest = hashlib.sha256()
    for chunk in iter(lambda: file.read(CHUNK), b""):
        digest.update(chunk)
    return digest.hexdigest()


def handler_for(archive: Path, path: str) -> "type[http.server.BaseHTTPRequestHandler]":
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not secrets.compare_digest(self.path, path):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(archive.stat().st_size))
            self.end_headers()
            with open(archive, "rb") as file:
                shutil.copyfileobj(file, self.wfile, CHUNK)

        def log_message(self, format: str, *args: object) -> None:
            """Silence: the standard error is closed."""

    return Handler


def detach() -> bool:
    """Fork a daemon: True in the process that was called, False in the daemon."""
    if os.fork():
        return True
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # an SSH session lasts until these are closed
        os.dup2(null, descriptor)
    return False


def fetch(root: Path, url: str, sha256: str) -> None:
    """Copy the environment from the controller; it must have the hash that came over SSH."""
    made = root / "environment.json"
    if made.exists() and made.read_text() == sha256:
        emit("environment", seconds=0.0)
        return
    started = time.monotonic()
    incoming = root / "incoming"
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir()
    if unpack(url, incoming) != sha256:
        shutil.rmtree(incoming)
        raise Failed("the copy of the Python environment is damaged")
    for part in incoming.iterdir():
        shutil.rmtree(root / part.name, ignore_errors=True)
        part.rename(root / part.name)
    incoming.rmdir()
    relocate(root)
    made.write_text(sha256)
    emit("environment", seconds=round(time.monotonic() - started, 2))


def unpack(url: str, target: Path) -> str:
    """Unpack while it arrives; returns the hash of what did."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    digest = hashlib.sha256()
    command = ["tar", "--extract", "--file", "-", "--directory", str(target)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as tar:
        pipe: Any = tar.stdin
        try:
            with direct.open(url, timeout=FETCH_TIMEOUT_S) as reply:
                for chunk in iter(lambda: reply.read(CHUNK), b""):
                    digest.update(chunk)
                    pipe.write(chunk)
        except OSError as error:
            tar.kill()
            raise Failed(f"can't copy the environment from the controller: {error}") from error
    if tar.returncode:
        raise Failed(f"tar ended with {tar.returncode} while unpacking the Python environment")
    return digest.hexdigest()


def relocate(root: Path) -> None:
    """Point the environment at its own copy of Python, if it was not built on the image's."""
    pythons = root / "python"
    if not pythons.exists():
        return
    config = root / "env" / "pyvenv.cfg"
    text = config.read_text()
    (home,) = re.findall(r"^home = (.+)$", text, re.MULTILINE)
    own = pythons / Path(home).parent.name / "bin"
    config.write_text(text.replace(f"home = {home}", f"home = {own}"))
    link = root / "env" / "bin" / "python"
    target = own / Path(os.readlink(link)).name
    link.unlink()
    link.symlink_to(target)


COMMANDS: "dict[str, Callable[..., None]]" = {"build": build, "serve": serve, "fetch": fetch}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dir", type=Path, default=Path())
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build")
    building.add_argument("--python", required=True)
    building.add_argument("requirements", nargs="*")
    commands.add_parser("serve").add_argument("--address", required=True)
    fetching = commands.add_parser("fetch")
    fetching.add_argument("--url", required=True)
    fetching.add_argument("--sha256", required=True)
    options = vars(parser.parse_args())
    command, root = options.pop("command"), options.pop("dir").absolute()
    try:
        COMMANDS[command](root, **options)
    except Failed as failure:
        log = log_file(root)
        tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        emit("failed", reason=str(failure), log_tail=tail)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

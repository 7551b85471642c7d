"""Runs on the machines, with any Python from 3.8 on and its standard library alone.

    serve     offers the files of DIR/depot to the virtual network, for good      (controller)
    pass-on   offers an engine's copy of the environment to others for a while    (engines)

Many machines want the same 130 MB at once, and one line would carry them one after the other. So
the controller sends the environment to a few machines at a time; those that pass it on say so
when they have it, and the next are sent to them: a tree that grows by itself. vm_fetch.py is the
other side.
"""

from __future__ import annotations

import argparse
import http.client
import http.server
import json
import os
import secrets
import threading
import time
import urllib.parse
from pathlib import Path
from typing import cast

ENVIRONMENT = "environment.tar"
PASSING_ON = "pass-on"
TRANSFERS = 4  # of the environment at once, for the controller and for each that passes it on
TIMEOUT_S = 60.0
PASS_ON_S = 600.0  # an engine's machine stops offering its copy this long after it got it


class Depot(http.server.ThreadingHTTPServer):
    """Serves a folder's files below a path that nobody can guess."""

    daemon_threads = True
    request_queue_size = 1024  # all machines of a set may ask at the same moment

    def __init__(self, address: str, folder: Path) -> None:
        super().__init__((address, 0), Handler)
        self.folder, self.token = folder, secrets.token_urlsafe(16)
        self.url = f"http://{address}:{self.server_port}/{self.token}"
        self.turns = threading.BoundedSemaphore(TRANSFERS)
        self._others: list[str] = []
        self._next = 0

    def add(self, url: str) -> None:
        """Note where a machine offers its copy of the environment."""
        self._others.append(url)

    def another(self) -> str:
        """Return the URL of another machine's copy, each in turn; empty if there is none."""
        if not self._others:
            return ""
        self._next += 1
        return self._others[self._next % len(self._others)]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers a request for a file, or sends it to another machine that has the environment."""

    protocol_version = "HTTP/1.0"
    timeout = TIMEOUT_S

    def do_GET(self) -> None:
        depot, name = self._depot(), self._name()
        if name is None or not (depot.folder / name).is_file():
            self.send_error(404)
        elif name != ENVIRONMENT:
            self._send(depot.folder / name)
        elif depot.turns.acquire(blocking=False):
            try:
                self._send(depot.folder / name)
            finally:
                depot.turns.release()
        elif other := depot.another():
            self.send_response(302)
            self.send_header("Location", other)
            self.end_headers()
        else:
            self.send_error(503)

    def do_POST(self) -> None:
        """Hear from an engines' machine where it offers its copy: at its own address, or it is not
        believed."""
        url = self.rfile.read(min(500, int(self.headers.get("Content-Length", 0)))).decode()
        ours = urllib.parse.urlsplit(url).hostname == self.client_address[0]
        if self._name() != PASSING_ON or not ours:
            self.send_error(404)
            return
        self._depot().add(url)
        self.send_response(204)
        self.end_headers()

    def _depot(self) -> Depot:
        return cast(Depot, self.server)

    def _name(self) -> str | None:
        """Return the last part of the path; None if the first is not the token."""
        token, _, name = self.path.lstrip("/").partition("/")
        known = secrets.compare_digest(token.encode(), self._depot().token.encode())
        return name if known and name and "/" not in name else None

    def _send(self, path: Path) -> None:
        with open(path, "rb") as file:
            self.send_response(200)
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            self.end_headers()
            self.wfile.flush()
            self.connection.sendfile(file)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the standard error is closed."""


def serve(root: Path, address: str) -> None:
    """Leave a server behind that offers DIR/depot, unless there is one."""
    state = root / "depot.json"
    if state.exists():
        print(state.read_text(), flush=True)
        return
    depot = Depot(address, root / "depot")
    event = json.dumps({"event": "serving", "url": depot.url})
    state.write_text(event)
    if detach():
        print(event, flush=True)
        return
    depot.serve_forever()


def pass_on(root: Path, origin: str, address: str) -> None:
    """Leave a server behind that offers this machine's copy for PASS_ON_S, known to `origin`, the
    controller's URL."""
    depot = Depot(address, root / "depot")
    if detach():
        return
    threading.Thread(target=depot.serve_forever, daemon=True).start()
    parts = urllib.parse.urlsplit(origin)
    controller = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
    try:
        controller.request("POST", f"{parts.path}/{PASSING_ON}", f"{depot.url}/{ENVIRONMENT}")
        controller.getresponse()
        time.sleep(PASS_ON_S)
    finally:
        (depot.folder / ENVIRONMENT).unlink()
        os._exit(0)  # transfers that still go on end here; their machines ask the controller


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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dir", type=Path, default=Path())
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve")
    passing_on = commands.add_parser(PASSING_ON)
    passing_on.add_argument("--origin", required=True)
    for command in (serving, passing_on):
        command.add_argument("--address", required=True)
    options = parser.parse_args()
    root = options.dir.absolute()
    if options.command == "serve":
        serve(root, options.address)
    else:
        pass_on(root, options.origin, options.address)


if __name__ == "__main__":
    main()

"""Runs on the engines' machines, with any Python from 3.8 on and its standard library alone.

Copies the Python environment from the controller, or from another machine that it is sent to, and
checks it against the hash that came over SSH, whoever it came from; vm_depot.py is the other side.
Prints one JSON object a line for the launcher.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path
from typing import Any

ENVIRONMENT = "environment.tar"
CHUNK = 1 << 20
TIMEOUT_S = 60.0
PATIENCE_S = 300.0  # for a turn
PAUSE_S = 0.2


class Failed(Exception):
    """Says to the launcher what failed."""


def emit(event: str, **fields: object) -> None:
    """Tell the launcher of an event: one line of JSON on standard output."""
    print(json.dumps({"event": event, **fields}), flush=True)


def fetch(root: Path, url: str, sha256: str, pass_on: bool) -> None:
    """Copy the environment from the depot at `url`, and offer it to others if `pass_on`.

    Raises Failed if no copy with the hash `sha256`, which came over SSH, can be had.
    """
    made = root / "environment.json"
    if made.exists() and made.read_text() == sha256:
        emit("environment", seconds=0.0)
        return
    started = time.monotonic()
    incoming = root / "incoming"
    address, source = copy(url, sha256, incoming, keep=pass_on)
    if pass_on:
        (root / "depot").mkdir(exist_ok=True)
        (incoming / ENVIRONMENT).replace(root / "depot" / ENVIRONMENT)
        offer = [f"--dir={root}", "pass-on", f"--origin={url}", f"--address={address}"]
        subprocess.run([sys.executable, "vm_depot.py", *offer], check=False)
    for part in incoming.iterdir():
        shutil.rmtree(root / part.name, ignore_errors=True)
        part.rename(root / part.name)
    incoming.rmdir()
    relocate(root)
    made.write_text(sha256)
    emit("environment", seconds=round(time.monotonic() - started, 2), source=source)


def copy(url: str, sha256: str, incoming: Path, *, keep: bool) -> tuple[str, str]:
    """Unpack the environment into `incoming`; returns (this machine's address, where it came from).

    Whoever is busy or fails sends us back to the controller; that fails for good only if the
    controller itself does, or after PATIENCE_S.
    """
    origin = source = f"{url}/{ENVIRONMENT}"
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir()
        try:
            reply, address = ask(source)
            if reply.status == 200:
                if unpack(reply, incoming, keep=keep) == sha256:
                    return address, urllib.parse.urlsplit(source).netloc
                problem = "it is damaged"
            else:
                problem = f"{reply.status} {reply.reason}"
        except (OSError, http.client.HTTPException) as error:
            reply, problem = None, str(error) or repr(error)
        if reply is not None and reply.status == 302:
            source = reply.headers["Location"]
            continue
        busy = reply is not None and reply.status == 503
        if time.monotonic() > give_up_at or (source == origin and not busy):
            shutil.rmtree(incoming)
            raise Failed(f"can't copy the environment from the controller: {problem}")
        source = origin
        time.sleep(PAUSE_S)


def ask(url: str) -> tuple[http.client.HTTPResponse, str]:
    """Return the reply to a request, and this machine's address, from which it was made."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
    connection.connect()
    address: str = connection.sock.getsockname()[0]
    connection.request("GET", parts.path)
    return connection.getresponse(), address


def unpack(reply: http.client.HTTPResponse, target: Path, *, keep: bool) -> str:
    """Unpack an archive while it arrives; returns its hash. `keep`: keep the archive as well."""
    digest = hashlib.sha256()
    command = ["tar", "--extract", "--file", "-", "--directory", str(target)]
    kept = target / ENVIRONMENT if keep else Path(os.devnull)
    with open(kept, "wb") as archive, subprocess.Popen(command, stdin=subprocess.PIPE) as tar:
        pipe: Any = tar.stdin
        try:
            for chunk in iter(lambda: reply.read(CHUNK), b""):
                digest.update(chunk)
                archive.write(chunk)
                pipe.write(chunk)
        except OSError:
            tar.kill()
            raise
    if tar.returncode:
        raise OSError(f"tar ended with {tar.returncode}")
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


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dir", type=Path, default=Path())
    parser.add_argument("--url", required=True)
    parser.add_argument("--sha256", required=True)
    parser.add_argument("--pass-on", action="store_true")
    options = parser.parse_args()
    try:
        fetch(options.dir.absolute(), options.url, options.sha256, options.pass_on)
    except Failed as failure:
        emit("failed", reason=str(failure), log_tail="")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs on the engines' machines, with any Python from 3.8 on and its standard library alone.

Copies what the Python environment is made of from the controller, or from another machine that it
is sent to. What arrives is unpacked only if it has the hash that came over SSH, whoever it came
from; vm_depot.py is the other side, and vm_environment.py installs what was unpacked. Prints one
JSON object a line for the launcher.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import ipaddress
import json
import re
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ENVIRONMENT = "environment.tar"
CHUNK = 1 << 20
STALL_S = 60.0  # without a byte
TRANSFER_S = 300.0  # from the connection to the last byte, from the controller
NEIGHBOUR_S = 60.0  # the same from another machine, which may be anybody's
PATIENCE_S = 300.0  # for a turn: no transfer begins after that
PAUSE_S = 0.2
PROGRESS_S = 4.0  # between two signs of life


class Failed(Exception):
    """Says to the launcher what failed."""


def emit(event: str, **fields: object) -> None:
    """Tell the launcher of an event: one line of JSON on standard output."""
    print(json.dumps({"event": event, **fields}), flush=True)


def fetch(root: Path, url: str, sha256: str, pass_on: bool) -> None:
    """Copy the environment from the depot at `url`, and offer it to others if `pass_on`.

    Raises Failed if no copy with the hash `sha256`, which came over SSH, can be had.
    """
    fetched = root / "fetched.sha256"
    if fetched.exists() and fetched.read_text() == sha256:
        emit("fetched", seconds=0.0)
        return
    started = time.monotonic()
    archive = root / f"{ENVIRONMENT}.new"
    try:
        address, source = copy(url, sha256, archive)
        unpack(archive, root)
        if pass_on:
            (root / "depot").mkdir(exist_ok=True)
            archive.replace(root / "depot" / ENVIRONMENT)
            offer = [f"--dir={root}", "pass-on", f"--origin={url}", f"--address={address}"]
            subprocess.run([sys.executable, "vm_depot.py", *offer], check=False)
    finally:
        archive.unlink(missing_ok=True)
    fetched.write_text(sha256)
    emit("fetched", seconds=round(time.monotonic() - started, 2), source=source)


def copy(url: str, sha256: str, archive: Path) -> tuple[str, str]:
    """Write the archive that has the hash `sha256`; returns (this machine's address, where it came
    from).

    Whoever is busy or fails sends us back to the controller, and is not asked again if it failed;
    it fails for good only if the controller itself does, or after PATIENCE_S.
    """
    origin = source = f"{url}/{ENVIRONMENT}"
    failed = set()
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        elsewhere = ""
        try:
            with within(TRANSFER_S if source == origin else NEIGHBOUR_S):
                reply, address = ask(source)
                with reply:
                    if reply.status == 200 and receive(reply, archive) == sha256:
                        return address, urllib.parse.urlsplit(source).netloc
                if reply.status == 302 and source == origin:
                    elsewhere = redirection(reply.headers["Location"], origin)
            problem = "it is damaged" if reply.status == 200 else f"{reply.status} {reply.reason}"
            fails = reply.status not in (302, 503)
        except (OSError, http.client.HTTPException) as error:
            problem, fails = str(error) or repr(error), True
        if time.monotonic() > give_up_at or (fails and source == origin):
            raise Failed(f"can't copy the environment from the controller: {problem}")
        if fails:
            failed.add(source)
        if elsewhere and elsewhere not in (origin, *failed):
            source = elsewhere
            continue
        source = origin
        time.sleep(PAUSE_S)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in what runs here if it takes longer, however often it hears something."""

    def over(*_: object) -> NoReturn:
        raise TimeoutError(f"it took longer than {seconds:g} s")

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def ask(url: str) -> tuple[http.client.HTTPResponse, str]:
    """Return the reply to a request, and this machine's address, from which it was made."""
    parts = urllib.parse.urlsplit(url)
    with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=STALL_S)) as line:
        line.connect()
        address: str = line.sock.getsockname()[0]
        line.request("GET", parts.path)
        return line.getresponse(), address


def redirection(url: str | None, origin: str) -> str:
    """Return where the controller at `origin` sends us; nothing unless that is a machine's copy as
    vm_depot.py makes them, in a network like its own."""
    form = rf"http://([0-9.]+):[0-9]{{1,5}}/[A-Za-z0-9_-]+/{re.escape(ENVIRONMENT)}"
    match = re.fullmatch(form, url or "")
    try:
        there = ipaddress.IPv4Address(match[1] if match else "")
        here = ipaddress.IPv4Address(urllib.parse.urlsplit(origin).hostname or "")
    except ValueError:
        return ""
    kinds = ("is_global", "is_loopback", "is_link_local", "is_multicast", "is_unspecified")
    alike = all(getattr(there, kind) == getattr(here, kind) for kind in kinds)
    return url if url and alike else ""


def receive(reply: http.client.HTTPResponse, archive: Path) -> str:
    """Write what comes to a file; returns its hash."""
    digest, said_at = hashlib.sha256(), time.monotonic()
    total_mb = int(reply.headers.get("Content-Length", 0)) / 1e6
    with open(archive, "wb") as file:
        for chunk in iter(lambda: reply.read(CHUNK), b""):
            digest.update(chunk)
            file.write(chunk)
            if time.monotonic() - said_at > PROGRESS_S:
                said_at = time.monotonic()
                detail = f"{file.tell() / 1e6:.0f} of {total_mb:.0f} MB"
                emit("progress", doing="copying the packages", detail=detail)
    return digest.hexdigest()


def unpack(archive: Path, target: Path) -> None:
    """Unpack an archive that has the right hash; raises Failed, as when the disk is full.

    Python's own safe filter would refuse it: a Python that uv brought links by absolute paths.
    """
    command = ["tar", "--extract", "--file", str(archive), "--directory", str(target)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise Failed(f"unpacking the packages failed: {said[0]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dir", type=Path, default=Path())
    parser.add_argument("--url", required=True)
    parser.add_argument("--sha256", required=True)
    parser.add_argument("--pass-on", action="store_true")
    options = parser.parse_args()
    try:
        fetch(options.dir.absolute(), options.url, options.sha256, options.pass_on)
    except (Failed, OSError) as failure:  # a full disk, for example
        emit("failed", reason=str(failure), log_tail="")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

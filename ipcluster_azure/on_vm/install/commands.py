"""`vm_environment.py` on each machine: makes the Python environment DIR/env.

    python3 vm_environment.py --dir=DIR find          completes a job file's lock    (controller)
    python3 vm_environment.py --dir=DIR build       downloads wheels, installs    (controller)
    python3 vm_environment.py --dir=DIR receive     takes wheels from its input   (controller)
    python3 vm_environment.py --dir=DIR pack        packs wheels for the engines  (controller)
    python3 vm_environment.py --dir=DIR install     installs what was packed      (engines)
    python3 vm_environment.py --dir=DIR update      downloads, installs the rest  (both, later)
    python3 vm_environment.py --dir=DIR offer       offers wheels one by one      (controller)

Run with any Python from 3.8 on. All read DIR/wheels.json, the lock (lock.py), which the launcher
sends. Prints one JSON object a line; the log is DIR/log/environment.log:

    {"event": "needed", "files": [...]}                   wheels that have no address, to be sent
    {"event": "progress", "doing", "detail", "seconds"}   every few seconds
    {"event": "unreachable", "files": [...], "why"}       wheels that can't be had from here
    {"event": "environment", "seconds"}                   it is made; `update` adds "outdated"
    {"event": "packed", "sha256"}                         of DIR/depot/environment.tar
    {"event": "offered"}                                  all wheels, in DIR/depot
    {"event": "failed", "reason", "log_tail"}             with status 1

If wheels are missing, `build` and `update` end without "environment", with status 0: the launcher
sends them to DIR/wheels, and calls it again. Who is ended in the middle begins anew the next time,
but for wheels that are there: each is complete, and has its hash.

DIR/env holds only what uv installed; DIR/environment.json, which is there while that is complete,
says what it was made of. DIR/outdated is there after an `update` until processes that may have old
packages loaded have been replaced, whoever does that.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from .addresses import find_addresses
from .bytecode import compile_imported, compile_start
from .fitting import require_fitting
from .installing import MADE, install_wheels
from .lock import Lock, Made
from .offers import forget_namesakes, forget_others, hash_of, offer_wheels
from .steps import Failed, emit, log_file, run
from .uv import download_uv, find_uv, make_empty, own_uv, require_uv
from .wheels import get_wheels, receive_wheels

LOCK, ARCHIVE, BYTECODE, OUTDATED = "wheels.json", "environment.tar", "bytecode.tar", "outdated"


def find(root: Path) -> None:
    """Complete the lock with the addresses that a job file had no room for."""
    find_addresses(root / LOCK)


def build(root: Path) -> None:
    """Make DIR/env of what the lock names; does nothing if it was made of the same before."""
    started, lock = time.monotonic(), Lock.read(root / LOCK)
    if not is_made(root, lock):
        require_fitting(lock.packages)
        uv = find_uv(root) or download_uv(root)
        prepare(root, uv, lock)  # before the packages: a Python that can't be had is said early
        if not get_wheels(root, lock.packages):
            return
        install_wheels(root, uv, lock)
    emit("environment", seconds=round(time.monotonic() - started, 2))


def install(root: Path) -> None:
    """Make DIR/env of what vm_fetch.py has brought from the controller, with no other way out."""
    started, lock = time.monotonic(), Lock.read(root / LOCK)
    if not is_made(root, lock):
        require_fitting(lock.packages)
        uv = require_uv(root)
        prepare(root, uv, lock, UV_OFFLINE="1")
        install_wheels(root, uv, lock)
        command: list[str | Path] = ["tar", "--extract", "--file", root / BYTECODE]
        run(root, "unpacking the compiled modules", [*command, "--directory", root])
        compile_imported(root, lock.imported)
    emit("environment", seconds=round(time.monotonic() - started, 2))


def update(root: Path) -> None:
    """Bring DIR/env up to date with the lock while engines run in it; downloads come first."""
    started, lock = time.monotonic(), Lock.read(root / LOCK)
    if not is_made(root, lock):
        require_fitting(lock.packages)
        uv = require_uv(root)
        before = Made.read(root / MADE)
        forget_namesakes(root, lock.packages, before)
        if not get_wheels(root, lock.packages):
            return
        if before is None or before.hashes.items() - lock.hashes.items():  # one is changed, or gone
            (root / OUTDATED).touch()
        prepare(root, uv, lock, UV_OFFLINE="1")
        install_wheels(root, uv, lock)
        forget_others(root, lock.packages)
    seconds = round(time.monotonic() - started, 2)
    emit("environment", seconds=seconds, outdated=(root / OUTDATED).exists())


def offer(root: Path) -> None:
    """Have vm_depot.py serve each wheel of the lock, too, for machines that lack few."""
    offer_wheels(root, Lock.read(root / LOCK).packages)
    emit("offered")


def receive(root: Path) -> None:
    """Take wheels of the lock, which the launcher sends, from a tar archive on standard input."""
    receive_wheels(root, Lock.read(root / LOCK).packages, sys.stdin.buffer)
    emit("received")


def is_made(root: Path, lock: Lock) -> bool:
    return Made.read(root / MADE) == Made(lock.python, lock.hashes)


def prepare(root: Path, uv: Path, lock: Lock, **variables: str) -> None:
    """Have an environment of the lock's Python: an empty one, or one that was once complete."""
    made = Made.read(root / MADE)
    if made is None or made.python != lock.python:
        make_empty(root, uv, lock.python, **variables)


def pack(root: Path) -> None:
    """Pack what the engines' machines make DIR/env of into DIR/depot, which vm_depot.py serves."""
    lock = Lock.read(root / LOCK)
    archive, packed = root / "depot" / ARCHIVE, root / "packed.json"
    if Made.read(packed) != Made(lock.python, lock.hashes) or not archive.exists():
        compile_start(root, root / BYTECODE)
        parts = [LOCK, BYTECODE, *(f"wheels/{package.file}" for package in lock.packages)]
        parts += [name for name in ("python", own_uv(Path()).as_posix()) if (root / name).exists()]
        incomplete = archive.with_suffix(".new")
        tar: list[str | Path] = ["tar", "--create", "--file", incomplete, "--directory", root]
        run(root, "packing the packages for the engines", [*tar, *parts])
        incomplete.replace(archive)
        Made(lock.python, lock.hashes).write(packed)
    emit("packed", sha256=hash_of(archive))


def reason_of(error: Failed | OSError, root: Path) -> str:
    """Return in words what failed, and what is to be done about a full disk.

    Of uv and tar only their words tell that it was full.
    """
    if isinstance(error, OSError):
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    else:
        is_full = os.strerror(errno.ENOSPC) in str(error)
    if not is_full:
        return str(error)
    size_gb = shutil.disk_usage(root).total / 1e9
    return (
        f"the disk of {size_gb:.1f} GB is full: set os_disk_gb to more, or leave packages out "
        f"({error})"
    )


COMMANDS = {
    "find": find,
    "build": build,
    "receive": receive,
    "pack": pack,
    "install": install,
    "update": update,
    "offer": offer,
}
INSTALLING = ("build", "install", "update")


@contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Hold the lock of DIR/env: who comes second finds what the first has made."""
    with open(root / "install.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(argv: list[str]) -> int:
    """Run one command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="vm_environment.py")
    parser.add_argument("--dir", type=Path, default=Path())
    parser.add_argument("command", choices=COMMANDS)
    options = parser.parse_args(argv)
    root = options.dir.absolute()
    try:
        with one_at_a_time(root) if options.command in INSTALLING else nullcontext():
            COMMANDS[options.command](root)
    except (Failed, OSError) as failure:
        emit("failed", reason=reason_of(failure, root), log_tail=log_tail(root))
        return 1
    return 0


def log_tail(root: Path) -> str:
    try:
        return log_file(root).read_text(errors="replace")[-2000:]
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

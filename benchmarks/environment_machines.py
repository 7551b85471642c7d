"""Folders of this computer in place of machines, with the scripts that real machines run."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import uv

from ipcluster_azure.ssh.bundle import bundle_of
from ipcluster_azure.ssh.machine_lock import LOCK, machine_lock

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SHARED = "package-cache"
UV = uv.find_uv_bin()
Words = Sequence[str | Path]


@dataclass(frozen=True)
class Took:
    """Seconds on the clock, and seconds of processors, which other work delays less."""

    wall_s: float
    cpu_s: float

    def __add__(self, other: Took) -> Took:
        return Took(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)


def timed(work: Callable[[], Any]) -> Took:
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after, took_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(took_s, used)


def machine(folder: Path, lock: Path | None = None) -> Path:
    """Make a folder with what is sent to a machine."""
    (folder / "depot").mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(bundle_of(folder / "no-profile").data)) as bundle:
        bundle.extractall(folder, filter="data")
    if lock:
        (folder / LOCK).write_bytes(machine_lock(lock, PYTHON))
    return folder


def step(folder: Path, command: str) -> dict[str, Any]:
    return script(folder, "vm_environment.py", command)


def script(folder: Path, *words: str) -> dict[str, Any]:
    """Run one of the machine's scripts there; returns its last event."""
    left_out = ("UV_CACHE_DIR", "PYTHONDONTWRITEBYTECODE")
    variables = {name: value for name, value in os.environ.items() if name not in left_out}
    cache = folder.parent / SHARED
    if cache.exists():
        variables |= {"UV_CACHE_DIR": str(cache), "UV_LINK_MODE": "copy"}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=variables, stdout=subprocess.PIPE, text=True
    )
    event: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if done.returncode:
        raise SystemExit(f"{words} failed: {event['reason']}")
    return event


def clear(folder: Path) -> None:
    run(["rm", "-rf", folder])


def compress(env: Words, archive: Path) -> None:
    run(["tar", "-cf", *env])
    run(["zstd", "-1", "--quiet", "--force", archive])


def install(archive: Path, target: Path) -> None:
    target = machine(target / "machine")
    run(["tar", "-xf", archive, "-C", target])
    step(target, "install")


def run(command: Words) -> None:
    subprocess.run([str(word) for word in command], check=True)

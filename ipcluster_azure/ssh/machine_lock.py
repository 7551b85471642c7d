"""The lock as the machines get it: JSON, as their own Python has no reader of TOML before 3.11."""

import hashlib
import json
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..environment.lock import read_toml

LOCK = "wheels.json"  # in the machines' work directory; on_vm/install/lock.py reads it


def machine_lock(lock: Path, python: str, imported: Sequence[str] = ()) -> bytes:
    """Return what the machines are to install, for a Python with this minor version.

    `lock` is a pylock.toml (PEP 751) with exactly one wheel for each package, which has a SHA-256
    and either an address or a path: a file that is sent. `imported` are modules that engines will
    soon import, as clients have; they are compiled once on each machine. Raises ConfigurationError
    for no TOML.
    """
    packages = [*map(_package, read_toml(lock)["packages"])]
    content = {"python": python, "packages": packages, "imported": [*imported]}
    return json.dumps(content).encode()


def digest_of(lock: bytes) -> str:
    """Return what is the same for locks of machine_lock with the same Python and wheels, wherever
    these are had from."""
    content = json.loads(lock)
    wheels = sorted((one["name"], one["sha256"]) for one in content["packages"])
    return hashlib.sha256(json.dumps([content["python"], wheels]).encode()).hexdigest()


def _package(package: Mapping[str, Any]) -> dict[str, Any]:
    (wheel,) = package["wheels"]
    url = wheel.get("url")
    place = urllib.parse.unquote(urllib.parse.urlsplit(url).path) if url else wheel["path"]
    return {
        "name": package["name"],
        "version": package["version"],
        "file": wheel.get("name") or PurePosixPath(place).name,
        "sha256": wheel["hashes"]["sha256"],
        "url": url,
        "size": wheel.get("size", 0),
    }

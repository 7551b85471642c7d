"""Wheels of machines whose lock is another now: which of them are of no use any more, and those
that the controller's machine offers one by one, for machines that lack few."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from .lock import Made, Package
from .wheels import CHUNK, share


def offer_wheels(root: Path, packages: Sequence[Package]) -> None:
    """Have in DIR/depot all wheels of a lock, by their hashes, and no others."""
    depot, names = root / "depot", {f"{package.sha256}.whl" for package in packages}
    for path in depot.glob("*.whl"):
        if path.name not in names:
            path.unlink()
    for package in packages:
        share(root / "wheels" / package.file, depot / f"{package.sha256}.whl")


def hash_of(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def forget_namesakes(root: Path, packages: Sequence[Package], before: Made | None) -> None:
    """Delete wheels in DIR/wheels that are called as a lock's and have another content: what is
    built anew from changed sources often keeps its version. `before` is what was installed."""
    known = before.hashes if before else {}
    for package in packages:
        path = root / "wheels" / package.file
        is_new = known.get(package.name) != package.sha256
        if is_new and path.exists() and hash_of(path) != package.sha256:
            path.unlink()


def forget_others(root: Path, packages: Sequence[Package]) -> None:
    """Delete wheels in DIR/wheels that a lock doesn't have any more."""
    files = {package.file for package in packages}
    for path in (root / "wheels").iterdir():
        if path.name not in files:
            path.unlink()

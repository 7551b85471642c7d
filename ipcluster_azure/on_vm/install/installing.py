"""DIR/wheels -> DIR/env, by uv, with no other way to any package."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .lock import Lock, Made, Package
from .steps import run
from .wheels import keep, kept_wheels

MADE = "environment.json"


def install_wheels(root: Path, uv: Path, lock: Lock) -> None:
    """Bring DIR/env to what the lock says: no more, no less, no other."""
    made, before = root / MADE, Made.read(root / MADE)
    sync: list[str | Path] = [uv, "pip", "sync", "--offline", "--no-config", "--no-build"]
    sync += ["--no-index", "--require-hashes", "--python", root / "env" / "bin" / "python"]
    if before:  # uv looks at versions alone
        for name, sha256 in lock.hashes.items():
            if before.hashes.get(name, sha256) != sha256:
                sync.append(f"--reinstall-package={name}")
    sync.append(_wanted(root, lock.packages, "requirements.txt"))
    if made.exists():
        made.unlink()
    run(root, "installing the packages", sync, UV_CACHE_DIR=_cache(root))
    Made(lock.python, lock.hashes).write(made)


def _wanted(root: Path, packages: Sequence[Package], name: str) -> Path:
    """Write for uv which wheels are meant, and where they are."""
    links = "".join(f"--find-links {folder.as_uri()}\n" for folder in _folders_of(root, packages))
    lines = "".join(f"{one.name}=={one.version} --hash=sha256:{one.sha256}\n" for one in packages)
    path = root / name
    path.write_text(links + lines, encoding="utf-8")
    return path


def _cache(root: Path) -> str:
    return os.environ.get("UV_CACHE_DIR", str(root / "cache"))


def _folders_of(root: Path, packages: Sequence[Package]) -> list[Path]:
    """Return where wheels of the lock are."""
    kept = kept_wheels()
    if kept is None:
        return [root / "wheels"]
    for package in packages:
        keep(kept, package, root / "wheels" / package.file)
    return [kept / package.sha256 for package in packages]

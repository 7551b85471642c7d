"""The lock of before, which is taken again when nothing has changed that it came of."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from ..private_files import write_private
from .installed import Installed
from .lock import WHEELS
from .selection import PreparedEnvironment, Target
from .sources import source_files

FORMAT = 2  # changes when the same input makes another lock than before


@dataclass(frozen=True)
class Paths:
    """Where in `folder` the lock for a target is, what is known of it, and its wheels."""

    folder: Path
    name: str

    @property
    def lock(self) -> Path:
        return self.folder / f"pylock.{self.name}.toml"

    @property
    def knowledge(self) -> Path:
        return self.folder / f"pylock.{self.name}.json"

    @property
    def wheels(self) -> Path:
        return self.folder / WHEELS


def paths_for(folder: Path, target: Target) -> Paths:
    """uv wants names of locks without dots."""
    return Paths(folder, f"python{target.python.replace('.', '')}-{target.architecture}")


def key_of(*parts: object) -> str:
    """A digest of all that the lock comes of, as their repr tells it."""
    return hashlib.sha256(repr((FORMAT, *parts)).encode()).hexdigest()


def stamps(installed: Installed) -> list[tuple[str, int, int]]:
    """What shows a change of sources and patches here: names, sizes and times of their files."""
    files: dict[str, Path] = {}
    for item in installed.distributions:
        if item.kind == "editable" and item.folder is not None and item.folder.is_dir():
            files |= {
                f"{item.name}/{name}": path for name, path in source_files(item.folder).items()
            }
        for name in (*item.changed, *item.added):
            files[f"{item.name}/{name}"] = Path(item.location, name)
    there = [(name, path.stat()) for name, path in files.items() if path.exists()]
    return [(name, status.st_size, status.st_mtime_ns) for name, status in there]


def keep(
    paths: Paths, key: str, prepared: PreparedEnvironment, imported_if_left_out: list[str] | None
) -> None:
    """`imported_if_left_out`: what was imported when it was decided that nothing needs what is left
    out; None if nothing is. An empty key is never found again."""
    told = {
        "key": key,
        "lock_sha256": hashlib.sha256(prepared.lock.read_bytes()).hexdigest(),
        "wheels": {path.name: path.stat().st_size for path in prepared.wheels},
        "python": prepared.python,
        "summary": prepared.summary,
        "warnings": list(prepared.warnings),
        "imported": imported_if_left_out,
    }
    write_private(paths.knowledge, json.dumps(told, indent=1) + "\n")
    _delete_unused(paths)


def _delete_unused(paths: Paths) -> None:
    """Delete wheels that no lock of the folder has any more, of whichever target."""
    used: set[str] = set()
    for path in paths.folder.glob("pylock.*.json"):
        try:
            used |= set(json.loads(path.read_text(encoding="utf-8"))["wheels"])
        except (OSError, ValueError, KeyError, TypeError):
            return
    for path in paths.wheels.iterdir():
        if path.name not in used:
            path.unlink(missing_ok=True)


def kept(paths: Paths, key: str, imported: frozenset[str]) -> PreparedEnvironment | None:
    """Return what was prepared for this key if all of it is still there, else None."""
    try:
        told = json.loads(paths.knowledge.read_text(encoding="utf-8"))
        sha256 = hashlib.sha256(paths.lock.read_bytes()).hexdigest()
        sizes = {name: (paths.wheels / name).stat().st_size for name in told["wheels"]}
        if not told["key"] or (key, sha256, sizes) != (
            told["key"],
            told["lock_sha256"],
            told["wheels"],
        ):
            return None
        if told["imported"] is not None and not imported <= set(told["imported"]):
            return None
        return PreparedEnvironment(
            lock=paths.lock,
            wheels=tuple(paths.wheels / name for name in sizes),
            python=told["python"],
            summary=told["summary"],
            warnings=tuple(told["warnings"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None

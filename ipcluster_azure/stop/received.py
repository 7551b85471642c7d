"""Files that machines send -> files in a folder here, never outside of it, whole or not at all."""

import filecmp
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

PART = ".part"
LONGEST_HEAD = 10_000
# what Windows takes in no name; elsewhere it would only be odd
UNFIT = re.compile(r'[\x00-\x1f<>:"\\|?*]') if os.name == "nt" else re.compile(r"[\x00]")


class Refused(Exception):
    """Carries what is wrong with what a machine sends."""


@dataclass
class Received:
    """Takes the bytes of one machine, as they come (on_vm/scripts/results.py), into `folder`.

    `on_bytes` hears of each arrival. `new`, `replaced`, `same` and `refused` are names of files:
    those that were not here, that took another's place, that were here alike, and that can't be
    written here or could not be read there.
    """

    folder: Path
    on_bytes: Callable[[int], None] = lambda count: None
    new: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _head: bytes = b""
    _name: str = ""
    _left: int = 0
    _file: IO[bytes] | None = None
    _target: Path | None = None

    def feed(self, data: bytes) -> None:
        """Take what came; raises OSError, as when the disk is full, or Refused."""
        while data:
            if self._left:
                part, data = data[: self._left], data[self._left :]
                self._left -= len(part)
                if self._file is not None:
                    self._file.write(part)
                self.on_bytes(len(part))
            else:
                head, end, data = data.partition(b"\n")
                self._head += head
                if len(self._head) > LONGEST_HEAD:
                    raise Refused("what it sends can't be understood")
                if not end:
                    return
                self._begin(json.loads(self._head))
                self._head = b""
            if not self._left:
                self._finish()

    def close(self) -> None:
        """Remove what has not come to its end."""
        if self._file is not None and self._target is not None:
            self._file.close()
            self._file = None
            _part(self._target).unlink(missing_ok=True)

    def _begin(self, head: dict[str, object]) -> None:
        self._name, self._left = str(head["name"]), int(str(head.get("size", 0)))
        if "unreadable" in head:
            self.refused.append(f"{self._name} ({head['unreadable']})")
            return
        self._target = self._place(self._name)
        if self._target is None:
            self.refused.append(f"{self._name} (no name for a file here)")
            return
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(_part(self._target), "wb")  # noqa: SIM115 - _finish closes it

    def _place(self, name: str) -> Path | None:
        """Return where a file belongs; None if that would be outside, or can't be."""
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts or UNFIT.search(name):
            return None
        target = self.folder.joinpath(*path.parts)
        root = os.path.realpath(self.folder)
        parent = os.path.realpath(target.parent)
        if parent != root and not parent.startswith(root + os.sep):
            return None
        return None if target.is_dir() or target.is_symlink() else target

    def _finish(self) -> None:
        if self._file is None or self._target is None:
            return
        self._file.close()
        self._file = None
        part, target = _part(self._target), self._target
        if target.exists() and filecmp.cmp(part, target, shallow=False):
            part.unlink()
            self.same.append(self._name)
            return
        (self.replaced if target.exists() else self.new).append(self._name)
        os.replace(part, target)


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}{PART}")

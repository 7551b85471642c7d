"""The lock as machines get it: which wheel each package of the environment is.

Its maker chose one wheel for each package, for machines like this one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple


class Package(NamedTuple):
    """One package and its wheel: `size` is in bytes, 0 if it isn't known. Without an address, the
    launcher sends the file."""

    name: str
    version: str
    file: str
    sha256: str
    url: str | None = None
    size: int = 0


class Lock(NamedTuple):
    """`python` is a minor version, as 3.11; `imported` are modules that engines will soon need."""

    python: str
    packages: list[Package]
    imported: list[str]

    @classmethod
    def read(cls, path: Path) -> Lock:
        """Read {"python": "3.11", "packages": [{"name", "version", "file", ...}, ...]}."""
        content = json.loads(path.read_text(encoding="utf-8"))
        packages = [Package(**one) for one in content["packages"]]
        return cls(content["python"], packages, content.get("imported", []))

    @property
    def hashes(self) -> dict[str, str]:
        return {package.name: package.sha256 for package in self.packages}


class Made(NamedTuple):
    """What an environment was made of: the Python's minor version, and each package's hash."""

    python: str
    hashes: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Made | None:
        """Read what `write` wrote; None if there is none: it was never complete."""
        try:
            return cls(*json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self), encoding="utf-8")

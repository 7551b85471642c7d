"""What the machines have of the user's files: names and hashes, without the contents."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Manifest:
    """`files`: for each name there its SHA-256 and its size in bytes; `search`: the folders there
    that engines import from, besides their working directory."""

    files: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    search: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """What is the same for the same files, and differs for others; empty for none."""
        if not self.files:
            return ""
        content = json.dumps([sorted(self.files.items()), self.search])
        return hashlib.sha256(content.encode()).hexdigest()

    def changed_since(self, before: "Manifest") -> list[str]:
        """Return the names of files that are new or otherwise than before, sorted."""
        return sorted(name for name, it in self.files.items() if before.files.get(name) != it)

    def gone_since(self, before: "Manifest") -> list[str]:
        return sorted(before.files.keys() - self.files.keys())

    def to_json(self) -> str:
        """Return what the machines and later processes read (on_vm/agent/own_files.py)."""
        return json.dumps({"id": self.id, "files": self.files, "search": self.search})

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """From what to_json returned; an empty text is nobody's files."""
        data: dict[str, Any] = json.loads(text or "{}")
        files = {name: (sha256, size) for name, (sha256, size) in data.get("files", {}).items()}
        return cls(files, tuple(data.get("search", ())))

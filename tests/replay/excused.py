"""Which recorded exchanges need not be alike, and why: excused.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

FILE = Path(__file__).with_name("excused.yaml")


@dataclass(frozen=True)
class Excuse:
    source: str
    exchanges: tuple[int, ...]
    reason: str

    def covers(self, source: str) -> bool:
        """source: the recording's name, # and the exchange's number."""
        name, _, number = source.rpartition("#")
        return name.endswith(self.source.removesuffix(".json")) and int(number) in self.exchanges


def load() -> list[Excuse]:
    """Raises if one has no reason."""
    excuses = []
    for item in yaml.safe_load(FILE.read_text(encoding="utf-8")):
        if not item["reason"].strip():
            raise ValueError(f"{FILE.name}: {item['source']} has no reason")
        excuses.append(Excuse(item["source"], tuple(item["exchanges"]), item["reason"]))
    return excuses


def is_excused(source: str, excuses: list[Excuse]) -> bool:
    return any(excuse.covers(source) for excuse in excuses)

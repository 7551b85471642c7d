"""Who asks: the holder of a token, and what it may do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache


@dataclass(frozen=True)
class Principal:
    """actions and not_actions as in Azure's role definitions, with * for anything."""

    object_id: str
    actions: tuple[str, ...] = ("*",)
    not_actions: tuple[str, ...] = ()
    expires: datetime | None = None

    def may(self, action: str, scope: str) -> bool:
        """On the resource, group or subscription of that id."""
        return allows(self.actions, self.not_actions, action)

    def granted(self, scope: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """(actions, not actions) of each role that the principal has there."""
        return [(self.actions, self.not_actions)]


def allows(actions: tuple[str, ...], not_actions: tuple[str, ...], action: str) -> bool:
    return _any_like(actions, action) and not _any_like(not_actions, action)


def _any_like(patterns: tuple[str, ...], action: str) -> bool:
    return any(_pattern(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*"), re.IGNORECASE | re.DOTALL)

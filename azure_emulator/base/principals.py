"""Who asks: the holder of a token, and what it may do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache


@dataclass(frozen=True)
class Principal:
    """Who holds a token, with actions and not_actions as in Azure's role definitions."""

    object_id: str
    actions: tuple[str, ...] = ("*",)
    not_actions: tuple[str, ...] = ()
    expires: datetime | None = None

    def may(self, action: str, scope: str) -> bool:
        """Return whether the action is allowed on the resource, group or subscription `scope`."""
        return allows(self.actions, self.not_actions, action)

    def granted(self, scope: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Return (actions, not actions) of each role that the principal has at that scope."""
        return [(self.actions, self.not_actions)]


def allows(actions: tuple[str, ...], not_actions: tuple[str, ...], action: str) -> bool:
    return _any_like(actions, action) and not _any_like(not_actions, action)


def _any_like(patterns: tuple[str, ...], action: str) -> bool:
    return any(_pattern(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*"), re.IGNORECASE | re.DOTALL)

"""Spans of api-versions, in which the tables of versions.py say what is shown."""

from __future__ import annotations

from collections.abc import Mapping

Windows = tuple[tuple[str, str], ...]  # (first, last) version that shows it; "" for no end
Table = Mapping[str, Windows]


def since(first: str) -> Windows:
    return ((first, ""),)


def between(first: str, last: str) -> Windows:
    return ((first, last),)

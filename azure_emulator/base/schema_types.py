"""The types of request bodies, as the Azure SDK's models describe them.

schemas/*.json holds them, one file for each resource provider; tools/generate_schemas.py writes
all but management.json, whose types no installed SDK has. "types" maps a type to its members,
each with what it takes:
    "string", "integer", "number", "boolean", "any", the name of a type or of an enum,
    "[]string" a list of these, "{}string" an object with any names and these values
A "!" at the end marks a required member, "~" alone a read-only one. "enums" lists the words.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import schema_corrections as corrections

DIRECTORY = Path(__file__).with_name("schemas")


@dataclass(frozen=True)
class Member:
    """What one member of a body takes.

    ignored: it is read-only, but never refused; reference: the value points to another resource, of
    which only the id counts.
    """

    name: str
    kind: str
    required: bool
    read_only: bool
    ignored: bool
    reference: bool


class Schemas:
    """The types of one resource provider, corrected by what is known of Azure itself."""

    def __init__(self, provider: str) -> None:
        content = json.loads((DIRECTORY / f"{provider}.json").read_text(encoding="utf-8"))
        self._provider = provider
        self._types: dict[str, dict[str, str]] = content["types"]
        self._enums: dict[str, list[str]] = content["enums"]
        self._members: dict[str, Mapping[str, Member]] = {}

    def members(self, name: str) -> Mapping[str, Member]:
        """Return the members of a type, by their names in lower case."""
        if name not in self._members:
            older = corrections.OLDER_MEMBERS[self._provider].get(name, {})
            members = {**older, **self._types[name]}
            self._members[name] = {
                member.lower(): self._member(name, member, spec) for member, spec in members.items()
            }
        return self._members[name]

    def _member(self, owner: str, name: str, spec: str) -> Member:
        required = name in corrections.REQUIRED[self._provider].get(owner, "").split()
        return Member(
            name,
            kind=spec.rstrip("!~"),
            required=required or spec.endswith("!"),
            read_only=spec == "~",
            ignored=spec == "~"
            and (name in corrections.ENVELOPE or name not in self._types[owner]),
            reference=name in corrections.REFERENCES[self._provider],
        )

    def words(self, kind: str) -> list[str] | None:
        """Return the words of an enum; None if `kind` is no enum."""
        return self._enums.get(kind)

    def is_open(self, kind: str) -> bool:
        """Return whether Azure also takes words for this enum that the SDK doesn't know."""
        return kind in corrections.OPEN_ENUMS


@functools.cache
def load(provider: str) -> Schemas:
    """Return the schemas of compute, management, network or resources, read at the first use."""
    return Schemas(provider)

"""The $filter of the retail prices: eq and ne, contains(), and, or, parentheses (documented).

There is no `not`, and no other function: the interface refuses them, as some who tried report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Item = Mapping[str, Any]
TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[A-Za-z]\w*)|(?P<mark>[(),]))")
MEMBERS = {"priceType": "type"}  # what is called otherwise in items
DEEPEST = 50  # parentheses within one another


class BadFilter(ValueError):
    """What is no filter, or none that the interface takes."""


class Condition(Protocol):
    def holds(self, item: Item) -> bool:
        """Whether an item is wanted."""

    def pinned(self, member: str) -> set[str] | None:
        """The values of a member that items may have at all; None if that is open."""


@dataclass(frozen=True)
class Comparison:
    """`member eq 'text'`; with `part` contains(member, 'text'); `negated`: ne."""

    member: str
    text: str
    part: bool = False
    negated: bool = False
    any_case: bool = False

    def holds(self, item: Item) -> bool:
        value = str(item.get(MEMBERS.get(self.member, self.member), ""))
        text = self.text
        if self.any_case:
            value, text = value.lower(), text.lower()
        return (text in value if self.part else text == value) != self.negated

    def pinned(self, member: str) -> set[str] | None:
        is_open = member != self.member or self.part or self.negated or self.any_case
        return None if is_open else {self.text}


@dataclass(frozen=True)
class Both:
    left: Condition
    right: Condition

    def holds(self, item: Item) -> bool:
        return self.left.holds(item) and self.right.holds(item)

    def pinned(self, member: str) -> set[str] | None:
        left, right = self.left.pinned(member), self.right.pinned(member)
        if left is None or right is None:
            return right if left is None else left
        return left & right


@dataclass(frozen=True)
class Either:
    left: Condition
    right: Condition

    def holds(self, item: Item) -> bool:
        return self.left.holds(item) or self.right.holds(item)

    def pinned(self, member: str) -> set[str] | None:
        left, right = self.left.pinned(member), self.right.pinned(member)
        return None if left is None or right is None else left | right


def parse(text: str, *, any_case: bool) -> Condition:
    """Return what a filter asks for; `any_case`: values match in any capitals. Raises BadFilter."""
    reader = _Reader([*_tokens(text)], any_case)
    condition = reader.either()
    if reader.tokens:
        raise BadFilter(f"{reader.tokens[0]!r} is not expected")
    return condition


def _tokens(text: str) -> Iterator[str]:
    position, text = 0, text.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise BadFilter(f"{text[position : position + 20]!r} is not understood")
        yield match[match.lastgroup or 0]
        position = match.end()


@dataclass
class _Reader:
    """Takes the `tokens` from the front."""

    tokens: list[str]
    any_case: bool
    depth: int = 0

    def either(self) -> Condition:
        found = self._both()
        while self._next() == "or":
            self._take("or")
            found = Either(found, self._both())
        return found

    def _both(self) -> Condition:
        found = self._one()
        while self._next() == "and":
            self._take("and")
            found = Both(found, self._one())
        return found

    def _one(self) -> Condition:
        if self._next() == "(":
            self.depth += 1
            if self.depth > DEEPEST:
                raise BadFilter("too many parentheses")
            self._take("(")
            found = self.either()
            self._take(")")
            return found
        name = self._word()
        if name == "contains" and self._next() == "(":
            return self._contains()
        negated = self._operator()
        return Comparison(name, self._text(), negated=negated, any_case=self.any_case)

    def _contains(self) -> Condition:
        self._take("(")
        member = self._word()
        self._take(",")
        text = self._text()
        self._take(")")
        negated = False
        if self._next() in ("eq", "ne"):
            negated = self._operator()
            negated ^= self._truth() is False
        return Comparison(member, text, part=True, negated=negated, any_case=self.any_case)

    def _next(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def _take(self, wanted: str) -> None:
        if self._next() != wanted:
            raise BadFilter(f"{wanted!r} is expected, not {self._next()!r}")
        self.tokens.pop(0)

    def _word(self) -> str:
        if not self._next()[:1].isalpha():
            raise BadFilter(f"a name is expected, not {self._next()!r}")
        return self.tokens.pop(0)

    def _operator(self) -> bool:
        """Take eq or ne; returns whether it is the second."""
        word = self._word()
        if word not in ("eq", "ne"):
            raise BadFilter(f"{word!r} is no operator here")
        return word == "ne"

    def _truth(self) -> bool:
        word = self._word()
        if word not in ("true", "false"):
            raise BadFilter(f"{word!r} is neither true nor false")
        return word == "true"

    def _text(self) -> str:
        if not self._next().startswith("'"):
            raise BadFilter(f"a text in quotes is expected, not {self._next()!r}")
        return self.tokens.pop(0)[1:-1].replace("''", "'")

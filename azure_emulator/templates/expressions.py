"""The language of template expressions: text to a tree.

expression  = primary { "." identifier | "[" expression "]" }
primary     = string | integer | name "(" [ expression { "," expression } ] ")"
name        = identifier [ "." identifier ]      the second form is a user's own function
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

LONGEST = 24_576  # characters of an expression, Azure's limit
DEEPEST = 100  # calls within calls; deeper ones would exhaust Python's stack


class ExpressionError(Exception):
    """Raised with what is wrong with an expression, or with a value in it, in Azure's words."""


@dataclass(frozen=True)
class Literal:
    value: str | int


@dataclass(frozen=True)
class Call:
    """A function's call; name: in lower case; spelled: as the template has it."""

    name: str
    spelled: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Member:
    """A member: target.key or target[key]."""

    target: Node
    key: Node


Node = Literal | Call | Member


class Token(NamedTuple):
    kind: str
    text: str


TOKENS = re.compile(
    r"\s*(?:(?P<String>'(?:[^']|'')*')|(?P<Integer>[+-]?\d{1,19})|(?P<Identifier>[A-Za-z_][\w$]*)"
    r"|(?P<LeftParenthesis>\()|(?P<RightParenthesis>\))|(?P<LeftSquareBracket>\[)"
    r"|(?P<RightSquareBracket>\])|(?P<Comma>,)|(?P<Dot>\.))"
)


def is_expression(text: str) -> bool:
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


def literal(text: str) -> str:
    """Return the meaning of a text that is no expression: '[[' stands for '['."""
    return text[1:] if text.startswith("[[") and text.endswith("]") else text


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """Return the tree of `[...]`; raises ExpressionError."""
    source = text[1:-1]
    if len(source) > LONGEST:
        raise ExpressionError(
            f"The language expression length limit exceeded. Limit: '{LONGEST}' and actual: "
            f"'{len(source)}'. Please see https://aka.ms/arm-template-expressions for usage "
            "details."
        )
    parser = _Parser(source)
    tree = parser.expression()
    parser.expect("EndOfData")
    return tree


def _tokens(source: str) -> list[Token]:
    found, position, end = [], 0, len(source.rstrip())
    while position < end:
        match = TOKENS.match(source, position)
        if match is None or match.lastgroup is None:
            while source[position].isspace():
                position += 1
            raise ExpressionError(
                f"The language expression '{source}' is not valid: the string character "
                f"'{source[position]}' at position '{position}' is not expected."
            )
        found.append(Token(match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return [*found, Token("EndOfData", "")]


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = _tokens(source)
        self._next = 0
        self._depth = 0

    def expect(self, kind: str) -> Token:
        token = self._tokens[self._next]
        if token.kind != kind:
            raise ExpressionError(
                f"Unable to parse language expression '{self._source}': expected token '{kind}' "
                f"and actual '{token.kind}'."
            )
        self._next += 1
        return token

    def _found(self, kind: str) -> bool:
        if self._tokens[self._next].kind != kind:
            return False
        self._next += 1
        return True

    def expression(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionError(
                f"The language expression depth limit exceeded. Limit: '{DEEPEST}'. Please see "
                "https://aka.ms/arm-template-expressions for usage details."
            )
        node = self._primary()
        members = 0
        while True:
            if self._found("Dot"):
                node = Member(node, Literal(self.expect("Identifier").text))
            elif self._found("LeftSquareBracket"):
                node = Member(node, self.expression())
                self.expect("RightSquareBracket")
            else:
                break
            members += 1
            if members > DEEPEST:
                raise ExpressionError(f"The language expression '{self._source}' is too deep.")
        self._depth -= 1
        return node

    def _primary(self) -> Node:
        token = self._tokens[self._next]
        if token.kind == "String":
            self._next += 1
            return Literal(token.text[1:-1].replace("''", "'"))
        if token.kind == "Integer":
            self._next += 1
            return Literal(int(token.text))
        name = self.expect("Identifier").text
        if self._found("Dot"):
            name += "." + self.expect("Identifier").text
        self.expect("LeftParenthesis")
        return Call(name.lower(), name, self._arguments())

    def _arguments(self) -> tuple[Node, ...]:
        if self._found("RightParenthesis"):
            return ()
        found = [self.expression()]
        while self._found("Comma"):
            found.append(self.expression())
        self.expect("RightParenthesis")
        return tuple(found)

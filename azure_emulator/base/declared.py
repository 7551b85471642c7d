"""What is declared through the control routes, checked member by member."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from . import errors
from .messages import Json

LONGEST_S = 10 * 365 * 86_400


class Rule(NamedTuple):
    """What one member of a declaration must be: in words, and as a test."""

    words: str
    holds: Callable[[Any], bool]


def _number(value: Any, low: float, high: float) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, float)) and low <= value <= high


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and _number(value, low, high)


TEXT = Rule("a string", lambda value: isinstance(value, str))
TEXTS = Rule(
    "a list of strings",
    lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
)
COUNT = Rule("a whole number, 0 or more", lambda value: _whole(value, 0, 10**9))
LIMIT = Rule("a whole number above 0", lambda value: _whole(value, 1, 10**9))
SHARE = Rule("a number from 0 to 1", lambda value: _number(value, 0, 1))
SECONDS = Rule("a number of seconds, 0 or more", lambda value: _number(value, 0, LONGEST_S))
SIGNED_SECONDS = Rule("a number of seconds", lambda value: _number(value, -LONGEST_S, LONGEST_S))
STATUS = Rule("an HTTP status from 400 to 599", lambda value: _whole(value, 400, 599))
OBJECT = Rule("an object", lambda value: isinstance(value, dict))
OBJECTS = Rule(
    "a list of objects",
    lambda value: isinstance(value, list) and all(isinstance(item, dict) for item in value),
)
FLAG = Rule("true or false", lambda value: isinstance(value, bool))


def or_null(rule: Rule) -> Rule:
    return Rule(f"{rule.words}, or null", lambda value: value is None or rule.holds(value))


def checked(body: Json, rules: Mapping[str, Rule], *, required: tuple[str, ...] = ()) -> Json:
    """Return the body unchanged if it has only members that `rules` name, and all `required` ones.

    Raises Azure's refusal of the first member that is unknown, wrong or missing.
    """
    for name in required:
        if name not in body:
            raise errors.missing_parameter(name)
    for name, value in body.items():
        if name not in rules:
            known = ", ".join(sorted(rules))
            raise errors.invalid_parameter(name, f"'{name}' is not known here; there are {known}.")
        if not rules[name].holds(value):
            raise errors.invalid_parameter(name, f"'{name}' must be {rules[name].words}.")
    return body

"""Declares template functions: how many arguments of which types each takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from .expressions import ExpressionError
from .values import type_name

Function = Callable[..., Any]

NAMES = {
    "string": ("String",),
    "int": ("Integer",),
    "number": ("Integer", "Float"),
    "bool": ("Boolean",),
    "array": ("Array",),
    "object": ("Object",),
    "null": ("Null",),
}

FUNCTIONS: dict[str, Function] = {}
"""Every function whose value follows from its arguments alone, by lower-case name."""


def function(name: str, *kinds: str) -> Callable[[Function], Function]:
    """Register a function. A kind is "string", "string|int", "any", ...; a "?" at its end makes it
    optional, a "*" lets it be repeated (also zero times)."""

    def register(body: Function) -> Function:
        FUNCTIONS[name.lower()] = checked(name, kinds, body)
        return body

    return register


def checked(name: str, kinds: tuple[str, ...], body: Function) -> Function:
    """Return the body behind a check of number and types of its arguments."""
    least = sum(not kind.endswith(("?", "*")) for kind in kinds)
    most = None if kinds and kinds[-1].endswith("*") else len(kinds)

    @wraps(body)
    def call(*arguments: Any) -> Any:
        if len(arguments) < least or (most is not None and len(arguments) > most):
            raise wrong_count(name, least, most, len(arguments))
        for number, argument in enumerate(arguments):
            kind = kinds[min(number, len(kinds) - 1)].rstrip("?*")
            _check(name, number + 1, kind, argument)
        return body(*arguments)

    return call


def _check(name: str, number: int, kind: str, argument: Any) -> None:
    if kind == "any":
        return
    allowed = [label for part in kind.split("|") for label in NAMES[part]]
    if type_name(argument) not in allowed:
        raise ExpressionError(
            f"The template function '{name}' expects its parameter '{number}' to be of type "
            f"'{', '.join(allowed)}'. The provided value is of type '{type_name(argument)}'. "
            f"Please see https://aka.ms/arm-template-expressions#{name} for usage details."
        )


def refused(name: str, reason: str) -> ExpressionError:
    return ExpressionError(
        f"The template function '{name}' has an invalid parameter. {reason} Please see "
        f"https://aka.ms/arm-template-expressions#{name} for usage details."
    )


def wrong_count(name: str, least: int, most: int | None, given: int) -> ExpressionError:
    if most is None:
        needed = f"at least '{least}'"
    else:
        needed = f"'{least}'" if least == most else f"between '{least}' and '{most}'"
    return ExpressionError(
        f"Unable to evaluate template language function '{name}': function requires {needed} "
        f"argument(s) while '{given}' were provided. Please see "
        f"https://aka.ms/arm-template-expressions/#{name} for usage details."
    )

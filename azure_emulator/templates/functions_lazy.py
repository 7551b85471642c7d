"""Template functions that do not look at all their arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .expressions import ExpressionError, Node
from .signatures import wrong_count
from .values import UNKNOWN, Unknown, type_name

Evaluate = Callable[[Node], Any]


def _needs(name: str, arguments: tuple[Node, ...], least: int, most: int | None = None) -> None:
    if len(arguments) < least or (most is not None and len(arguments) > most):
        raise wrong_count(name, least, most, len(arguments))


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ExpressionError(
            f"The template language function '{name}' expects boolean parameters. The provided "
            f"value is of type '{type_name(value)}'. Please see "
            f"https://aka.ms/arm-template-expressions/#{name} for usage details."
        )
    return value


def _if(evaluate: Evaluate, arguments: tuple[Node, ...]) -> Any:
    _needs("if", arguments, 3, 3)
    condition = evaluate(arguments[0])
    if isinstance(condition, Unknown):
        for argument in arguments[1:]:  # both may refer to resources
            evaluate(argument)
        return UNKNOWN
    return evaluate(arguments[1] if _boolean("if", condition) else arguments[2])


def _chain(name: str, decides: bool) -> Callable[[Evaluate, tuple[Node, ...]], Any]:
    def chain(evaluate: Evaluate, arguments: tuple[Node, ...]) -> Any:
        _needs(name, arguments, 2)
        unknown = False
        for argument in arguments:
            value = evaluate(argument)
            if isinstance(value, Unknown):
                unknown = True
            elif _boolean(name, value) is decides:
                return decides
        return UNKNOWN if unknown else not decides

    return chain


def _coalesce(evaluate: Evaluate, arguments: tuple[Node, ...]) -> Any:
    _needs("coalesce", arguments, 1)
    for argument in arguments:
        value = evaluate(argument)
        if value is not None:
            return value
    return None


LAZY = {
    "if": _if,
    "and": _chain("and", False),
    "or": _chain("or", True),
    "coalesce": _coalesce,
}

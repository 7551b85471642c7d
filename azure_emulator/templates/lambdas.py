"""Template functions that take a lambda: lambda('item', expression with lambdaVariables('item')).

A lambda is not a value: its expression is evaluated once for each item, with its variables bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cmp_to_key
from typing import Any, NamedTuple

from .expressions import Call, ExpressionError, Literal, Node
from .signatures import refused, wrong_count
from .values import UNKNOWN, Unknown, is_known, text_of, type_name

Evaluate = Callable[[Node], Any]
Binding = Callable[[Mapping[str, Any]], Evaluate]
"""Returns an evaluation in which lambdaVariables() has these values beside those around."""


class Lambda(NamedTuple):
    """A lambda that can be called with its values."""

    names: tuple[str, ...]
    call: Callable[..., Any]


def lambda_of(name: str, node: Node, bind: Binding, counts: tuple[int, ...]) -> Lambda:
    """Return the lambda that a function's argument is; raises ExpressionError for another one.

    counts: how many variables the function `name` can give to it.
    """
    if not isinstance(node, Call) or node.name != "lambda" or len(node.arguments) < 1:
        raise refused(name, "It needs a lambda function.")
    *given, body = node.arguments
    names = [item.value for item in given if isinstance(item, Literal)]
    if len(names) != len(given) or not all(isinstance(item, str) for item in names):
        raise refused(name, "The variables of a lambda are strings.")
    if len(names) not in counts:
        wanted = " or ".join(map(str, counts))
        raise refused(name, f"Its lambda takes {wanted} variables, not {len(names)}.")

    def call(*values: Any) -> Any:
        return bind(dict(zip(map(str, names), values, strict=False)))(body)

    return Lambda(tuple(map(str, names)), call)


def apply(name: str, arguments: tuple[Node, ...], evaluate: Evaluate, bind: Binding) -> Any:
    """Return what map(), filter() or another of FUNCTIONS gives."""
    least, most, work = FUNCTIONS[name]
    if not least <= len(arguments) <= most:
        raise wrong_count(SPELLED[name], least, most, len(arguments))
    value = evaluate(arguments[0])
    if isinstance(value, Unknown):
        return UNKNOWN
    wanted, kind = (dict, "Object") if name == "mapvalues" else (list, "Array")
    if not isinstance(value, wanted):
        raise refused(
            SPELLED[name], f"It takes an {kind}, not a value of type '{type_name(value)}'."
        )
    result = work(value, arguments[1:], evaluate, bind)
    return result if is_known(result) else UNKNOWN


def _indexed(given: Lambda, items: list[Any]) -> list[Any]:
    return [given.call(item, number) for number, item in enumerate(items)]


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, Unknown)):
        raise refused(name, "Its lambda must give a boolean.")
    return value is True


def _map(items: list[Any], rest: tuple[Node, ...], evaluate: Evaluate, bind: Binding) -> Any:
    return _indexed(lambda_of("map", rest[0], bind, (1, 2)), items)


def _filter(items: list[Any], rest: tuple[Node, ...], evaluate: Evaluate, bind: Binding) -> Any:
    kept = _indexed(lambda_of("filter", rest[0], bind, (1, 2)), items)
    if not is_known(kept):
        return UNKNOWN
    return [item for item, keep in zip(items, kept, strict=True) if _truth("filter", keep)]


def _map_values(value: Any, rest: tuple[Node, ...], evaluate: Evaluate, bind: Binding) -> Any:
    given = lambda_of("mapValues", rest[0], bind, (1,))
    return {key: given.call(item) for key, item in value.items()}


def _reduce(items: list[Any], rest: tuple[Node, ...], evaluate: Evaluate, bind: Binding) -> Any:
    result = evaluate(rest[0])
    given = lambda_of("reduce", rest[1], bind, (2, 3))
    for number, item in enumerate(items):
        result = given.call(result, item, number)
    return result


def _sort(items: list[Any], rest: tuple[Node, ...], evaluate: Evaluate, bind: Binding) -> Any:
    given = lambda_of("sort", rest[0], bind, (2,))

    def compare(left: Any, right: Any) -> int:
        if _truth("sort", given.call(left, right)):
            return -1
        return int(_truth("sort", given.call(right, left)))

    return sorted(items, key=cmp_to_key(compare))


def _keys(
    name: str, items: list[Any], rest: tuple[Node, ...], bind: Binding
) -> list[tuple[str, Any]] | Unknown:
    """Return each item with the key that the first lambda gives it."""
    found = _indexed(lambda_of(name, rest[0], bind, (1, 2)), items)
    if not is_known(found):
        return UNKNOWN
    if not all(isinstance(key, (str, int)) and not isinstance(key, bool) for key in found):
        raise refused(name, "Its lambda must give a string.")
    return [(text_of(key), item) for key, item in zip(found, items, strict=True)]


def _to_object(items: list[Any], rest: tuple[Node, ...], evaluate: Evaluate, bind: Binding) -> Any:
    keyed = _keys("toObject", items, rest, bind)
    if isinstance(keyed, Unknown):
        return UNKNOWN
    value = lambda_of("toObject", rest[1], bind, (1,)) if len(rest) > 1 else None
    return {key: value.call(item) if value else item for key, item in keyed}


def _group_by(items: list[Any], rest: tuple[Node, ...], evaluate: Evaluate, bind: Binding) -> Any:
    keyed = _keys("groupBy", items, rest, bind)
    if isinstance(keyed, Unknown):
        return UNKNOWN
    value = lambda_of("groupBy", rest[1], bind, (1,)) if len(rest) > 1 else None
    groups: dict[str, list[Any]] = {}
    for key, item in keyed:
        groups.setdefault(key, []).append(value.call(item) if value else item)
    return groups


Work = Callable[[Any, tuple[Node, ...], Evaluate, Binding], Any]
# How many arguments at least and at most, and the work.
FUNCTIONS: dict[str, tuple[int, int, Work]] = {
    "filter": (2, 2, _filter),
    "groupby": (2, 3, _group_by),
    "map": (2, 2, _map),
    "mapvalues": (2, 2, _map_values),
    "reduce": (3, 3, _reduce),
    "sort": (2, 2, _sort),
    "toobject": (2, 3, _to_object),
}
SPELLED = {name.lower(): name for name in ("groupBy", "mapValues", "toObject")}
SPELLED |= {name: name for name in FUNCTIONS if name not in SPELLED}


def misplaced_lambda() -> ExpressionError:
    return ExpressionError(
        "The template function 'lambda' is not expected at this location. Please see "
        "https://aka.ms/arm-template-expressions for usage details."
    )


def variable(bound: Mapping[str, Any], name: Any = None) -> Any:
    """Return what lambdaVariables('name') means where these are bound."""
    if isinstance(name, str) and name in bound:
        return bound[name]
    raise ExpressionError(
        f"The lambda variable '{name}' is not found. Please see "
        "https://aka.ms/arm-template-expressions for usage details."
    )

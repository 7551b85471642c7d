"""Template functions that convert, compare and calculate."""

from __future__ import annotations

import json
import math
from typing import Any

from .expressions import ExpressionError
from .functions_text import base64_to_string
from .signatures import function, refused
from .values import integer, same, text_of

# Conversion


@function("string", "any")
def string(value: Any) -> str:
    return text_of(value)


@function("int", "string|number")
def int_(value: Any) -> int:
    try:
        return integer(int(value))
    except (ValueError, OverflowError):
        raise refused("int", f"The value '{value}' is not a valid integer.") from None


@function("float", "string|number")
def float_(value: Any) -> float:
    try:
        result = float(value)
    except (ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result):
        raise refused("float", f"The value '{value}' is not a valid number.")
    return result


@function("bool", "string|int|bool")
def bool_(value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() not in ("true", "false", "1", "0"):
            raise refused("bool", f"The value '{value}' is not a valid boolean.")
        return value.lower() in ("true", "1")
    return bool(value)


@function("json", "string")
def json_(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise refused("json", f"The value '{text[:80]}' is not valid JSON.") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)


@function("base64ToJson", "string")
def base64_to_json(text: str) -> Any:
    return json_(base64_to_string(text))


@function("array", "any")
def array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@function("createArray", "any*")
def create_array(*items: Any) -> list[Any]:
    return list(items)


@function("createObject", "any*")
def create_object(*items: Any) -> dict[str, Any]:
    keys = items[::2]
    if len(items) % 2 or not all(isinstance(key, str) for key in keys):
        raise refused("createObject", "It takes pairs of a string and a value.")
    return dict(zip(keys, items[1::2], strict=True))


@function("null")
def null() -> None:
    return None


@function("true")
def true() -> bool:
    return True


@function("false")
def false() -> bool:
    return False


@function("fail", "string")
def fail(message: str) -> None:
    raise ExpressionError(message)


# Numbers and truth


def _numbers(name: str, values: tuple[Any, ...]) -> list[int]:
    found = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
    if not found or not all(type(item) is int for item in found):
        raise refused(name, "The parameters must be integers, or one array of integers.")
    return list(found)


@function("min", "array|int", "int*")
def min_(*values: Any) -> int:
    return min(_numbers("min", values))


@function("max", "array|int", "int*")
def max_(*values: Any) -> int:
    return max(_numbers("max", values))


@function("add", "int", "int")
def add(left: int, right: int) -> int:
    return integer(left + right)


@function("sub", "int", "int")
def sub(left: int, right: int) -> int:
    return integer(left - right)


@function("mul", "int", "int")
def mul(left: int, right: int) -> int:
    return integer(left * right)


@function("div", "int", "int")
def div(left: int, right: int) -> int:
    return integer(_quotient("div", left, right))


@function("mod", "int", "int")
def mod(left: int, right: int) -> int:
    return left - right * _quotient("mod", left, right)


def _quotient(name: str, left: int, right: int) -> int:
    """Divide towards zero, as .NET does."""
    if right == 0:
        raise refused(name, "The divisor must not be zero.")
    size = abs(left) // abs(right)
    return size if (left < 0) == (right < 0) else -size


@function("equals", "any", "any")
def equals(left: Any, right: Any) -> bool:
    return same(left, right)


@function("not", "bool")
def not_(value: bool) -> bool:
    return not value


def _ordered(name: str, left: Any, right: Any) -> int:
    """Return a number below, at or above 0, as left is below, at or above right."""
    if type(left) is not type(right):
        raise refused(name, "Both parameters must be integers or both strings.")
    return int(left > right) - int(left < right)


@function("greater", "int|string", "int|string")
def greater(left: Any, right: Any) -> bool:
    return _ordered("greater", left, right) > 0


@function("greaterOrEquals", "int|string", "int|string")
def greater_or_equals(left: Any, right: Any) -> bool:
    return _ordered("greaterOrEquals", left, right) >= 0


@function("less", "int|string", "int|string")
def less(left: Any, right: Any) -> bool:
    return _ordered("less", left, right) < 0


@function("lessOrEquals", "int|string", "int|string")
def less_or_equals(left: Any, right: Any) -> bool:
    return _ordered("lessOrEquals", left, right) <= 0

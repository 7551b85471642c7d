"""Values of the template language: their types, their text, their size."""

from __future__ import annotations

import json
from typing import Any

from .expressions import ExpressionError

LARGEST = 4 * 1024 * 1024  # characters of an expanded template, Azure's limit
LONGEST_TEXT = 131_072  # characters that a function may return, Azure's limit
INTEGERS = range(-(2**63), 2**63)


class Unknown:
    """A value that is known only once resources exist, such as reference()'s during validation."""


UNKNOWN = Unknown()


def type_name(value: Any) -> str:
    """Return the type as Azure's messages name it."""
    if isinstance(value, bool):
        return "Boolean"
    names = {str: "String", int: "Integer", float: "Float", list: "Array", dict: "Object"}
    return names.get(type(value), "Null")


def find_key(target: dict[str, Any], key: str) -> str | None:
    """Return the member's real name, whatever the case."""
    if key in target:
        return key
    lower = key.lower()
    return next((name for name in target if name.lower() == lower), None)


def shown_keys(target: dict[str, Any]) -> str:
    return ", ".join(target)


def integer(value: int) -> int:
    if value not in INTEGERS:
        raise ExpressionError(f"The value '{value}' is too large or too small for an Int64.")
    return value


def text_of(value: Any) -> str:
    """Return a value as string() and concat() write it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return str(value)
    weight(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def joined(parts: list[str], separator: str = "") -> str:
    """Join texts, checking the length before: short arguments can mean gigabytes."""
    check_length(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def check_length(characters: int) -> None:
    if characters > LONGEST_TEXT:
        raise ExpressionError(
            f"The template language literal limit exceeded. Limit: '{LONGEST_TEXT}' and actual: "
            f"'{characters}'. Please see https://aka.ms/arm-template-expressions for usage details."
        )


def weight(value: Any) -> int:
    """Return about the value's length as JSON; refuse what is larger than any template.

    Values share parts, so a few variables can stand for more than would fit into memory.
    """
    total, todo = 0, [value]
    while todo:
        item = todo.pop()
        total += 1
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, dict):
            total += sum(map(len, item))
            todo.extend(item.values())
        if total > LARGEST:
            raise ExpressionError(f"A value is larger than '{LARGEST}' characters.")
    return total


def same(left: Any, right: Any) -> bool:
    """Return whether two values are equal for ARM, for which, unlike Python, 1 is not True."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


def identity(value: Any) -> str:
    """Return something hashable that is equal for values that are the same."""
    return json.dumps(value, sort_keys=True)


def is_known(value: Any) -> bool:
    """Return whether nothing in the value is UNKNOWN."""
    if isinstance(value, dict):
        return all(map(is_known, value.values()))
    if isinstance(value, list):
        return all(map(is_known, value))
    return not isinstance(value, Unknown)

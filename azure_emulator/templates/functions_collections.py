"""Template functions on arrays and objects, some of which take strings as well."""

from __future__ import annotations

from typing import Any

from .signatures import function, refused
from .values import find_key, identity, same, text_of

LONGEST_RANGE = 10_000


@function("length", "string|array|object")
def length(value: Any) -> int:
    return len(value)


@function("empty", "string|array|object|null")
def empty(value: Any) -> bool:
    return not value


@function("contains", "string|array|object", "any")
def contains(container: Any, item: Any) -> bool:
    if isinstance(container, list):
        return any(same(item, other) for other in container)
    if not isinstance(item, (str, int)) or isinstance(item, bool):
        raise refused("contains", "A string or an object contains only strings.")
    if isinstance(container, dict):
        return find_key(container, str(item)) is not None
    return str(item) in container


@function("first", "string|array")
def first(value: Any) -> Any:
    return value[0] if value else ("" if isinstance(value, str) else None)


@function("last", "string|array")
def last(value: Any) -> Any:
    return value[-1] if value else ("" if isinstance(value, str) else None)


@function("take", "string|array", "int")
def take(value: Any, count: int) -> Any:
    return value[: max(0, count)]


@function("skip", "string|array", "int")
def skip(value: Any, count: int) -> Any:
    return value[max(0, count) :]


@function("indexOf", "string|array", "any")
def index_of(value: Any, item: Any) -> int:
    if isinstance(value, str):
        return value.lower().find(text_of(item).lower())
    return next((i for i, other in enumerate(value) if same(item, other)), -1)


@function("lastIndexOf", "string|array", "any")
def last_index_of(value: Any, item: Any) -> int:
    if isinstance(value, str):
        return value.lower().rfind(text_of(item).lower())
    return next((i for i in reversed(range(len(value))) if same(item, value[i])), -1)


@function("union", "array|object", "array|object", "array|object*")
def union(*values: Any) -> Any:
    """Return the union; of objects the last wins, and objects within objects are merged too."""
    _alike("union", values)
    if isinstance(values[0], list):
        return list({identity(item): item for value in values for item in value}.values())
    merged: dict[str, Any] = {}
    for value in values:
        for key, item in value.items():
            name = find_key(merged, key) or key
            both = isinstance(item, dict) and isinstance(merged.get(name), dict)
            merged[name] = union(merged[name], item) if both else item
    return merged


@function("intersection", "array|object", "array|object", "array|object*")
def intersection(head: Any, *others: Any) -> Any:
    _alike("intersection", (head, *others))
    if isinstance(head, list):
        shared = set.intersection(*(set(map(identity, other)) for other in others))
        return [item for item in head if identity(item) in shared]
    return {
        key: item
        for key, item in head.items()
        if all(key in other and same(other[key], item) for other in others)
    }


def _alike(name: str, values: tuple[Any, ...]) -> None:
    if len({type(value) for value in values}) > 1:
        raise refused(name, "The parameters must all be arrays or all be objects.")


@function("items", "object")
def items(value: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value[key]} for key in sorted(value)]


@function("range", "int", "int")
def range_(start: int, count: int) -> list[int]:
    if not 0 <= count <= LONGEST_RANGE or start + count > 2**31 - 1:
        raise refused("range", f"The count must be between 0 and {LONGEST_RANGE}.")
    return list(range(start, start + count))


@function("tryGet", "object|array|null", "string|int", "string|int*")
def try_get(value: Any, *keys: Any) -> Any:
    """Return null instead of an error for what is not there."""
    for key in keys:
        if isinstance(value, dict) and isinstance(key, str):
            name = find_key(value, key)
            value = None if name is None else value[name]
        elif isinstance(value, list) and type(key) is int and 0 <= key < len(value):
            value = value[key]
        else:
            return None
    return value


@function("indexFromEnd", "array|string", "int")
def index_from_end(value: Any, reverse_index: int) -> Any:
    """Return the item that `[^1]`, `[^2]`, ... of Bicep means: 1 is the last."""
    if not 1 <= reverse_index <= len(value):
        raise refused("indexFromEnd", f"The index '{reverse_index}' is out of bounds.")
    return value[-reverse_index]


@function("tryIndexFromEnd", "array|string|null", "int")
def try_index_from_end(value: Any, reverse_index: int) -> Any:
    return value[-reverse_index] if value and 1 <= reverse_index <= len(value) else None


@function("objectKeys", "object")
def object_keys(value: dict[str, Any]) -> list[str]:
    return sorted(value)


@function("flatten", "array")
def flatten(value: list[Any]) -> list[Any]:
    if not all(isinstance(item, list) for item in value):
        raise refused("flatten", "The parameter must be an array of arrays.")
    return [item for inner in value for item in inner]


@function("shallowMerge", "array")
def shallow_merge(values: list[Any]) -> dict[str, Any]:
    """Return one object of several: the last one that has a member decides about it."""
    if not all(isinstance(item, dict) for item in values):
        raise refused("shallowMerge", "The parameter must be an array of objects.")
    return {key: item for value in values for key, item in value.items()}

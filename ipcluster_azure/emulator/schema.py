"""Checks request bodies against compact shapes and brings them into normal spelling.

A shape is a Python literal:
    "string", "integer", "number", "boolean", "any", "tags"
    ("A", "B")                          one of these words, in any case
    [shape]                             a list
    Shape("TypeName", {"name!": ...})   an object; "!" marks a required member, "~" a read-only
                                        one, which is accepted and dropped, as Azure does

As in Azure, member names and enum words are matched without regard to case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import errors


@dataclass(frozen=True)
class Shape:
    """name: what Azure calls this type in its messages."""

    name: str
    members: Mapping[str, Any]


class Problem(Exception):
    """kind: unknown, missing or type."""

    def __init__(self, kind: str, path: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.path = path


SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def normalise(shape: Any, value: Any, path: str = "") -> Any:
    """A copy of value in the shape's spelling; raises Problem."""
    if isinstance(shape, Shape):
        return _object(shape, value, path)
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise Problem("type", path, _conversion(value, "List", path))
        return [normalise(shape[0], item, f"{path}[{i}]") for i, item in enumerate(value)]
    if isinstance(shape, tuple):
        return _enum(shape, value, path)
    if shape == "tags":
        return _tags(value, path)
    if shape != "any":
        right = isinstance(value, SCALARS[shape])
        if not right or (isinstance(value, bool) and shape != "boolean"):
            raise Problem("type", path, _conversion(value, shape, path))
    return value


def _conversion(value: Any, kind: str, path: str) -> str:
    shown = str(value)[:80] if not isinstance(value, dict | list) else type(value).__name__
    return f"Error converting value {shown!r} to type '{kind}'. Path '{path}'."


def _object(shape: Shape, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Problem("type", path, _conversion(value, shape.name, path))
    known = {member.rstrip("!~").lower(): (member, kind) for member, kind in shape.members.items()}
    result: dict[str, Any] = {}
    for name, item in value.items():
        here = f"{path}.{name}" if path else name
        if name.lower() not in known:
            message = f"Could not find member '{name}' on object of type '{shape.name}'."
            raise Problem("unknown", here, f"{message} Path '{here}'.")
        member, kind = known[name.lower()]
        if item is not None and not member.endswith("~"):
            result[member.rstrip("!")] = normalise(kind, item, here)
    for member in shape.members:
        if member.endswith("!") and member[:-1] not in result:
            here = f"{path}.{member[:-1]}" if path else member[:-1]
            raise Problem("missing", here, f"Required parameter '{here}' is missing (null).")
    return result


def _enum(words: tuple[str, ...], value: Any, path: str) -> str:
    for word in words:
        if isinstance(value, str) and value.lower() == word.lower():
            return word
    raise Problem("type", path, _conversion(value, "/".join(words), path))


def _tags(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise Problem("type", path, _conversion(value, "Dictionary<string,string>", path))
    if len(value) > 50:
        raise errors.ArmError(
            400,
            "InvalidTags",
            f"The tags provided are invalid. The maximum number of tags is '50', not {len(value)}.",
        )
    for name, text in value.items():
        if len(name) > 512 or len(text) > 256:
            raise errors.ArmError(
                400, "InvalidTagNameOrValue", f"The tag '{name[:60]}' or its value is too long."
            )
    return dict(value)


def check_compute(shape: Shape, body: dict[str, Any]) -> dict[str, Any]:
    """Compute's wording: the last part of the path is the target."""
    try:
        return dict(normalise(shape, body))
    except Problem as problem:
        target = problem.path.rsplit(".", 1)[-1]
        if problem.kind == "missing":
            raise errors.missing_parameter(target) from None
        if "." not in problem.path and problem.kind == "unknown":
            raise errors.invalid_content(str(problem)) from None
        raise errors.ArmError(400, "BadRequest", str(problem), target=problem.path) from None


def check_network(shape: Shape, body: dict[str, Any]) -> dict[str, Any]:
    """Network's wording: the reason is in details."""
    try:
        return dict(normalise(shape, body))
    except Problem as problem:
        if "." not in problem.path and problem.kind == "unknown":
            raise errors.invalid_content(str(problem)) from None
        code = "MissingJsonMember" if problem.kind == "missing" else "InvalidJson"
        detail = {"code": code, "message": str(problem), "details": []}
        raise errors.ArmError(
            400, "InvalidRequestFormat", "Cannot parse the request.", details=[detail]
        ) from None

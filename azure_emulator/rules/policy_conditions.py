"""The conditions of Azure Policy's language: checked when declared, judged for each resource."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from typing import Any

from ..base import errors
from ..base.messages import Json

DEEPEST = 20
TAG = re.compile(r"tags(?:\.(?P<plain>.+)|\[\s*'?(?P<quoted>[^']*?)'?\s*\])", re.IGNORECASE)
# What Azure calls otherwise than the resource does.
ALIASES = {
    "microsoft.compute/virtualmachines/sku.name": "hardwareProfile.vmSize",
    "microsoft.compute/virtualmachines/imagepublisher": "storageProfile.imageReference.publisher",
    "microsoft.compute/virtualmachines/imageoffer": "storageProfile.imageReference.offer",
    "microsoft.compute/virtualmachines/imagesku": "storageProfile.imageReference.sku",
}
MISSING: Any = object()


def _folded(value: Any) -> Any:
    """Return a value as Azure compares it: texts in any case, and true as the text."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.lower() if isinstance(value, str) else value


def _equals(value: Any, wanted: Any) -> bool:
    return bool(_folded(value) == _folded(wanted))


def _in(value: Any, wanted: Any) -> bool:
    return any(_equals(value, item) for item in wanted)


def _like(value: Any, wanted: Any) -> bool:
    return isinstance(value, str) and re.match(translate(wanted), value, re.IGNORECASE) is not None


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, list):
        return _in(wanted, value)
    return isinstance(value, str) and str(_folded(wanted)) in value.lower()


Test = Callable[[Any, Any], bool]
# Each has a twin that begins with "not"; a missing value is equal to nothing.
TESTS: dict[str, Test] = {"equals": _equals, "in": _in, "like": _like, "contains": _contains}
OPERATORS = {
    **{name: (test, True) for name, test in TESTS.items()},
    **{f"not{name.capitalize()}": (test, False) for name, test in TESTS.items()},
}


def check(condition: object, depth: int = DEEPEST) -> None:
    """Refuse a condition that judge() would not understand."""
    if not isinstance(condition, dict) or depth == 0:
        raise _wrong("a condition must be an object, and not nested deeper than 20")
    if "field" not in condition:
        if len(condition) != 1 or next(iter(condition)) not in ("allOf", "anyOf", "not"):
            raise _wrong(f"{sorted(condition)}: one of allOf, anyOf, not, or a field is expected")
        name, inner = next(iter(condition.items()))
        if (name == "not") == isinstance(inner, list):
            raise _wrong(f"{name} needs {'one condition' if name == 'not' else 'a list'}")
        for item in [inner] if name == "not" else inner:
            check(item, depth - 1)
        return
    operators = sorted(set(condition) - {"field"})
    known = [*OPERATORS, "exists"]
    if len(operators) != 1 or operators[0] not in known:
        raise _wrong(f"{operators}: a field needs one of {', '.join(known)}")
    _check_operand(condition["field"], operators[0], condition[operators[0]])


def _check_operand(field: object, operator: str, operand: object) -> None:
    if not isinstance(field, str):
        raise _wrong("a field is named by a string")
    if operator in ("in", "notIn") and not isinstance(operand, list):
        raise _wrong(f"{operator} needs a list")
    if operator in ("like", "notLike") and not isinstance(operand, str):
        raise _wrong(f"{operator} needs a string")
    if operator == "exists" and str(operand).lower() not in ("true", "false"):
        raise _wrong("exists needs true or false")


def _wrong(reason: str) -> errors.ArmError:
    return errors.invalid_parameter("if", f"The policy's condition is not understood: {reason}.")


def judge(condition: Json, resource: Json, seen: list[Json]) -> bool:
    """Return whether the condition holds; `seen` gets what was compared on the way."""
    if "allOf" in condition:
        return all(judge(item, resource, seen) for item in condition["allOf"])
    if "anyOf" in condition:
        return any(judge(item, resource, seen) for item in condition["anyOf"])
    if "not" in condition:
        return not judge(condition["not"], resource, seen)
    field = condition["field"]
    operator = next(name for name in condition if name != "field")
    path, values = _values(resource, field)
    holds = _holds(operator, values, condition[operator])
    expression: Json = {
        "result": str(holds),
        "expressionKind": "Field",
        "expression": field,
        "path": path,
        "targetValue": condition[operator],
        "operator": f"{operator[0].upper()}{operator[1:]}",
    }
    if values and values[0] is not MISSING:
        expression["expressionValue"] = values[0] if len(values) == 1 else values
    seen.append(expression)
    return holds


def _holds(operator: str, values: list[Any], operand: Any) -> bool:
    """Return whether the operator holds for all values, as Azure asks of an array's members."""
    if operator == "exists":
        present = any(value is not MISSING and value is not None for value in values)
        return present == (str(operand).lower() == "true")
    test, wanted = OPERATORS[operator]
    return all((value is not MISSING and test(value, operand)) == wanted for value in values)


def _values(resource: Json, field: str) -> tuple[str, list[Any]]:
    """Return (path, the values there), several where the path has [*]."""
    tag = TAG.fullmatch(field)
    if tag:
        tags = resource.get("tags") or {}
        return field, [_member(tags, tag["plain"] or tag["quoted"])]
    if "/" not in field:
        return field, [_member(resource, field)]
    alias = ALIASES.get(field.lower())
    kind, _, rest = field.rpartition("/")
    if kind.lower() != resource["type"].lower():
        return field, [MISSING]
    path = alias or rest
    return f"properties.{path}", _walk([resource], path)


def _walk(values: list[Any], path: str) -> list[Any]:
    for part in path.split("."):
        name, several, _ = part.partition("[*]")
        values = [_property(value, name) for value in values]
        if several:
            lists = [value if isinstance(value, list) else [] for value in values]
            values = [item for items in lists for item in items]
    return values


def _property(holder: Any, name: str) -> Any:
    """Return a member; aliases leave out "properties", the resource's and those of its parts."""
    found = _member(_member(holder, "properties"), name)
    return found if found is not MISSING else _member(holder, name)


def _member(holder: Any, name: str) -> Any:
    if isinstance(holder, dict):
        for key, value in holder.items():
            if key.lower() == name.lower():
                return value
    return MISSING

"""Functions that a template defines itself, in namespaces."""

from __future__ import annotations

from typing import Any

from .errors import Places
from .evaluation import Evaluator
from .expressions import ExpressionError
from .scope import misplaced
from .signatures import Function, wrong_count
from .values import find_key


def user_functions(
    template: dict[str, Any], evaluator: Evaluator, places: Places
) -> dict[str, Function]:
    """Return the template's functions by "namespace.name" in lower case.

    They see only their own parameters.
    """
    found: dict[str, Function] = {}
    for number, entry in enumerate(template.get("functions") or []):
        path = ("functions", number)
        members = entry.get("members") if isinstance(entry, dict) else None
        if not isinstance(members, dict) or not isinstance(entry.get("namespace"), str):
            raise places.invalid("A function needs a namespace and members", path)
        for name, body in members.items():
            output = body.get("output") if isinstance(body, dict) else None
            if not isinstance(output, dict) or "value" not in output:
                raise places.invalid(f"The function '{name}' has no output", path)
            spelled = f"{entry['namespace']}.{name}"
            found[spelled.lower()] = _function(spelled, body, evaluator)
    return found


def _function(spelled: str, body: dict[str, Any], evaluator: Evaluator) -> Function:
    names = [item.get("name") for item in body.get("parameters") or [] if isinstance(item, dict)]
    inside = evaluator.also(misplaced("variables", "reference"))

    def call(*arguments: Any) -> Any:
        if len(arguments) != len(names):
            raise wrong_count(spelled, len(names), len(names), len(arguments))
        given = {str(name): value for name, value in zip(names, arguments, strict=True)}

        def parameter(name: Any) -> Any:
            known = find_key(given, name) if isinstance(name, str) else None
            if known is None:
                raise ExpressionError(
                    f"The template parameter '{name}' is not found. Please see "
                    "https://aka.ms/arm-template/#parameters for usage details."
                )
            return given[known]

        return inside.also({"parameters": parameter}).value(body["output"]["value"])

    return call

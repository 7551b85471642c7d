"""Outputs of a template."""

from __future__ import annotations

from typing import Any

from ..base.errors import ArmError
from .errors import Places
from .evaluation import Evaluator
from .expand import Located
from .expressions import ExpressionError
from .parameters import SECURE, TYPES
from .values import Unknown, type_name


class Outputs:
    def __init__(self, template: dict[str, Any], places: Places) -> None:
        self._definitions: dict[str, Any] = template.get("outputs") or {}
        self._places = places
        for name, definition in self._definitions.items():
            word = definition.get("type")
            if not isinstance(word, str) or word.lower() not in TYPES:
                raise places.invalid(
                    f"The type '{word}' of template output '{name}' is not supported",
                    ("outputs", name),
                )

    def check(self, evaluator: Evaluator) -> None:
        for name, definition in self._definitions.items():
            with Located(self._places, f"output '{name}'", ("outputs", name)):
                if self._wanted(definition, evaluator):
                    self._value(definition, evaluator)

    def values(self, evaluator: Evaluator) -> dict[str, Any]:
        """Return the outputs as the deployment shows them.

        Raises DeploymentOutputEvaluationFailed.
        """
        shown: dict[str, Any] = {}
        details = []
        for name, definition in self._definitions.items():
            try:
                if self._wanted(definition, evaluator):
                    shown[name] = self._shown(definition, self._value(definition, evaluator))
            except ExpressionError as error:
                details.append(_failed(name, f"Unable to evaluate template outputs: '{error}'."))
            except ArmError as error:
                details.append(_failed(name, error.message))
        if details:
            names = ",".join(detail["target"] for detail in details)
            raise ArmError(
                400,
                "DeploymentOutputEvaluationFailed",
                f"Unable to evaluate template outputs: '{names}'. Please see error details and "
                "deployment operations. Please see https://aka.ms/arm-common-errors for usage "
                "details.",
                details=details,
            )
        return shown

    def _wanted(self, definition: dict[str, Any], evaluator: Evaluator) -> bool:
        return evaluator.value(definition.get("condition", True)) is not False

    def _value(self, definition: dict[str, Any], evaluator: Evaluator) -> Any:
        loop = definition.get("copy")
        if isinstance(loop, dict):
            return evaluator.loop("", loop.get("count"), loop.get("input"), current=True)
        if "value" not in definition:
            raise ExpressionError("The value property is missing")
        value = evaluator.value(definition["value"])
        expected = TYPES[definition["type"].lower()][1]
        if not isinstance(value, Unknown) and type_name(value) not in (expected, "Null"):
            raise ExpressionError(
                f"Template output JToken type is not valid. Expected '{expected}'. Actual "
                f"'{type_name(value)}'"
            )
        return value

    def _shown(self, definition: dict[str, Any], value: Any) -> dict[str, Any]:
        word = definition["type"].lower()
        shown = {"type": TYPES[word][0]}
        return shown if word in SECURE else {**shown, "value": value}


def _failed(name: str, message: str) -> dict[str, Any]:
    return {"code": "DeploymentOutputEvaluationFailed", "target": name, "message": message}

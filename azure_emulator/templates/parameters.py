"""Parameters: values given, defaults, and whether they are what the template allows."""

from __future__ import annotations

from typing import Any

from ..base.errors import GATEWAY, ArmError
from .errors import Places, TemplateError
from .evaluation import Evaluator
from .expressions import ExpressionError
from .values import UNKNOWN, Unknown, find_key, same, text_of, type_name

USAGE = "Please see https://aka.ms/arm-create-parameter-file for usage details."
# The template's word: how Azure shows it, and the type its values have.
TYPES = {
    "string": ("String", "String"),
    "securestring": ("SecureString", "String"),
    "int": ("Int", "Integer"),
    "bool": ("Bool", "Boolean"),
    "object": ("Object", "Object"),
    "secureobject": ("SecureObject", "Object"),
    "array": ("Array", "Array"),
}
SECURE = ("securestring", "secureobject")


class Parameters:
    """Looks values up; what has a default is evaluated when it is asked for."""

    def __init__(self, template: dict[str, Any], given: Any, places: Places) -> None:
        self._definitions: dict[str, Any] = template.get("parameters") or {}
        self._places = places
        self._given = self._checked(given)
        self._values: dict[str, Any] = {}
        self._pending: list[str] = []
        self.evaluator: Evaluator  # of defaults, which may refer to other parameters

    def _checked(self, given: Any) -> dict[str, Any]:
        """Return the given parameters in the template's spelling; refuse unknown ones."""
        if given is None:
            return {}
        if not isinstance(given, dict):
            raise _bad_content("Error converting value to type 'Dictionary'. Path 'parameters'")
        names = {name: find_key(self._definitions, name) for name in given}
        unknown = [name for name, known in names.items() if known is None]
        if unknown:
            supported = ", ".join(self._definitions)
            raise self._places.invalid(
                f"The template parameters '{', '.join(unknown)}' in the parameters file are not "
                "valid; they are not present in the original template and can therefore not be "
                "provided at deployment time. The only supported parameters for this template are "
                f"'{supported}'. Please see https://aka.ms/arm-deploy/#parameter-file for usage "
                "details."
            )
        return {str(names[name]): _unwrapped(name, item) for name, item in given.items()}

    def get(self, name: str) -> Any:
        """Return what parameters('name') means."""
        known = find_key(self._definitions, name)
        if known is None:
            raise ExpressionError(
                f"The template parameter '{name}' is not found. Please see "
                "https://aka.ms/arm-template/#parameters for usage details."
            )
        if known not in self._values:
            if known in self._pending:
                raise ExpressionError(f"Circular reference in the default of parameter '{known}'.")
            self._pending.append(known)
            self._values[known] = self._value(known)
            self._pending.remove(known)
        return self._values[known]

    def check_all(self) -> None:
        for name in self._definitions:
            self.get(name)

    def shown(self) -> dict[str, Any]:
        """Return the parameters as GET of the deployment shows them: no secret has a value."""
        result: dict[str, Any] = {}
        for name, definition in self._definitions.items():
            word = definition["type"].lower()
            result[name] = {"type": TYPES[word][0]}
            if word not in SECURE:
                result[name]["value"] = self.get(name)
        return result

    def _value(self, name: str) -> Any:
        path = ("parameters", name)
        definition = self._definitions[name]
        word = definition.get("type")
        if not isinstance(word, str) or word.lower() not in TYPES:
            raise self._places.invalid(
                f"The type '{word}' of template parameter '{name}' is not supported", path
            )
        if name in self._given:
            value = self._given[name]
        elif "defaultValue" in definition:
            value = self._default(name, definition["defaultValue"])
        elif definition.get("nullable") is True:
            return None
        else:
            raise self._places.invalid(
                f"The value for the template parameter '{name}' {self._places.at(path)} is not "
                f"provided. {USAGE}",
                path,
            )
        if not isinstance(value, Unknown):
            self._check(name, definition, TYPES[word.lower()][1], value)
        return value

    def _default(self, name: str, document: Any) -> Any:
        try:
            return self.evaluator.value(document)
        except ExpressionError as error:
            path = ("parameters", name)
            raise self._places.resource(f"parameter '{name}'", path, str(error)) from None

    def _check(self, name: str, definition: dict[str, Any], kind: str, value: Any) -> None:
        if value is None and definition.get("nullable") is True:
            return
        if type_name(value) != kind:
            expected = "String, Uri" if kind == "String" else kind
            raise self._places.invalid(
                f"Template parameter JToken type is not valid. Expected '{expected}'. Actual "
                f"'{type_name(value)}'. {USAGE}",
                ("parameters", name),
            )
        allowed = definition.get("allowedValues")
        if isinstance(allowed, list) and not _is_allowed(allowed, value):
            words = ",".join(map(text_of, allowed))
            raise self._refused(
                name, f"The parameter value is not part of the allowed value(s): '{words}'."
            )
        if kind == "Integer":
            self._check_bounds(name, definition, "Value", value, "The value")
        elif kind in ("String", "Array"):
            self._check_bounds(name, definition, "Length", len(value), "Length of the value")

    def _check_bounds(
        self, name: str, definition: dict[str, Any], suffix: str, size: int, what: str
    ) -> None:
        least, most = definition.get(f"min{suffix}"), definition.get(f"max{suffix}")
        if type(least) is int and size < least:
            raise self._refused(name, f"{what} should be greater than or equal to '{least}'.")
        if type(most) is int and size > most:
            raise self._refused(name, f"{what} should be less than or equal to '{most}'.")

    def _refused(self, name: str, reason: str) -> TemplateError:
        path = ("parameters", name)
        return self._places.invalid(
            f"The provided value for the template parameter '{name}' {self._places.at(path)} is "
            f"not valid. {reason} {USAGE}",
            path,
        )


def _is_allowed(allowed: list[Any], value: Any) -> bool:
    """Return whether a value is allowed; a list is if all its items are."""
    if isinstance(value, list):
        return all(any(same(item, other) for other in allowed) for item in value)
    return any(same(value, other) for other in allowed)


def _bad_content(reason: str) -> ArmError:
    return ArmError(
        400,
        "InvalidRequestContent",
        f"The request content was invalid and could not be deserialized: '{reason}'.",
        headers=GATEWAY,
    )


def _unwrapped(name: str, item: Any) -> Any:
    """Return the value of {"value": ...}; a secret of a key vault cannot be had here."""
    if item is UNKNOWN:
        return UNKNOWN
    if isinstance(item, dict) and "value" in item:
        return item["value"]
    if isinstance(item, dict) and isinstance(item.get("reference"), dict):
        vault = item["reference"].get("keyVault")
        identifier = vault.get("id") if isinstance(vault, dict) else None
        raise ArmError(
            400,
            "KeyVaultParameterReferenceNotFound",
            f"The specified KeyVault '{identifier}' could not be found. Please see "
            "https://aka.ms/arm-keyvault for usage details.",
            headers=GATEWAY,
        )
    raise _bad_content(
        "Error converting value to type "
        f"'DeploymentParameterDefinition'. Path 'properties.parameters.{name}'"
    )

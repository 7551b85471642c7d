"""READ FIRST of this package: a template with its parameters, checked, ready to be deployed."""

from __future__ import annotations

from typing import Any

from . import (
    functions_cidr,
    functions_collections,
    functions_dates,
    functions_text,
    functions_values,
    scope,
    shape,
)
from .dependencies import Directory, check_no_circle, depend, resolve
from .errors import Places
from .evaluation import Budget, Evaluator
from .expand import Expansion, Located, Planned
from .expressions import Call, Member, Node, is_expression, parse
from .outputs import Outputs
from .parameters import Parameters
from .scope import Surroundings, Variables
from .signatures import FUNCTIONS, Function, checked
from .user_functions import user_functions
from .values import UNKNOWN

# They fill FUNCTIONS.
PURE = (
    *(functions_cidr, functions_collections, functions_dates, functions_text, functions_values),
)
NOT_HERE = ("reference", "references", "list*", "newGuid", "utcNow")


class Plan:
    """What a template asks for. Making one checks everything that can be checked beforehand.

    resources: in the template's order, also those whose condition is false.
    """

    def __init__(self, template: dict[str, Any], parameters: Any, around: Surroundings) -> None:
        shape.check(template)
        self.template = template
        self.around = around
        self.places = Places(template)
        self.parameters = Parameters(template, parameters, self.places)
        self.budget = Budget()
        self._variables = Variables(template.get("variables") or {})
        self.evaluator = self._new_evaluator()
        self.parameters.check_all()
        self._check_variables()
        expansion = Expansion(template, around, self.evaluator, self.places)
        self.resources = expansion.resources
        self.directory = Directory(self.resources, self.places)
        resolve(expansion, self.directory, self.places)
        for planned in self.resources:
            self._check_body(planned)
        check_no_circle(self.resources, self.places)
        self.outputs = Outputs(template, self.places)
        self._check_named("output", "outputs")
        self.outputs.check(self.referring(self.evaluator, None))

    @property
    def deployed(self) -> list[Planned]:
        return [planned for planned in self.resources if planned.deployed]

    def _new_evaluator(self) -> Evaluator:
        base: dict[str, Function] = {
            **FUNCTIONS,
            **scope.misplaced(*NOT_HERE),
            **scope.functions(self.around),
            "parameters": checked("parameters", ("string",), self.parameters.get),
        }
        plain = Evaluator(base, self.budget)
        self.parameters.evaluator = plain.also(scope.only_in_defaults(self.around))
        base["variables"] = checked("variables", ("string",), self._variables.get)
        base |= user_functions(self.template, plain, self.places)
        evaluator = plain.also(base)
        self._variables.evaluator = evaluator
        return evaluator

    def _check_variables(self) -> None:
        self._check_named("variable", "variables")
        for name in self._variables.names():
            with Located(self.places, f"variable '{name}'", ("variables",)):
                self._variables.get(name)

    def _check_named(self, what: str, member: str) -> None:
        for name, item in (self.template.get(member) or {}).items():
            with Located(self.places, f"{what} '{name}'", (member, name)):
                check_functions({name: item}, self.evaluator)

    def _check_body(self, planned: Planned) -> None:
        """Evaluate all but what only resources can tell, and note what they are asked for."""
        with Located(self.places, f"resource '{planned.raw['name']}'", planned.path):
            check_functions(planned.members(), planned.evaluator)
            if planned.deployed:
                planned.draft = planned.body(self.referring(planned.evaluator, planned))

    def referring(self, evaluator: Evaluator, planned: Planned | None) -> Evaluator:
        """Return an evaluator whose reference() is unknown, but must name something known."""

        def reference(name: str, version: str | None = None, full: str | None = None) -> Any:
            target = self.directory.reference(name, version is not None)
            by_name = not name.startswith("/") or version is None
            if planned and target and by_name:
                depend(planned, target)
            return UNKNOWN

        def references(name: str, full: str | None = None) -> Any:
            for target in self.directory.copies(name):
                if planned:
                    depend(planned, target)
            return UNKNOWN

        def list_(action: str, name: str, version: str, body: Any = None) -> Any:
            return reference(name, version)

        return evaluator.also(asking(reference, references, list_))


def asking(reference: Function, references: Function, list_: Function) -> dict[str, Function]:
    """Return the functions that ask resources, behind checks of their arguments."""
    lists = ("string", "string", "string", "object?")
    return {
        "reference": checked("reference", ("string", "string?", "string?"), reference),
        "references": checked("references", ("string", "string?"), references),
        "list*": checked("list*", lists, list_),
    }


def check_functions(document: Any, evaluator: Evaluator) -> None:
    """Refuse expressions that can't be read or name unknown functions, without evaluating any."""
    if isinstance(document, dict):
        for name, item in document.items():
            check_functions(name, evaluator)
            check_functions(item, evaluator)
    elif isinstance(document, list):
        for item in document:
            check_functions(item, evaluator)
    elif isinstance(document, str) and is_expression(document):
        _check_node(parse(document), evaluator)


def _check_node(node: Node, evaluator: Evaluator) -> None:
    if isinstance(node, Member):
        _check_node(node.target, evaluator)
        _check_node(node.key, evaluator)
    elif isinstance(node, Call):
        evaluator.check_known(node)
        for argument in node.arguments:
            _check_node(argument, evaluator)

"""Values of a template's JSON: expressions evaluated, property loops unrolled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from . import lambdas
from .expressions import Call, ExpressionError, Literal, Member, Node, is_expression, literal, parse
from .functions_lazy import LAZY
from .signatures import Function
from .values import LARGEST, UNKNOWN, Unknown, find_key, shown_keys, weight

# What is evaluated here, by names in lower case.
OWN = {"copyindex", "lambda", "lambdavariables", *LAZY, *lambdas.FUNCTIONS}
LONGEST_LOOP = 800  # Azure's limit of copies


class Loops:
    """The loops around a place, and which of them copyIndex() without a name means."""

    def __init__(self, indices: Mapping[str, int], current: str | None) -> None:
        self._indices = indices
        self._current = current

    def inside(self, name: str, index: int, *, current: bool) -> Loops:
        return Loops(
            {**self._indices, name.lower(): index}, name.lower() if current else self._current
        )

    def index(self, *arguments: Any) -> int:
        """Return copyIndex(), copyIndex(offset), copyIndex(name) or copyIndex(name, offset)."""
        name = self._current
        if arguments and isinstance(arguments[0], str):
            name, arguments = arguments[0].lower(), arguments[1:]
        offset = arguments[0] if arguments else 0
        if len(arguments) > 1 or type(offset) is not int:
            raise ExpressionError(
                "The template function 'copyIndex' has invalid parameters. Please see "
                "https://aka.ms/arm-copy for usage details."
            )
        if name is None or name not in self._indices:
            raise ExpressionError(
                "The template function 'copyIndex' is not expected at this location. The function "
                "can only be used in a resource with copy specified. Please see "
                "https://aka.ms/arm-copy for usage details."
            )
        return self._indices[name] + offset


class Budget:
    """A bound on what one template may become: a small one can describe a huge result."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start anew, to evaluate the same template once more."""
        self._left = LARGEST

    def spend(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise ExpressionError(
                f"The size of the expanded template exceeds the limit of '{LARGEST}' characters."
            )


class Evaluator:
    """Evaluates expressions with these functions, which are given by name in lower case."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        budget: Budget,
        loops: Loops | None = None,
        bound: Mapping[str, Any] | None = None,
    ) -> None:
        """bound: the variables of the lambdas around."""
        self._functions = functions
        self._budget = budget
        self._loops = loops or Loops({}, None)
        self._bound = bound or {}

    def also(self, functions: Mapping[str, Function]) -> Evaluator:
        return Evaluator({**self._functions, **functions}, self._budget, self._loops, self._bound)

    def inside(self, loop: str, index: int, *, current: bool = True) -> Evaluator:
        loops = self._loops.inside(loop, index, current=current)
        return Evaluator(self._functions, self._budget, loops, self._bound)

    def _bind(self, variables: Mapping[str, Any]) -> Callable[[Node], Any]:
        self._budget.spend(1)  # a short template can call a lambda very often
        bound = {**self._bound, **variables}
        return Evaluator(self._functions, self._budget, self._loops, bound)._node

    def value(self, document: Any) -> Any:
        """Return the document with every expression replaced by what it means."""
        if isinstance(document, dict):
            return self._object(document)
        if isinstance(document, list):
            self._budget.spend(len(document))
            return [self.value(item) for item in document]
        found = self._text(document) if isinstance(document, str) else document
        self._budget.spend(weight(found))
        return found

    def _text(self, text: str) -> Any:
        return self._node(parse(text)) if is_expression(text) else literal(text)

    def _object(self, document: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name, item in document.items():
            if name.lower() == "copy" and is_loops(item):
                result.update(self.loops(item))
                continue
            key = self._text(name)
            if isinstance(key, Unknown):
                continue
            if not isinstance(key, str):
                raise ExpressionError(f"The property name '{name}' is not a string.")
            self._budget.spend(len(key))
            result[key] = self.value(item)
        return result

    def loops(self, loops: list[Any]) -> Iterator[tuple[str, Any]]:
        """Return each {"name", "count", "input"} as a list under its name."""
        for loop in loops:
            name = loop["name"]
            yield name, self.loop(name, loop["count"], loop["input"], current=False)

    def loop(self, name: str, count: Any, item: Any, *, current: bool) -> list[Any]:
        times = self.count(count)
        return [self.inside(name, i, current=current).value(item) for i in range(times)]

    def count(self, document: Any) -> int:
        times = self.value(document)
        if type(times) is not int or not 0 <= times <= LONGEST_LOOP:
            raise ExpressionError(
                f"The copy count '{times}' is not valid: it must be a non-negative integer that "
                f"does not exceed '{LONGEST_LOOP}'. Please see https://aka.ms/arm-copy for usage "
                "details."
            )
        return times

    # The tree

    def _node(self, node: Node) -> Any:
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Member):
            return member(self._node(node.target), self._node(node.key))
        self.check_known(node)
        if node.name in LAZY:
            return LAZY[node.name](self._node, node.arguments)
        if node.name in lambdas.FUNCTIONS:
            return lambdas.apply(node.name, node.arguments, self._node, self._bind)
        if node.name == "lambda":
            raise lambdas.misplaced_lambda()
        arguments = [self._node(argument) for argument in node.arguments]
        if node.name == "copyindex":
            return self._loops.index(*arguments)
        if node.name == "lambdavariables":
            return lambdas.variable(self._bound, *arguments[:1])
        function = self._function(node)
        if any(isinstance(argument, Unknown) for argument in arguments):
            return UNKNOWN
        result = function(*arguments)
        weight(result)
        return result

    def _function(self, node: Call) -> Function:
        """Return the function; all whose names begin with "list" are one, told the name."""
        if node.name not in self._functions and node.name.startswith("list"):
            return partial(self._functions["list*"], node.spelled)
        return self._functions[node.name]

    def check_known(self, node: Call) -> None:
        known = node.name in self._functions or node.name in OWN
        if not known and not node.name.startswith("list"):
            raise ExpressionError(
                f"The template function '{node.spelled}' is not valid. Please see "
                "https://aka.ms/arm-template-expressions for usage details."
            )


def is_loops(value: Any) -> bool:
    """Return whether a member "copy" is a property loop and not a member of that name."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(item, dict)
            and {"name", "count", "input"} <= set(item)
            and isinstance(item["name"], str)
            for item in value
        )
    )


def member(target: Any, key: Any) -> Any:
    if isinstance(target, Unknown) or isinstance(key, Unknown):
        return UNKNOWN
    if isinstance(target, dict) and isinstance(key, str):
        found = find_key(target, key)
        if found is None:
            raise ExpressionError(
                f"The language expression property '{key}' doesn't exist, available properties "
                f"are '{shown_keys(target)}'."
            )
        return target[found]
    if isinstance(target, list) and type(key) is int:
        if not 0 <= key < len(target):
            raise ExpressionError(
                f"The language expression property array index '{key}' is out of bounds."
            )
        return target[key]
    raise ExpressionError(f"The language expression property '{key}' can't be evaluated.")

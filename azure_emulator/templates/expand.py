"""Resources of a template: loops unrolled, names, types and conditions evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .errors import Path, Places
from .evaluation import Evaluator
from .expressions import ExpressionError
from .scope import Surroundings, interleaved
from .shape import check_resource

DEPLOYMENT = "microsoft.resources/deployments"
GROUP = "microsoft.resources/resourcegroups"
# What is the template's own and not part of the request that makes the resource.
OWN = {
    *("name", "type", "apiVersion", "dependsOn", "condition", "copy", "scope", "resources"),
    *("comments", "metadata", "resourceGroup", "subscriptionId", "existing"),
}
LONGEST = 800  # resources of one template, Azure's limit


@dataclass(eq=False)
class Planned:
    """One resource to be made.

    raw: the template's text, evaluated with `evaluator`; path: its place in the template; deployed:
    False if its condition is, or if it exists already; draft: its body as far as it is known
    beforehand; after: the resources that must be there before.
    """

    type: str
    name: str
    id: str
    api_version: str
    raw: dict[str, Any]
    path: Path
    evaluator: Evaluator
    deployed: bool
    loop: str | None
    symbol: str | None
    location: str | None = None
    draft: dict[str, Any] = field(default_factory=dict)
    after: list[Planned] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.id.lower()

    def members(self) -> dict[str, Any]:
        """Return what the resource provider gets, not yet evaluated, without an inner template."""
        found = {name: item for name, item in self.raw.items() if name not in OWN}
        if self._inner_template() is not None:
            properties = found["properties"]
            found["properties"] = {key: properties[key] for key in properties if key != "template"}
        return found

    def body(self, evaluator: Evaluator) -> dict[str, Any]:
        """Return what is sent to the resource provider."""
        found = dict(evaluator.value(self.members()))
        inner = self._inner_template()
        if inner is not None:
            found["properties"]["template"] = inner
        return found

    def _inner_template(self) -> Any:
        """Return a nested deployment's template if its expressions are its own.

        By default they are the outer template's, which has evaluated them already.
        """
        properties = self.raw.get("properties")
        if self.type.lower() != DEPLOYMENT or not isinstance(properties, dict):
            return None
        options = properties.get("expressionEvaluationOptions")
        scope = options.get("scope") if isinstance(options, dict) else None
        is_inner = isinstance(scope, str) and scope.lower() == "inner"
        return properties.get("template") if is_inner else None


class Expansion:
    """The resources of one template, in its order."""

    def __init__(
        self, template: dict[str, Any], around: Surroundings, evaluator: Evaluator, places: Places
    ) -> None:
        self._around = around
        self._places = places
        self._evaluator = evaluator
        self.resources: list[Planned] = []
        self.loops: dict[str, tuple[str, int]] = {}
        """Serial loops by name: mode and how many at once."""
        resources = template["resources"]
        named = resources.items() if isinstance(resources, dict) else enumerate(resources)
        for key, raw in named:
            symbol = key if isinstance(key, str) else None
            self._add_all(raw, ("resources", key), None, symbol)

    def _add_all(self, raw: Any, path: Path, parent: Planned | None, symbol: str | None) -> None:
        for planned in self._each(raw, path, parent, symbol):
            self.resources.append(planned)
            if len(self.resources) > LONGEST:
                raise self._places.invalid(
                    f"The number of template resources limit exceeded. Limit: '{LONGEST}' and "
                    f"actual: '{len(self.resources)}'. Please see "
                    "https://aka.ms/arm-template/#resources for usage details."
                )
            children = raw.get("resources") or []
            if not isinstance(children, list):
                raise self._places.invalid("Nested resources must be an array", path)
            for number, child in enumerate(children):
                self._add_all(child, (*path, "resources", number), planned, None)

    def _each(
        self, raw: Any, path: Path, parent: Planned | None, symbol: str | None
    ) -> Iterator[Planned]:
        check_resource(raw, ".".join(map(str, path)))
        evaluator = parent.evaluator if parent else self._evaluator
        loop = raw.get("copy")
        if loop is None:
            yield self._one(raw, path, parent, evaluator, None, symbol)
            return
        if parent or not isinstance(loop, dict) or not isinstance(loop.get("name"), str):
            raise self._places.invalid(
                f"The copy of the template resource '{raw['name']}' {self._places.at(path)} is not "
                "valid: it must have a name and a count, and a nested resource can have none. "
                "Please see https://aka.ms/arm-copy for usage details.",
                path,
            )
        with self._located(raw, path):
            times = evaluator.count(loop.get("count"))
            self.loops[loop["name"].lower()] = _mode(loop)
        for index in range(times):
            inside = evaluator.inside(loop["name"], index)
            yield self._one(raw, path, parent, inside, loop["name"], symbol)

    def _located(self, raw: dict[str, Any], path: Path) -> Located:
        return Located(self._places, f"resource '{raw['name']}'", path)

    def _one(
        self,
        raw: dict[str, Any],
        path: Path,
        parent: Planned | None,
        evaluator: Evaluator,
        loop: str | None,
        symbol: str | None,
    ) -> Planned:
        with self._located(raw, path):
            condition = evaluator.value(raw.get("condition", True))
            if not isinstance(condition, bool):
                raise ExpressionError(f"The condition '{condition}' is not a boolean")
            kind, name, version = (
                _text(evaluator, raw, key) for key in ("type", "name", "apiVersion")
            )
            self._check_segments(kind, name, parent, path)
            if parent:
                kind, name = f"{parent.type}/{kind}", f"{parent.name}/{name}"
            planned = Planned(
                type=kind,
                name=name,
                id=self._id(raw, evaluator, kind, name),
                api_version=version,
                raw=raw,
                path=path,
                evaluator=evaluator,
                deployed=condition and not raw.get("existing"),
                loop=loop,
                symbol=symbol,
            )
            if "location" in raw and condition:
                planned.location = _text(evaluator, raw, "location")
        return planned

    def _check_segments(self, kind: str, name: str, parent: Planned | None, path: Path) -> None:
        types, names = kind.split("/"), name.split("/")
        if len(types) != len(names) + (parent is None) or not all(types + names):
            where = (*path, "type")
            raise self._places.invalid(
                f"The template resource '{name}' for type '{kind}' {self._places.at(where)} has "
                "incorrect segment lengths. A nested resource type must have identical number of "
                "segments as its resource name. A root resource type must have segment length one "
                "greater than its resource name. Please see "
                "https://aka.ms/arm-syntax-resources for usage details.",
                where,
            )

    def _id(self, raw: dict[str, Any], evaluator: Evaluator, kind: str, name: str) -> str:
        if kind.lower() == GROUP:
            return f"{self._around.subscription}/resourceGroups/{name}"
        return f"{self._root(raw, evaluator)}/providers/{interleaved(kind, name.split('/'))}"

    def _root(self, raw: dict[str, Any], evaluator: Evaluator) -> str:
        """Return the id of what the resource is in: a group, or the resource that it extends."""
        group = self._around.group.get("id", self._around.subscription)
        if "resourceGroup" in raw:
            group = f"{self._around.subscription}/resourceGroups/"
            group += _text(evaluator, raw, "resourceGroup")
        if "scope" not in raw:
            return str(group)
        scope = _text(evaluator, raw, "scope").rstrip("/")
        if scope.startswith("/subscriptions/"):
            return scope
        if "/" not in scope:
            raise ExpressionError(f"The scope '{scope}' is not valid")
        return f"{group}/providers/{scope}"


def _text(evaluator: Evaluator, raw: dict[str, Any], member: str) -> str:
    value = evaluator.value(raw[member])
    if not isinstance(value, str):
        raise ExpressionError(f"The {member} property must be a string")
    return value


def _mode(loop: dict[str, Any]) -> tuple[str, int]:
    mode, batch = str(loop.get("mode", "parallel")).lower(), loop.get("batchSize", 1)
    if mode not in ("serial", "parallel") or type(batch) is not int or batch < 1:
        raise ExpressionError(f"The mode '{mode}' or the batchSize '{batch}' of copy is not valid")
    return mode, batch


class Located:
    """A context that gives an ExpressionError the name and the place of what is evaluated."""

    def __init__(self, places: Places, name: str, path: Path) -> None:
        self._places, self._name, self._path = places, name, path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ExpressionError):
            raise self._places.resource(self._name, self._path, str(error)) from None

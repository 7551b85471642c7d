"""What must be there before what: dependsOn, reference() and serial loops."""

from __future__ import annotations

from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from typing import Any

from .errors import Places
from .expand import GROUP, Expansion, Located, Planned
from .expressions import ExpressionError
from .scope import interleaved


class Directory:
    """Finds a template's resources by all that a template may call them."""

    def __init__(self, resources: list[Planned], places: Places) -> None:
        self._places = places
        self._by_id: dict[str, Planned] = {}
        self._several: dict[str, list[Planned]] = defaultdict(list)
        """By symbol, loop, name, type and name."""
        for planned in resources:
            if planned.key in self._by_id:
                raise places.invalid(
                    f"The resource '{planned.id}' {places.at(planned.path)} is defined multiple "
                    "times in a template. Please see "
                    "https://aka.ms/arm-template/#resources for usage details.",
                    planned.path,
                )
            self._by_id[planned.key] = planned
            names = {planned.name, f"{planned.type}/{planned.name}"}
            inner = interleaved(planned.type, planned.name.split("/"))
            names |= {inner}
            if planned.type.lower() == GROUP:  # as subscriptionResourceId() calls it
                names |= {
                    f"{planned.id.split('/resourceGroups/')[0].lstrip('/')}/providers/{inner}"
                }
            names |= {name for name in (planned.symbol, planned.loop) if name}
            for name in {name.lower() for name in names}:
                self._several[name].append(planned)

    def dependencies(self, text: str) -> list[Planned]:
        """Return what an entry of dependsOn means; a loop's name means all its resources."""
        found = self._find(text)
        if not found:
            raise self._places.invalid(
                f"The resource '{text}' is not defined in the template. Please see "
                "https://aka.ms/arm-template for usage details."
            )
        loops = {planned.loop for planned in found}
        if len(found) > 1 and (None in loops or len(loops) > 1):
            raise self._places.invalid(
                f"The resource '{text}' is ambiguous: the template has {len(found)} resources of "
                "that name. Please see https://aka.ms/arm-template for usage details."
            )
        return found

    def reference(self, text: str, has_version: bool) -> Planned | None:
        """Return what reference(text) means; None: no resource of this template."""
        found = self._find(text)
        if len(found) == 1:
            return found[0]
        if text.startswith("/") and has_version:
            return None
        raise ExpressionError(
            f"The template reference '{text}' is not valid: could not find template resource or "
            "resource copy with this name. Please see "
            "https://aka.ms/arm-function-reference for usage details."
        )

    def copies(self, text: str) -> list[Planned]:
        """Return what references(text) means: the resources of a loop, by its symbolic name."""
        found = [planned for planned in self._find(text) if planned.loop]
        if found:
            return found
        raise ExpressionError(
            f"The template reference '{text}' is not valid: could not find template resource or "
            "resource copy with this name. Please see "
            "https://aka.ms/arm-function-reference for usage details."
        )

    def _find(self, text: str) -> list[Planned]:
        lower = text.lower().rstrip("/")
        if lower in self._by_id:
            return [self._by_id[lower]]
        return self._several.get(lower.lstrip("/"), [])


def resolve(expansion: Expansion, directory: Directory, places: Places) -> None:
    """Fill each resource's `after` with what its dependsOn and its serial loop demand."""
    for planned in expansion.resources:
        entries = planned.raw.get("dependsOn") or []
        with Located(places, f"resource '{planned.raw['name']}'", planned.path):
            for text in _texts(planned, entries):
                for other in directory.dependencies(text):
                    depend(planned, other)
    _order_loops(expansion)


def depend(planned: Planned, other: Planned) -> None:
    """Let `planned` wait for `other`, unless that one isn't deployed: Azure leaves it out, too."""
    if other.deployed and other not in planned.after:
        planned.after.append(other)


def _texts(planned: Planned, entries: Any) -> list[str]:
    found = planned.evaluator.value(entries)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ExpressionError("The dependsOn property must be an array of strings")
    return found


def _order_loops(expansion: Expansion) -> None:
    """Let each batch of a serial loop wait for the one before."""
    members: dict[str, list[Planned]] = defaultdict(list)
    for planned in expansion.resources:
        if planned.loop:
            members[planned.loop.lower()].append(planned)
    for name, several in members.items():
        mode, size = expansion.loops[name]
        if mode == "serial":
            for number, planned in enumerate(several):
                start = number // size * size
                for other in several[max(0, start - size) : start]:
                    depend(planned, other)


def check_no_circle(resources: list[Planned], places: Places) -> None:
    """Refuse resources that wait for each other, naming the first of them in the template."""
    sorter = TopologicalSorter({planned: planned.after for planned in resources})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = error.args[1]
        first = next(planned for planned in resources if planned in circle)
        raise places.invalid(
            f"Circular dependency detected on resource: '{first.id}'. Please see "
            "https://aka.ms/arm-syntax-resources for usage details."
        ) from None

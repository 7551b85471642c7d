"""Who needs whom among what is installed, as it will be on the machines."""

from collections import deque
from collections.abc import Iterable, Mapping, Set

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from .installed import Distribution


class Needs:
    """The requirements that apply with these environment markers, extras that are asked for too.

    `wanted` are requirements of the user's, whose extras count.
    """

    def __init__(
        self,
        distributions: Iterable[Distribution],
        markers: Mapping[str, str],
        wanted: Iterable[Requirement] = (),
    ) -> None:
        self._markers = dict(markers)
        self._by_name = {item.name: item for item in distributions}
        self.extras: dict[str, set[str]] = {}
        self.needed_by: dict[str, set[str]] = {}
        self._of: dict[str, set[str]] = {name: set() for name in self._by_name}
        self._walk([(name, frozenset()) for name in self._by_name])
        self._walk([(canonicalize_name(item.name), frozenset(item.extras)) for item in wanted])

    def closure(self, names: Iterable[str]) -> set[str]:
        """These and all that they need, directly or not."""
        found: set[str] = set()
        waiting = deque(names)
        while waiting:
            name = waiting.popleft()
            if name not in found:
                found.add(name)
                waiting.extend(self._of.get(name, ()))
        return found

    def _walk(self, names: Iterable[tuple[str, Set[str]]]) -> None:
        """Follow the requirements of each with its extras, which may ask for extras of others."""
        waiting = deque(names)
        while waiting:
            name, extras = waiting.popleft()
            self.extras.setdefault(name, set()).update(extras)
            distribution = self._by_name.get(name)
            for requirement in _requirements(distribution) if distribution else ():
                if not self._applies(requirement, extras):
                    continue
                needed = canonicalize_name(requirement.name)
                self.needed_by.setdefault(needed, set()).add(name)
                self._of[name].add(needed)
                if new := requirement.extras - self.extras.get(needed, set()):
                    waiting.append((needed, new))

    def _applies(self, requirement: Requirement, extras: Set[str]) -> bool:
        if requirement.marker is None:
            return not extras
        return any(
            holds(requirement.marker, {**self._markers, "extra": extra}) for extra in extras or {""}
        )


def holds(marker: Marker, markers: Mapping[str, str]) -> bool:
    """Say whether a marker holds; one that can't be decided does."""
    try:
        return marker.evaluate({"extra": "", **markers})
    except (InvalidVersion, UndefinedComparison, UndefinedEnvironmentName):
        return True


def _requirements(distribution: Distribution) -> Iterable[Requirement]:
    for text in distribution.requires:
        try:
            yield Requirement(text)
        except InvalidRequirement:
            continue

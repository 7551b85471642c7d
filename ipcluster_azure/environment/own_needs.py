"""Which of the installed packages only ipcluster-azure needs: they can stay here."""

import re
from collections.abc import Iterable, Iterator, Mapping

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from .installed import Distribution

OURSELVES = "ipcluster-azure"
FOR_ENGINES = ("ipyparallel", "numpy")  # ours as well, but of use on the machines
NAME = re.compile(r"\s*([A-Za-z0-9._-]+)")
EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]|['"]([^'"]+)['"]\s*==\s*extra""")


def own_needs(distributions: Iterable[Distribution], markers: Mapping[str, str]) -> frozenset[str]:
    """Return the names of ipcluster-azure and of what nothing but it needs.

    `markers` are the variables of the environment in which these are installed. What the user has
    asked an installer for is needed by the user; not so where each and every one was asked for, as
    from a frozen list. What others need only for one of their extras counts as needed, since it is
    not known which extras they were installed with: better a package too many on the machines.
    """
    needs = _Needs(distributions, markers)
    ours = needs.closure([OURSELVES])
    asked_for = {name for name in ours - {OURSELVES} if needs.by_name[name].requested}
    if asked_for == ours - {OURSELVES}:
        asked_for = set()
    theirs = {name for name in needs.by_name if name not in ours}
    return frozenset(ours - needs.closure({*theirs, *asked_for, *FOR_ENGINES}, any_extra=True))


class _Needs:
    def __init__(self, distributions: Iterable[Distribution], markers: Mapping[str, str]) -> None:
        self.by_name = {item.name: item for item in distributions}
        self._markers = dict(markers)

    def closure(self, names: Iterable[str], any_extra: bool = False) -> set[str]:
        """Return those of these that are installed, and all that they need, directly or not.

        Extras count if somebody on the way asks for them, or all do.
        """
        found: set[tuple[str, str]] = set()
        waiting = [(name, "") for name in names]
        while waiting:
            name, extra = waiting.pop()
            if (name, extra) in found or name not in self.by_name:
                continue
            found.add((name, extra))
            for needed in self._of(self.by_name[name], extra, any_extra):
                other = canonicalize_name(needed.name)
                waiting.extend((other, wanted) for wanted in ("", *needed.extras))
        return {name for name, _ in found}

    def _of(self, item: Distribution, extra: str, any_extra: bool) -> Iterator[Requirement]:
        for text in item.requires:
            name = NAME.match(text)  # parsing all takes long: most extras are not installed
            if name is None or canonicalize_name(name[1]) not in self.by_name:
                continue
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue
            named = [one or other for one, other in EXTRA.findall(text)] if any_extra else []
            if any(self._applies(requirement, one) for one in {extra, *named}):
                yield requirement

    def _applies(self, requirement: Requirement, extra: str) -> bool:
        if requirement.marker is None:
            return True
        try:
            return requirement.marker.evaluate({**self._markers, "extra": extra})
        except UndefinedEnvironmentName:
            return True

"""What is installed here, pinned: the same versions for the machines, and what only Linux needs.

Each distribution is a pin: its version, or a wheel that is made here. A pin that can't be had is
made into a wheel of the installed files if they run there; else it is one of the accepted versions,
or left out and named, with all others.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ..errors import ConfigurationError
from .carry import Carrier
from .installed import Distribution, Installed
from .lock import markers_of
from .missing import ALONE, NEVER, all_missing, missing_of
from .needs import Needs
from .resolve import ONLY_WHEELS, Found, Resolver, Unsolvable
from .selection import Selection
from .uv import one_line
from .wanted import clashes

ROUNDS = 4  # in which uv is asked again without what it has just named; then for each pin


@dataclass
class Pinned:
    """What came of it. `gone` are installed here and can't be had; `accepted` and `overruled` are
    in another version there than here, by sync_accept and by requirements. Of `patched` the index's
    wheel has to get what was changed here."""

    packages: list[Found] = field(default_factory=list)
    pins: dict[str, str] = field(default_factory=dict)
    carried: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    overruled: dict[str, str] = field(default_factory=dict)
    patched: dict[str, Distribution] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    excluded_but_needed: list[str] = field(default_factory=list)
    unresolved: str = ""

    def names(self) -> set[str]:
        return {package.name for package in self.packages}


class Pinning:
    """The pins of one environment on their way to packages."""

    def __init__(
        self,
        kept: Iterable[Distribution],
        installed: Installed,
        selection: Selection,
        wanted: list[Requirement],
        resolver: Resolver,
        carrier: Carrier,
    ) -> None:
        self._kept = {item.name: item for item in kept}
        self._resolver, self.carrier = resolver, carrier
        self._wanted = wanted
        self._accept: dict[str, Requirement] = {
            canonicalize_name(item.name): item for item in map(Requirement, selection.sync_accept)
        }
        self.needs = Needs(self._kept.values(), markers_of(resolver.target), wanted)
        self.never: set[str] = {canonicalize_name(name) for name in selection.sync_exclude}
        self.never |= self._missing_here(installed)
        self.overrides: list[str] = []
        self._refused: set[str] = set()
        self._any_build: set[str] = set()
        self._options: tuple[str, ...] = ONLY_WHEELS
        self.result = Pinned()
        self._note_needs_of_excluded(selection)

    def run(self) -> Pinned:
        """Raises ConfigurationError if the requirements can't be met."""
        for item in self._kept.values():
            self._pin(item)
        for attempt in range(len(self._kept) + 1):
            try:
                packages = self._resolve()
            except Unsolvable as error:
                if not self._take_any_build():
                    self._go_on_without(error, attempt)
                continue
            if not self._refuse_other_builds(packages):
                self.result.packages = packages
                break
        return self.result

    def _refuse_other_builds(self, packages: Iterable[Found]) -> bool:
        """Have uv go without what == allows as well, such as 2.1+cpu for 2.1; say if it was so."""
        other = {
            package.name: package.version
            for package in packages
            if f"=={self._version(package.name)}" in self.result.pins.get(package.name, "")
            and package.name not in self._any_build
            and Version(package.version) != Version(self._version(package.name))
        }
        for name, version in other.items():
            self.result.pins[name] += f",!={version}"
        self._refused |= other.keys()
        return bool(other)

    def _take_any_build(self) -> bool:
        """Take another build of a version after all, if that is all there is; say if it was so."""
        pins = {name: self.result.pins[name] for name in self._refused}
        only = all_missing(self._resolver, pins)
        for name in only:
            self.result.pins[name] = self.result.pins[name].partition(",!=")[0]
        self._any_build |= only
        self._refused -= only
        return bool(only)

    def _version(self, name: str) -> str:
        return self._kept[name].version if name in self._kept else ""

    def prefer(self, items: Iterable[Distribution]) -> None:
        """Have what isn't asked for come in the versions of here if something needs it."""
        asked = {canonicalize_name(rule.name) for rule in self._wanted}
        self.overrides += [
            f"{item.name}=={item.version}"
            for item in items
            if item.from_index and _is_version(item.version) and item.name not in asked
        ]

    def is_pin(self, name: str) -> bool:
        """Whether an index was asked for it."""
        item = self._kept[name]
        return item.from_index and _is_version(item.version)

    def _pin(self, item: Distribution) -> None:
        rules = [rule for rule in self._wanted if canonicalize_name(rule.name) == item.name]
        if any(clashes(rule, item.name, item.version) for rule in rules):
            self.result.overruled[item.name] = " and ".join(map(str, rules))
            self.overrides += [str(rule) for rule in rules]
            return
        if item.from_index and _is_version(item.version):
            if item.patched and not self._carry(item, self.carrier.repacked):
                self.result.patched[item.name] = item
            if item.name not in self.result.pins:
                self.result.pins[item.name] = f"{self._named(item.name)}=={item.version}"
        elif not self._carry(item, self.carrier.carried):
            self.result.gone.add(item.name)

    def _carry(self, item: Distribution, make: Callable[[Distribution], Path | None]) -> bool:
        wheel = make(item)
        if wheel is None:
            return False
        self.result.pins[item.name] = f"{self._named(item.name)} @ {wheel.as_uri()}"
        self.result.carried.add(item.name)
        return True

    def _built(self, item: Distribution) -> Path | None:
        """A wheel of the index's sources, of what has no wheel and is not compiled."""
        if not all(tag.endswith("-none-any") for tag in item.tags):
            return None
        try:
            requirement = f"{item.name}=={item.version}"
            (found,) = self._resolver.resolve([requirement], options=["--no-deps"])
            if found.source is None or found.wheels:
                return None
            return self.carrier.built(item.name, item.version, found.source).path
        except (Unsolvable, ConfigurationError) as error:
            self.carrier.faults.setdefault(item.name, one_line(str(error)))
            return None

    def _named(self, name: str) -> str:
        """With the extras that somebody asks for: an override would take them away."""
        extras = sorted(self.needs.extras.get(name, ()))
        return f"{name}[{','.join(extras)}]" if extras else name

    def _resolve(self) -> list[Found]:
        self.carrier.telling.now("Finding the packages for the machines")
        pins = list(self.result.pins.values())
        wanted = [str(rule) for rule in self._wanted]
        never = [NEVER.format(name) for name in sorted(self.never | self.result.gone)]
        if self.result.unresolved:
            return self._resolver.resolve(pins, pins, ALONE)
        overrides = [*pins, *self.overrides, *never]
        return self._resolver.resolve([*pins, *wanted], overrides, self._options)

    def _go_on_without(self, error: Unsolvable, attempt: int) -> None:
        """Find out which pins can't be had, and take something else for each."""
        pins = {name: text for name, text in self.result.pins.items() if " @ " not in text}
        if attempt < ROUNDS:
            missing = missing_of(self._resolver, pins, str(error))
        else:
            missing = all_missing(self._resolver, pins)
        if not missing:
            self._leave_dependencies(error)
        for name in missing:
            del self.result.pins[name]
            if name not in self.result.accepted and (
                self._carry(self._kept[name], self.carrier.repacked)
                or self._carry(self._kept[name], self._built)
            ):
                continue
            accepted = self._accept.get(name)
            if accepted is None or name in self.result.accepted:
                self.result.accepted.discard(name)
                self.result.gone.add(name)
            else:
                self.result.pins[name] = f"{self._named(name)}{accepted.specifier}"
                self.result.accepted.add(name)

    def _leave_dependencies(self, error: Unsolvable) -> None:
        """All pins can be had, so the fault is in what else is needed: that is left out, and said.

        Requirements of the user's are not.
        """
        if self._options:
            self._options = ()  # something else that is needed may have sources alone
            return
        why = one_line(str(error))
        if self._wanted or self.result.unresolved:
            raise ConfigurationError(f"requirements can't be met for the machines: {why}.")
        self.result.unresolved = why

    def _note_needs_of_excluded(self, selection: Selection) -> None:
        for name in sorted({canonicalize_name(name) for name in selection.sync_exclude}):
            if by := sorted(self.needs.needed_by.get(name, ())):
                self.result.excluded_but_needed.append(
                    f"sync_exclude leaves out {name}, which {', '.join(by)} "
                    f"{'needs' if len(by) == 1 else 'need'}."
                )

    def _missing_here(self, installed: Installed) -> set[str]:
        """What is needed and missing here as well, so that nothing uses it: pip check names it."""
        here = Needs(self._kept.values(), installed.markers)
        asked = {canonicalize_name(rule.name) for rule in self._wanted}
        return {
            name
            for name, by in self.needs.needed_by.items()
            if installed.named(name) is None
            and name not in asked
            and by <= here.needed_by.get(name, set())
        }


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True

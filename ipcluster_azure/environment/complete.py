"""What python_lock names, and what is wanted besides: ipyparallel and the requirements."""

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ..errors import ConfigurationError
from .missing import NEVER
from .resolve import Found, Resolver, Unsolvable
from .uv import one_line
from .wanted import clashes


@dataclass(frozen=True)
class Completed:
    """`overruled` are the rules that won over a version of the lock's, by names; `added` what came
    in with the rules."""

    packages: list[Found]
    overruled: dict[str, tuple[str, str]]
    added: set[str]


def completed(
    packages: Iterable[Found], wanted: Iterable[Requirement], resolver: Resolver
) -> Completed:
    """Return the packages with those that are wanted, and their needs; the lock's versions stay.

    Raises ConfigurationError if a requirement can't be met.
    """
    by_name = {package.name: package for package in packages}
    rules = [rule for rule in wanted if not _is_met(rule, by_name)]
    if not rules:
        return Completed(list(by_name.values()), {}, set())
    overruled = {
        name: (package.version, str(rule))
        for name, package in by_name.items()
        for rule in rules
        if package.version and clashes(rule, name, package.version)
    }
    kept = {name: package for name, package in by_name.items() if name not in overruled}
    overrides = [
        NEVER.format(name) if package.source else f"{name}=={package.version}"
        for name, package in kept.items()
    ]
    texts = list(map(str, rules))
    overrides += [rule for _, rule in overruled.values()]
    found = _resolved(texts, overrides, resolver)
    new = {package.name: package for package in found if package.name not in kept}
    return Completed([*kept.values(), *new.values()], overruled, set(new) - set(overruled))


def _resolved(texts: list[str], overrides: list[str], resolver: Resolver) -> list[Found]:
    try:
        return resolver.resolve(texts, overrides)
    except Unsolvable:
        try:
            return resolver.resolve(texts, overrides, options=())
        except Unsolvable as error:
            raise ConfigurationError(
                f"requirements can't be met for the machines: {one_line(str(error))}."
            ) from None


def _is_met(rule: Requirement, by_name: dict[str, Found]) -> bool:
    package = by_name.get(canonicalize_name(rule.name))
    if package is None or rule.extras or rule.url:
        return False
    return not package.version or rule.specifier.contains(package.version, prereleases=True)

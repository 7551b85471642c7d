"""Which pins the indexes don't have for the machines, all at once, and the nearest versions.

uv names one in a run: what it mentions is asked for alone, and if need be all, in halves.
"""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from packaging.version import Version

from .resolve import ONLY_WHEELS, Resolver, Unsolvable

ALONE = (*ONLY_WHEELS, "--no-deps")


def missing_of(resolver: Resolver, pins: Mapping[str, str], said: str) -> set[str]:
    """Return the names of the pins that can't be had; `pins` are requirements by their names.

    `said` is uv's explanation why all of them together can't be had.
    """
    words = {word.strip("`,;()").partition("[")[0] for word in said.split()}
    words = {word.partition("=")[0].partition("<")[0].partition(">")[0] for word in words}
    suspects = [name for name in pins if name in words]
    return _missing(resolver, pins, suspects) or _missing(
        resolver, pins, [name for name in pins if name not in suspects]
    )


def all_missing(resolver: Resolver, pins: Mapping[str, str]) -> set[str]:
    return _missing(resolver, pins, list(pins))


def _missing(resolver: Resolver, pins: Mapping[str, str], names: list[str]) -> set[str]:
    if not names:
        return set()
    try:
        resolver.resolve([pins[name] for name in names], options=ALONE)
    except Unsolvable:
        if len(names) == 1:
            return set(names)
        halves = names[: len(names) // 2], names[len(names) // 2 :]
        with ThreadPoolExecutor(2) as threads:
            found = threads.map(lambda half: _missing(resolver, pins, half), halves)
            return set().union(*found)
    return set()


def nearest(
    resolver: Resolver, name: str, version: str, pins: Mapping[str, str], left_out: Collection[str]
) -> str:
    """Return the version nearest to one that can't be had, that the other pins allow; or nothing.

    That is the first one after it, unless it is of another major version and there is one before.
    """
    public = Version(version).public
    others = [text for other, text in pins.items() if other != name]
    excluded = [NEVER.format(other) for other in left_out if other != name]
    found = []
    for sign, order in ((">", "lowest-direct"), ("<", "highest")):
        requirement = f"{name}{sign}{public}"
        options = (*ONLY_WHEELS, f"--resolution={order}")
        try:
            packages = resolver.resolve([*others, requirement], [*others, *excluded], options)
        except Unsolvable:
            continue
        found += [package.version for package in packages if package.name == name]
    same_major = [text for text in found if Version(text).major == Version(version).major]
    return next(iter(same_major or found), "")


# an override that leaves a package out, whoever needs it
NEVER = "{} ; python_version < '0'"

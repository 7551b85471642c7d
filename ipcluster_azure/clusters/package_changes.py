"""How the packages of a machine differ from those that it is to have. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from packaging.utils import canonicalize_name

from ..formatting import counted, some
from ..ssh.machine_lock import digest_of

MOST_NAMED = 6
# what the controller's own process has loaded, and talks to all others with
OF_CONTROLLER = ("ipyparallel", "pyzmq")


@dataclass(frozen=True)
class Wanted:
    """The packages of a lock as machine_lock made it: versions and hashes by normalized name."""

    lock: bytes
    digest: str
    versions: Mapping[str, str]
    hashes: Mapping[str, str]

    @classmethod
    def of(cls, lock: bytes) -> "Wanted":
        content = json.loads(lock)
        packages = {canonicalize_name(one["name"]): one for one in content["packages"]}
        versions = {str(name): one["version"] for name, one in packages.items()}
        hashes = {str(name): one["sha256"] for name, one in packages.items()}
        return cls(lock, digest_of(lock), versions, hashes)


@dataclass(frozen=True)
class Changes:
    """`added` has versions by name; `changed` the old and the new version, which are the same if
    only the wheel is another; `removed` the old version."""

    added: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    removed: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __str__(self) -> str:
        """2 packages added (pandas 2.3.1, pytz 2025.2), 1 changed (numpy 2.2.6 -> 2.3.0)."""
        changed = [
            f"{name} {old} -> {new}" if old != new else f"{name} {new}, another wheel of it"
            for name, (old, new) in self.changed.items()
        ]
        parts = {
            "added": [f"{name} {version}" for name, version in self.added.items()],
            "changed": changed,
            "removed": [f"{name} {version}" for name, version in self.removed.items()],
        }
        texts = [
            f"{len(items)} {word} ({some(items, MOST_NAMED)})"
            for word, items in parts.items()
            if items
        ]
        count, _, rest = (texts or ["0 changed"])[0].partition(" ")
        return ", ".join([f"{counted(int(count), 'package')} {rest}", *texts[1:]])


def changes(looked: Mapping[str, Any], wanted: Wanted) -> Changes:
    """Compare what a machine was found to have (ssh/package_updates.py, look) with a lock."""
    there: dict[str, str] = looked["versions"]
    made = looked["made"]
    hashes = {str(canonicalize_name(n)): it for n, it in made[1].items()} if made else {}
    names = hashes.keys() if made else there.keys()

    def same(name: str) -> bool:
        if made:
            return bool(hashes[name] == wanted.hashes[name])
        return there[name] == wanted.versions[name]

    def version(name: str) -> str:
        return there.get(name, "")

    both = sorted(wanted.versions.keys() & names)
    return Changes(
        {name: wanted.versions[name] for name in sorted(wanted.versions.keys() - names)},
        {name: (version(name), wanted.versions[name]) for name in both if not same(name)},
        {name: version(name) for name in sorted(names - wanted.versions.keys())},
    )


def is_up_to_date(looked: Mapping[str, Any], wanted: Wanted) -> bool:
    return looked["made"] is not None and not changes(looked, wanted)


def needs_new_start(found: Changes) -> list[str]:
    """Return in words what changes of the packages that a running controller can't exchange."""
    return [
        f"{name} {' -> '.join(found.changed[name])}"
        for name in OF_CONTROLLER
        if name in found.changed
    ]


def spans(ids: Iterable[int]) -> str:
    """Return ids in words: 0 to 3, 7."""
    found: list[list[int]] = []
    for one in sorted(ids):
        if found and one == found[-1][-1] + 1:
            found[-1].append(one)
        else:
            found.append([one])
    return ", ".join(
        f"{span[0]} to {span[-1]}" if len(span) > 2 else ", ".join(map(str, span)) for span in found
    )

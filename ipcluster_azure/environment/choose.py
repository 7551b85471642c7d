"""The best wheel of several for the machines, as an installer there would choose it."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TypeVar

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from .selection import Target

OLD_NAMES = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
# PEP 600: what can't be older, since no C library of that age knows the architecture
OLDEST_GLIBC = {"x86_64": 5, "i686": 5}
File = TypeVar("File")


class Chooser:
    """Knows which wheels a target can load, and which of them it would rather have."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def best(self, wheels: Mapping[str, File]) -> File | None:
        """Return the wheel that fits best of those by these file names; None if none does."""
        ranked = [(self._rank(name), name) for name in wheels]
        fitting = [(rank, name) for rank, name in ranked if rank is not None]
        return wheels[min(fitting)[1]] if fitting else None

    def fits(self, tags: Iterable[str]) -> bool:
        """Say whether what was built for these tags, such as cp311-cp311-linux_x86_64, loads."""
        return any(tag in self._ranks for text in tags for tag in _tags(text))

    def _rank(self, file_name: str) -> tuple[int, int, str] | None:
        """Smaller is better; a build number decides only between equal tags."""
        try:
            _, _, build, tags = parse_wheel_filename(file_name)
        except InvalidWheelFilename:
            return None
        ranks = [self._ranks[tag] for tag in tags if tag in self._ranks]
        number, suffix = build or (0, "")
        return (min(ranks), -number, suffix) if ranks else None

    @cached_property
    def _ranks(self) -> dict[Tag, int]:
        major, minor = (int(part) for part in self.target.python.split("."))
        interpreter, platforms = f"cp{major}{minor}", list(_platforms(self.target))
        tags = [
            # its abis named, or they would be those of the interpreter that runs this
            *cpython_tags((major, minor), [interpreter], platforms),
            *compatible_tags((major, minor), interpreter, platforms),
        ]
        return {tag: rank for rank, tag in reversed(list(enumerate(tags)))}


def _platforms(target: Target) -> Iterable[str]:
    """From the newest C library that it could have been built for to the oldest."""
    major, newest = target.glibc
    for minor in range(newest, OLDEST_GLIBC.get(target.architecture, 17) - 1, -1):
        yield f"manylinux_{major}_{minor}_{target.architecture}"
        if (major, minor) in OLD_NAMES:
            yield f"{OLD_NAMES[major, minor]}_{target.architecture}"
    yield f"linux_{target.architecture}"


def _tags(text: str) -> Iterable[Tag]:
    parts = text.split("-")
    if len(parts) != 3:
        return
    for interpreter in parts[0].split("."):
        for abi in parts[1].split("."):
            for platform in parts[2].split("."):
                yield Tag(interpreter, abi, platform)

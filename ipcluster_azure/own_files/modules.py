"""The default of sync_paths: what a notebook or script in a folder can import from there.

Those are the folder's .py files and compiled modules, and those in folders below it whose names can
be imported; of a package with an __init__.py also its small data files, which it may read.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigurationError
from .folders import is_left_out, listing

IMPORTED = (".py", ".so")
SMALL_BYTES = 1_000_000  # of a data file in a package
MOST_LOOKS = 50_000  # at files and folders: a folder of pictures must not hold up a start
# a profile's folder: its files are sent in another way, or are secrets
PROFILE_MARK = "ipcluster_config.py"


def importable(name: str) -> bool:
    """Return whether a path ends as a module does."""
    return name.endswith(IMPORTED)


@dataclass
class Modules:
    """Looks for the modules of `folder`, and of the folders of `python_path` that lie in it.

    `files` are paths here by their names there, `search` the further folders there to import from,
    `unread` the folders here that can't be read.
    """

    folder: Path
    python_path: tuple[str, ...] = ()
    never: tuple[Path, ...] = ()
    files: dict[str, Path] = field(default_factory=dict)
    search: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    _looks: int = 0

    def find(self) -> "Modules":
        """Look, once. Raises ConfigurationError if there is far too much to look at."""
        home = Path(os.path.realpath(os.path.expanduser("~")))
        # what lies in a home directory, or around it, is not all one project
        wide = Path(os.path.realpath(self.folder)) in (home, *home.parents)
        self._look(self.folder, "", packages_only=wide)
        self.search = tuple(name for name in map(self._below, self.python_path) if name)
        for name in self.search:
            self._look(self.folder / name, f"{name}/", packages_only=False)
        return self

    def _below(self, path: str) -> str:
        """Return a folder's path in ours, if modules that lie there are sent; else nothing."""
        absolute = Path(os.path.abspath(self.folder / path))
        if absolute == self.folder or not absolute.is_relative_to(self.folder):
            return ""
        below = absolute.relative_to(self.folder)
        way = [self.folder / part for part in (below, *below.parents) if part.name]
        if not absolute.is_dir() or not all(_leads_on(folder) for folder in way):
            return ""
        return below.as_posix()

    def _look(
        self,
        folder: Path,
        prefix: str,
        *,
        packages_only: bool,
        in_package: bool = False,
        above: frozenset[str] = frozenset(),
    ) -> None:
        real = os.path.realpath(folder)
        is_ours = real in map(str, self.never)
        if real in above or (prefix and is_ours):
            return
        entries = self._entries(folder)
        if (
            prefix
            and not in_package
            and (PROFILE_MARK in entries or _alien(entries, packages_only))
        ):
            return
        in_package = in_package or (bool(prefix) and "__init__.py" in entries)
        for name, entry in entries.items():
            if entry.is_dir():
                if (name.isidentifier() or in_package) and not is_ours:
                    self._look(
                        Path(entry.path),
                        f"{prefix}{name}/",
                        packages_only=packages_only,
                        in_package=in_package,
                        above=above | {real},
                    )
            elif _is_wanted(entry, in_package):
                self.files[prefix + name] = Path(entry.path)

    def _entries(self, folder: Path) -> "dict[str, os.DirEntry[str]]":
        """Return what lies in a folder by its name; nothing if it can't be read, which is noted."""
        try:
            entries = {entry.name: entry for entry in listing(folder)}
        except OSError as error:
            self.unread += (f"{folder} ({error.strerror})",)
            return {}
        self._looks += len(entries)
        if self._looks > MOST_LOOKS:
            raise ConfigurationError(
                f"{self.folder} has more than {MOST_LOOKS:,} files and folders to be looked at"
            )
        return entries


def _alien(entries: Mapping[str, object], packages_only: bool) -> bool:
    return packages_only and "__init__.py" not in entries


def _is_wanted(entry: "os.DirEntry[str]", in_package: bool) -> bool:
    if not importable(entry.name) and not in_package:
        return False
    if not entry.is_file():
        return False
    return importable(entry.name) or entry.stat().st_size <= SMALL_BYTES


def _leads_on(folder: Path) -> bool:
    """Return whether a folder holds anything that may be sent: an environment does not."""
    try:
        return not is_left_out(folder.name) and bool(listing(folder))
    except OSError:
        return False

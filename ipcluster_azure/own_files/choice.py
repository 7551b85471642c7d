"""READ FIRST: the setting sync_paths -> which files go to the engines, under which names.

Names are paths below the engines' working directory, with / on every system. A file keeps the path
that it has below the folder here; one from outside goes by its last name. Nothing is read here.
"""

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigurationError
from .folders import everything, is_left_out
from .modules import Modules, importable

AUTO = "auto"  # in sync_paths: the modules of the working directory
# of the machines' home directory, which is the engines' working directory: theirs, not the user's
RESERVED = frozenset(".ssh .ipcluster-azure .bashrc .profile .bash_profile .bash_login".split())


@dataclass(frozen=True)
class Choice:
    """What is wanted: the settings sync_paths and sync_limit_mb, for the files of `folder`.

    `python_path` are the folders that the user's process imports from; `never` those that modules
    are not looked for in, such as the IPython directory.
    """

    folder: Path
    paths: tuple[str, ...]
    limit_mb: float
    python_path: tuple[str, ...] = ()
    never: tuple[Path, ...] = ()

    @property
    def is_default(self) -> bool:
        """Return whether the user has named nothing: then nothing is worth failing for."""
        return self.paths == (AUTO,)


@dataclass(frozen=True)
class Chosen:
    """Files here by their names there. `search` are the folders there that engines import from
    besides the working directory itself; `unread` those here that could not be looked into."""

    files: Mapping[str, Path]
    search: tuple[str, ...] = ()
    unread: tuple[str, ...] = field(default=())


def choose(choice: Choice) -> Chosen:
    """Find the files. Raises ConfigurationError that names all entries that can't be meant so."""
    found = _Found(choice.folder)
    unread: tuple[str, ...] = ()
    if AUTO in choice.paths:
        modules = Modules(choice.folder, choice.python_path, choice.never).find()
        for name, path in modules.files.items():
            found.add(name, path)
        found.search.extend(modules.search)
        unread = modules.unread
    for entry in choice.paths:
        if entry != AUTO:
            found.add_entry(entry)
    found.refuse_clashes()
    if found.problems:
        raise ConfigurationError(f"sync_paths: {'; '.join(found.problems)}.")
    return Chosen(found.files, tuple(dict.fromkeys(found.search)), unread)


@dataclass
class _Found:
    folder: Path
    files: dict[str, Path] = field(default_factory=dict)
    search: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, name: str, path: Path) -> None:
        before = self.files.setdefault(name, path)
        if before != path and not _same(before, path):
            self.problems.append(f"both {before} and {path} would be {name} on the machines")

    def add_entry(self, entry: str) -> None:
        """Add what one entry names: a file, a folder with all in it, or a pattern."""
        path = Path(os.path.abspath(self.folder / os.path.expanduser(entry)))
        if os.path.lexists(path):
            matches: Sequence[Path] = [path]
        else:
            matches = sorted(self._matching(entry))
            if not matches:
                self.problems.append(_nothing(entry, self.folder))
        for match in matches:
            self._add_match(entry, match)

    def _matching(self, entry: str) -> Iterator[Path]:
        pattern = os.path.expanduser(entry)
        if not glob.has_magic(pattern):
            return
        for match in glob.iglob(pattern, root_dir=self.folder, recursive=True):
            path = Path(os.path.abspath(self.folder / match))
            below = path.relative_to(self.folder) if path.is_relative_to(self.folder) else path
            if not any(is_left_out(parent.name) for parent in (path, *below.parents)):
                yield path

    def _add_match(self, entry: str, path: Path) -> None:
        name = self._name(path)
        if name.partition("/")[0] in RESERVED:
            self.problems.append(f"{entry} would be the machines' own {name}")
        elif path.is_dir():
            files, unread = everything(path)
            self.problems.extend(f"{folder} can't be read" for folder in unread)
            for below, file in files.items():
                self.add(f"{name}/{below}".lstrip("/"), file)
            if name and "__init__.py" not in files and any(map(importable, files)):
                self.search.append(name)
        elif path.is_file():
            self.add(name, path)
        else:
            self.problems.append(f"{entry}: {path} is neither a file nor a folder")

    def _name(self, path: Path) -> str:
        if path.is_relative_to(self.folder):
            name = path.relative_to(self.folder).as_posix()
            return "" if name == "." else name
        return path.name

    def refuse_clashes(self) -> None:
        for name in self.files:
            folders = name.split("/")[:-1]
            for end in range(1, len(folders) + 1):
                if (parent := "/".join(folders[:end])) in self.files:
                    self.problems.append(f"{parent} would be a file and a folder on the machines")
        self.problems = list(dict.fromkeys(self.problems))


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _nothing(entry: str, folder: Path) -> str:
    hint = " (paths have / here)" if os.sep not in entry and "\\" in entry else ""
    return f"there is no {entry!r} in {folder}{hint}"

"""Wheels of what is installed here, from its files: what this process runs, patches included.

For what no index gives, or not to the machines. It needs no network, no source and no compiler.
"""

import configparser
import csv
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import ConfigurationError
from .installed import Distribution, Installed
from .report.files import DISTRIBUTORS
from .wheel_cache import kept
from .wheel_file import (
    ChangedMeanwhile,
    Entry,
    entry_of,
    file_entry,
    hashed,
    key_of,
    read_record,
    script_entry,
    wheel_name,
    write_wheel,
)

# what installers add to the metadata, and signatures of the RECORD that was
LEFT_OUT = frozenset(
    "RECORD RECORD.jws RECORD.p7s INSTALLER REQUESTED direct_url.json provenance_url.json "
    "uv_cache.json uv_build.json".split()
)
CACHE = "__pycache__"
COMPILED = (".so", ".pyd", ".dll", ".dylib")
SITES = ("site-packages", "dist-packages")
SCRIPTS = ("bin", "Scripts")
UNIX = r"(/.*)/lib(?:64)?/python[^/]*/(?:site|dist)-packages"


@dataclass(frozen=True)
class Repacked:
    """A wheel, its tags, and the recorded files that are not in it, as they are no package's."""

    path: Path
    tags: tuple[str, ...]
    left_out: tuple[str, ...]


def repack(distribution: Distribution, environment: Installed) -> Repacked:
    """Make a wheel of a distribution's installed files.

    Takes what lies among the modules, and what an installer put elsewhere below the interpreter's
    prefix. Not bytecode, nor what installers make anew: scripts of entry points, INSTALLER,
    direct_url.json and the like. The same files make the same bytes, and are packed once.
    Raises ConfigurationError if there is no RECORD, as in an editable installation or an egg, if a
    file can't be read, and for what conda or Debian compiled. Blocks: a second for 40 MB.
    """
    if distribution.kind == "editable" or not distribution.has_record:
        raise no_wheel(distribution, "its installation has no list of its files")
    packing = _Packing(distribution, environment)
    try:
        entries = list(packing.entries())
    except OSError as error:
        raise no_wheel(distribution, f"{error.filename}: {error.strerror}") from error
    except csv.Error as error:
        raise no_wheel(distribution, f"its RECORD is damaged: {error}") from error
    if packing.compiled and distribution.installer in DISTRIBUTORS:
        why = f"{distribution.installer} compiled it for libraries that are no Python packages"
        raise no_wheel(distribution, why)
    tags = distribution.tags or packing.likely_tags()
    name = wheel_name(distribution.name, distribution.version, tags)
    path = written(distribution, name, entries, distribution.info)
    return Repacked(path, tags, tuple(packing.left_out))


def written(distribution: Distribution, name: str, entries: Sequence[Entry], info: str) -> Path:
    """Write a wheel, unless it was before; entries of the metadata come last, as PEP 427 says."""
    ordered = []
    for entry in sorted(entries, key=lambda entry: (entry.name.startswith(f"{info}/"), entry.name)):
        try:
            ordered.append(hashed(entry))
        except OSError as error:
            raise no_wheel(distribution, f"{entry.name}: {error.strerror}") from error
    try:
        return kept(key_of(name, ordered), name, lambda path: write_wheel(path, ordered, info))
    except ChangedMeanwhile as error:
        raise no_wheel(distribution, f"{error} was written to meanwhile; start again") from None


class _Packing:
    """Finds which installed files belong into the wheel, and where."""

    def __init__(self, distribution: Distribution, environment: Installed) -> None:
        self._distribution, self._environment = distribution, environment
        self._location = os.path.realpath(distribution.location)
        self._root = _data_root(self._location, environment.data_roots)
        self._data = f"{distribution.info.removesuffix('.dist-info')}.data"
        self._generated = _entry_points(self._location, distribution.info)
        self.compiled = False
        self.left_out: list[str] = []

    def entries(self) -> Iterator[Entry]:
        """Yield an entry for each file that is there; those that were deleted by hand stay so."""
        info = self._distribution.info
        names = read_record(Path(self._location, info, "RECORD"))
        found = {}
        for name in dict.fromkeys([*names, *self._distribution.added]):
            try:
                place = self._place(name)
                if place is None:
                    continue
                inside, path = place
                status = os.stat(path)
                inside.encode()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except ValueError:  # a name that is no text, or holds a NUL
                self.left_out.append(name.encode(errors="replace").decode())
                continue
            if not stat.S_ISREG(status.st_mode):
                self.left_out.append(name)
                continue
            self.compiled |= inside.endswith(COMPILED)
            script = inside.startswith(f"{self._data}/scripts/")
            found[inside] = (
                script_entry(inside, path) if script else file_entry(inside, path, status)
            )
        wheel = f"{info}/WHEEL"
        if wheel not in found:
            found[wheel] = entry_of(wheel, self._wheel_text())
        yield from found.values()

    def likely_tags(self) -> tuple[str, ...]:
        """Return the tags of an installation that doesn't say any: conda's has none, at times."""
        if not self.compiled:
            return ("py3-none-any",)
        version = "cp" + "".join(self._environment.python.split(".")[:2])
        return (f"{version}-{version}-{self._environment.tags_platform}",)

    def _wheel_text(self) -> bytes:
        tags = "".join(f"Tag: {tag}\n" for tag in self.likely_tags())
        pure = "false" if self.compiled else "true"
        return f"Wheel-Version: 1.0\nGenerator: none\nRoot-Is-Purelib: {pure}\n{tags}".encode()

    def _place(self, name: str) -> tuple[str, Path] | None:
        """Return a recorded file's name in the wheel and its path here; None if it stays here."""
        path = os.path.normpath(os.path.join(self._location, name))
        inside = _below(path, self._location)
        if inside is not None:
            first = inside.parts[0] if inside.parts else ""
            made = first == self._distribution.info and inside.name in LEFT_OUT
            return None if made or CACHE in inside.parts else (str(inside), Path(path))
        below = self._below_root(path)
        if below is None or len(below.parts) < 2:
            self.left_out.append(name)
            return None
        if CACHE in below.parts or (_is_script(below) and self._makes(below.name)):
            return None
        return self._elsewhere(below), Path(path)

    def _below_root(self, path: str) -> PurePosixPath | None:
        """Return a path relative to the prefix; None if it, or where a link leads, isn't below."""
        if self._root is None or _below(os.path.realpath(path), self._root) is None:
            return None
        return _below(path, self._root)

    def _elsewhere(self, below: PurePosixPath) -> str:
        """Return the name in the wheel of a file that is not among the modules."""
        sites = [at for at, part in enumerate(below.parts) if part in SITES]
        if _is_script(below):
            return f"{self._data}/scripts/{below.name}"
        if sites:  # where pure and compiled modules have a folder each
            return f"{self._data}/platlib/{'/'.join(below.parts[sites[-1] + 1 :])}"
        return f"{self._data}/data/{below}"

    def _makes(self, script: str) -> bool:
        """Whether an installer makes this script of an entry point."""
        for end in (".exe", "-script.py", "-script.pyw", ".exe.manifest"):
            script = script.removesuffix(end)
        return script in self._generated


def _data_root(location: str, prefixes: Sequence[str]) -> str | None:
    """Return the folder that has the bin or Scripts of what is installed in `location`."""
    roots = [os.path.realpath(prefix) for prefix in prefixes]
    around = [root for root in roots if _below(location, root) is not None]
    if not around:  # a folder of packages that is on sys.path for itself
        return None
    if usual := re.fullmatch(UNIX, location):  # Debian's /usr/local has the prefix /usr
        around += [root for root in [usual[1]] if any(_below(root, one) for one in around)]
    return max(around, key=len)


def _is_script(below: PurePosixPath) -> bool:
    depth = 3 if below.parts[0].startswith("Python") else 2  # a Windows user's own Python311
    return len(below.parts) == depth and below.parent.name in SCRIPTS


def _below(path: str, root: str) -> PurePosixPath | None:
    """Return a path relative to a folder that it is below; None if it isn't."""
    try:
        common = os.path.commonpath([path, root])
    except ValueError:  # another drive
        return None
    if os.path.normcase(common) != os.path.normcase(os.path.normpath(root)):
        return None
    return PurePosixPath(os.path.relpath(path, root).replace(os.sep, "/"))


def _entry_points(location: str, info: str) -> frozenset[str]:
    parser = configparser.ConfigParser(delimiters="=", interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read(Path(location, info, "entry_points.txt"), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return frozenset()
    sections = [s for s in ("console_scripts", "gui_scripts") if parser.has_section(s)]
    return frozenset(name for section in sections for name in parser.options(section))


def no_wheel(distribution: Distribution, why: str) -> ConfigurationError:
    named = f"{distribution.name} {distribution.version}"
    return ConfigurationError(
        f"No wheel can be made of the installed {named}: {why}. Install it anew, or leave it out: "
        f"sync_exclude = ['{distribution.name}']."
    )

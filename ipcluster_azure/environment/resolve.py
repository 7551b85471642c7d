"""Requirements -> packages with all their files, by `uv pip compile` for the machines' Linux."""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from ..private_files import write_private
from .index_faults import check_indexes
from .indexes import Indexes
from .lock import Wheel, full_version, hashes_of, read_toml
from .selection import Target
from .uv import UvFailed, run_uv

# uv's names of platforms have some versions of the C library; it takes the wheels of older ones
ONLY_WHEELS = ("--only-binary=:all:",)
GLIBC = (40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28, 17)


@dataclass(frozen=True)
class Source:
    """A commit of a git repository, a folder of this computer, or an archive."""

    repository: str = field(default="", repr=False)
    commit: str = ""
    subdirectory: str = ""
    folder: Path | None = None
    archive: Wheel | None = None


@dataclass(frozen=True)
class Found:
    """A package with the wheels that there are of it, by their file names, and other sources.

    `source` is from what another could be built.
    """

    name: str
    version: str
    wheels: Mapping[str, Wheel] = field(default_factory=dict)
    source: Source | None = None


class Unsolvable(Exception):
    """No set of versions meets all requirements; the text is uv's explanation."""


@dataclass(frozen=True)
class Resolver:
    """Asks uv for one target, with the indexes of here.

    `folder` is where uv runs: a project there counts, and relative paths start there.
    """

    target: Target
    indexes: Indexes
    python: str
    folder: Path

    def resolve(
        self,
        requirements: Iterable[str],
        overrides: Iterable[str] = (),
        options: Iterable[str] = ONLY_WHEELS,
    ) -> list[Found]:
        """Return what meets them; overrides stand for all requirements of the same names.

        `options` are uv's; without the usual one, versions that only have sources count, too.
        Raises Unsolvable, and ConfigurationError if an index does not answer, or refuses.
        """
        with tempfile.TemporaryDirectory(prefix="ipcluster-azure-") as name:
            files = Path(name)
            write_private(files / "requirements.in", "".join(f"{text}\n" for text in requirements))
            write_private(files / "overrides.in", "".join(f"{text}\n" for text in overrides))
            given: list[str | Path] = [
                files / "requirements.in",
                "--override",
                files / "overrides.in",
            ]
            return packages_of(read_toml(self.compile(given, files, options)), files)

    def compile(
        self, given: Iterable[str | Path], folder: Path, options: Iterable[str] = ()
    ) -> Path:
        """Have uv write a pylock.toml into the folder, of input files given as its arguments."""
        output = folder / "pylock.toml"
        arguments = [
            *("pip", "compile", *given, *self.indexes.options, *options),
            "--prerelease=if-necessary-or-explicit",
            *("--python", self.python, "--no-python-downloads", "--no-header", "--quiet"),
            *("--python-version", full_version(self.target)),
            *("--python-platform", platform_of(self.target)),
            *("--format", "pylock.toml", "--output-file", output),
        ]
        try:
            run_uv(arguments, self.indexes.environment, self.folder)
        except UvFailed as error:
            check_indexes(self.indexes, error.said)
            raise Unsolvable(error.said) from None
        return output


def platform_of(target: Target) -> str:
    """uv's name of it, for the newest C library that it knows and the machines have."""
    minor = next((minor for minor in GLIBC if (2, minor) <= target.glibc), GLIBC[-1])
    return f"{target.architecture}-manylinux_2_{minor}"


def packages_of(lock: Mapping[str, Any], folder: Path) -> list[Found]:
    """Return the packages of a pylock.toml that lies in this folder."""
    return [_found(package, folder) for package in lock.get("packages", [])]


def _found(package: Mapping[str, Any], folder: Path) -> Found:
    wheels = [_wheel(entry, folder) for entry in package.get("wheels", [])]
    source = None
    if archive := package.get("archive"):
        wheel = _wheel(archive, folder)
        if wheel.name.endswith(".whl"):
            wheels.append(wheel)
        else:
            source = Source(archive=wheel, subdirectory=archive.get("subdirectory", ""))
    elif vcs := package.get("vcs"):
        url = vcs.get("url") or (folder / vcs["path"]).as_uri()
        source = Source(url, vcs["commit-id"], vcs.get("subdirectory", ""))
    elif directory := package.get("directory"):
        path = folder / directory["path"] / directory.get("subdirectory", "")
        source = Source(folder=path.resolve())
    elif sdist := package.get("sdist"):
        source = Source(archive=_wheel(sdist, folder))
    name, version = canonicalize_name(package["name"]), package.get("version", "")
    return Found(name, version, {wheel.name: wheel for wheel in wheels}, source)


def _wheel(entry: Mapping[str, Any], folder: Path) -> Wheel:
    url, path = entry.get("url", ""), entry.get("path", "")
    place = unquote(urlsplit(url).path) or path.replace("\\", "/")
    name = entry.get("name") or place.rpartition("/")[2]
    file = (folder / path).resolve() if path else None
    return Wheel(name, hashes_of(entry), url, file, int(entry.get("size", 0)))

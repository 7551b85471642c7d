"""Wheels of what has only sources: editable projects, local folders, git repositories, sdists.

Built by uv from a copy, for the Python whose environment it is. The same sources make the same
bytes, and are built once.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import uv
from packaging.utils import canonicalize_name

from ..errors import ConfigurationError
from . import git, sources
from .build_reasons import reason
from .installed import Installed
from .long_command import PROGRESS_S, CommandFailed, Say, run_long
from .selection import Target
from .wheel_cache import folder_of

LIMIT_S = 900.0  # for a large extension on a slow computer
LOG = "build.log"


@dataclass(frozen=True)
class Builder:
    """Builds wheels for a target with the Python of an environment.

    `fits` says of wheel tags whether the target can load them. `variables` are what uv is told of
    indexes, passwords included. `say` gets a line at least every 4 s while something is built. Its
    methods block, return the wheel's path, and raise ConfigurationError: one line with the reason,
    and the path of a log with all that was printed.
    """

    environment: Installed
    target: Target
    fits: Callable[[Iterable[str]], bool]
    say: Say
    variables: Mapping[str, str] = field(default_factory=dict)

    def folder(self, name: str, version: str, folder: Path) -> Path:
        """Build from a project's folder, in which nothing is written.

        The wheel has the version `version`, the installed one, where the project takes its own from
        git's tags: they may have gone on since it was installed. Without one it is what they say.
        """
        try:
            return self._from_folder(name, version, folder)
        except sources.Unusable as error:
            raise _failed(name, str(error)) from error

    def _from_folder(self, name: str, version: str, folder: Path) -> Path:
        described = "" if version else git.described(folder)
        for _ in range(3):  # somebody may be writing to the sources
            files = sources.source_files(folder)
            parts = ("folder", name, version, described)
            key = self._key(*parts, sources.hash_of(files))
            with self._building(name, key) as (place, built):
                if built:
                    return self._checked(name, built)
                copies = sources.copy(files, place / "source")
                if self._key(*parts, sources.hash_of(copies)) != key:
                    continue
                self._give_repository(name, version, place, folder)
                pinned = _pinned(name, version, place / "source") if version else {}
                return self._build(name, place, place / "source", pinned)
        raise _failed(name, f"{folder} is written to all the time")

    def sdist(self, name: str, archive: Path) -> Path:
        """Build from a source distribution."""
        try:
            key = self._key("sdist", sources.hash_of({archive.name: archive}))
        except sources.Unusable as error:
            raise _failed(name, str(error)) from error
        with self._building(name, key) as (place, built):
            return self._checked(name, built) if built else self._build(name, place, archive, {})

    def repository(self, name: str, url: str, commit: str, subdirectory: str = "") -> Path:
        """Build from a repository, as direct_url.json or a lock names it: `commit` in full."""
        remote = git.remote_of(url)
        key = self._key("git", remote.url, commit, subdirectory)
        with self._building(name, key) as (place, built):
            if built:
                return self._checked(name, built)
            source = place / "source"
            self._command(
                name, place, git.commands_to_get(remote, commit, source), remote.variables
            )
            return self._build(name, place, source / subdirectory, {})

    def _give_repository(self, name: str, version: str, place: Path, original: Path) -> None:
        """Make the copy a repository where the original is in one.

        Some backends ask git which files are a project's, and which version it is.
        """
        copy = place / "source"
        if not sources.in_git(original):
            return
        if version or not (original / ".git").exists():
            commands = git.commands_to_keep(copy, version or "0")
        else:
            commands = git.commands_to_share(original, copy)
        try:
            self._command(name, place, commands)
        except ConfigurationError:  # no git here; most can do without
            shutil.rmtree(copy / ".git", ignore_errors=True)

    def _key(self, *parts: str) -> str:
        here = self.environment
        python = (here.implementation, here.python, here.machine, here.tags_platform)
        return hashlib.sha256("\0".join([*python, *parts]).encode(errors="replace")).hexdigest()

    @contextmanager
    def _building(self, name: str, key: str) -> Iterator[tuple[Path, Path | None]]:
        """Yield a folder to build in, which nobody else has, and the wheel if one is there."""
        from filelock import FileLock, Timeout

        place = folder_of(key)
        lock = FileLock(place / ".lock")
        while not lock.is_locked:
            try:
                lock.acquire(timeout=PROGRESS_S)
            except Timeout:
                self.say(f"Building {name}: another start is at it")
        try:
            built = next(place.glob("*.whl"), None)
            if built is None:
                _clear(name, place)  # of a start that was killed
                (place / LOG).unlink(missing_ok=True)
            yield place, built
        finally:
            with suppress(ConfigurationError):
                _clear(name, place)
            lock.release()

    def _build(self, name: str, place: Path, source: Path, variables: Mapping[str, str]) -> Path:
        out, python = place / "out", self.environment.executable
        command: git.Command = [uv.find_uv_bin(), "build", "--wheel", "--python", python]
        self._command(name, place, [[*command, "--out-dir", out, source]], variables)
        (wheel,) = out.glob("*.whl")
        return self._checked(name, wheel.replace(place / wheel.name))

    def _command(
        self,
        name: str,
        place: Path,
        commands: Iterable[git.Command],
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Run commands one after the other, and raise ConfigurationError when one fails."""
        everything = {
            **git.without_repository(os.environ),
            **self.variables,
            "SOURCE_DATE_EPOCH": str(sources.BUILD_TIME),
            "GIT_AUTHOR_DATE": f"{sources.BUILD_TIME} +0000",
            "GIT_COMMITTER_DATE": f"{sources.BUILD_TIME} +0000",
            "NO_COLOR": "1",
            **(variables or {}),
        }
        log = place / LOG
        try:
            for command in commands:
                told = f"Building {name}: "
                run_long(command, place, log, everything, lambda t: self.say(told + t), LIMIT_S)  # noqa: B023
        except CommandFailed as failure:
            why = "" if failure.late else reason(failure.output)
            raise _failed(name, why or str(failure), log) from None
        except OSError as error:
            raise _failed(name, f"{error.filename}: {error.strerror}") from error

    def _checked(self, name: str, wheel: Path) -> Path:
        tags = "-".join(wheel.stem.split("-")[-3:])
        if self.fits(self.environment.portable([tags], self.target)):
            return wheel
        target = self.target
        libc = ".".join(str(part) for part in target.glibc)
        raise _failed(
            name,
            f"the sources give {wheel.name}, compiled for this computer, and the machines have "
            f"Python {target.python} on Linux, {target.architecture}, glibc {libc}",
        )


def _pinned(name: str, version: str, project: Path) -> dict[str, str]:
    """Return what tells tools that ask git for the version which one it is."""
    variable = re.sub(r"[-_.]+", "_", name).upper()
    pinned = {
        f"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_{variable}": version,
        "PDM_BUILD_SCM_VERSION": version,
        "PBR_VERSION": version,
        "POETRY_DYNAMIC_VERSIONING_BYPASS": version,
    }
    with suppress(OSError):
        # it does not pass the name on; else what the build needs would have that version as well
        if "hatch-vcs" in (project / "pyproject.toml").read_text("utf-8", "replace"):
            pinned["SETUPTOOLS_SCM_PRETEND_VERSION"] = version
    return pinned


def _clear(name: str, place: Path) -> None:
    """Remove what is only there while something is built."""
    for folder in (place / "source", place / "out"):
        for path in folder.rglob("*"):
            if not path.is_symlink() and not os.access(path, os.W_OK):
                path.chmod(0o700)  # git makes files read-only, which Windows minds
        try:
            if folder.exists():
                shutil.rmtree(folder)
        except OSError as error:
            why = f"{error.filename} can't be removed: {error.strerror}"
            raise _failed(name, why) from error


def _failed(name: str, why: str, log: Path | None = None) -> ConfigurationError:
    whole = f" All that was printed is in {log}." if log else ""
    return ConfigurationError(
        f"{name} can't be built: {why.rstrip('.')}.{whole} Mend that, or leave it out: "
        f"sync_exclude = ['{canonicalize_name(name)}']."
    )

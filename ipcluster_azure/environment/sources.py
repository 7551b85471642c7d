"""The sources of a project here, as far as a build needs them: found, hashed, copied."""

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .git import without_repository

SKIPPED = frozenset(
    ".git .hg .svn .bzr __pycache__ .venv .tox .nox .eggs .mypy_cache .pytest_cache .ruff_cache "
    ".ipynb_checkpoints .idea .vscode .DS_Store node_modules".split()
)
ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")  # which a folder has that is an environment
OF_BUILDS = ("build", "dist")  # what setuptools and others leave in a project's folder
LARGEST = 1 << 30  # bytes; data that lie beside the code are not to be copied at each change
BUILD_TIME = 1577836800  # what all times are for a build, in s since 1970: in 2020
CHUNK = 1 << 20


class Unusable(Exception):
    """Nothing can be built from a folder; the message says why."""


class TooLarge(Exception):
    """There are more than LARGEST bytes."""


def source_files(folder: Path) -> dict[str, Path]:
    """Return a project's files by their names below its folder, with slashes, in order.

    Links are followed. Left out is what a build makes anew or does not need: the history, virtual
    environments, caches, what an earlier build left. Of a very large folder only what git would
    keep is taken. Raises Unusable if that is too much as well, or can't be read.
    """
    if not folder.is_dir():
        raise Unusable(f"the folder {folder} isn't there (any more)")
    try:
        found = _limited(_walk(folder, "", frozenset()))
    except TooLarge:
        try:
            found = _limited(_known_to_git(folder))
        except TooLarge:
            raise Unusable(
                f"the folder {folder} has more than {LARGEST >> 20} MB, too much to build a wheel "
                "from: name its data in .gitignore, or move them out of it"
            ) from None
    except OSError as error:
        raise Unusable(f"{error.filename} can't be read: {error.strerror}") from error
    return dict(sorted(found.items()))


def hash_of(files: dict[str, Path]) -> str:
    """Return a hash of names, permissions to execute, and contents. Raises Unusable."""
    try:
        return _hash_of(files)
    except OSError as error:
        raise Unusable(f"{error.filename} can't be read: {error.strerror}") from error


def _hash_of(files: dict[str, Path]) -> str:
    digest = hashlib.sha256()
    for name, path in files.items():
        content = hashlib.sha256()
        with open(path, "rb") as file:
            executable = os.fstat(file.fileno()).st_mode & 0o100
            for chunk in iter(lambda: file.read(CHUNK), b""):  # read at once
                content.update(chunk)
        digest.update(os.fsencode(name) + b"\0%d\0" % executable + content.digest())
    return digest.hexdigest()


def copy(files: dict[str, Path], target: Path) -> dict[str, Path]:
    """Copy the files into a folder that is made, all with one time; return the copies by name.

    Raises Unusable if one can't be copied.
    """
    copies = {name: target / name for name in files}
    try:
        for name, path in files.items():
            copies[name].parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copies[name])
            copies[name].chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
            os.utime(copies[name], (BUILD_TIME, BUILD_TIME))
    except OSError as error:  # a full disk, or a file that has gone meanwhile
        raise Unusable(f"{error.filename} can't be copied: {error.strerror}") from error
    return copies


def in_git(folder: Path) -> bool:
    return any((parent / ".git").exists() for parent in (folder, *folder.parents))


def _walk(folder: Path, prefix: str, above: frozenset[str]) -> Iterator[tuple[str, Path]]:
    """Yield files; `above` are the real paths of the folders around, into which a link may lead."""
    real = os.path.realpath(folder)
    if real in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if _skipped(entry, prefix):
                continue
            name, path = f"{prefix}{entry.name}", Path(entry.path)
            if entry.is_dir():
                yield from _walk(path, f"{name}/", above | {real})
            elif entry.is_file():  # neither a pipe nor a link to nowhere
                yield name, path


def _skipped(entry: "os.DirEntry[str]", prefix: str) -> bool:
    if entry.name in SKIPPED:
        return True
    if not entry.is_dir():
        return False
    if prefix in ("", "src/") and entry.name.endswith(".egg-info"):
        return True
    if any(os.path.exists(os.path.join(entry.path, mark)) for mark in ENVIRONMENT_MARKS):
        return True
    package = os.path.exists(os.path.join(entry.path, "__init__.py"))
    return not prefix and entry.name in OF_BUILDS and not package


def _known_to_git(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files that git has, or would add; too large without git."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        variables = without_repository(os.environ)
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise TooLarge from None
    for name in filter(None, done.stdout.split(b"\0")):
        path = folder / os.fsdecode(name)
        if path.is_file():
            yield os.fsdecode(name), path


def _limited(files: Iterator[tuple[str, Path]]) -> dict[str, Path]:
    found, size = {}, 0
    for name, path in files:
        status = path.stat()
        size += status.st_size if stat.S_ISREG(status.st_mode) else 0
        if size > LARGEST:
            raise TooLarge
        found[name] = path
    return found

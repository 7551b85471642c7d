"""The files that were chosen -> their contents, as one archive for the machines."""

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigurationError
from ..formatting import counted, some
from .choice import Choice, Chosen, choose
from .hidden_modules import hidden
from .manifest import Manifest

MANIFEST = ".ipcluster-azure/files.json"  # on the machines, below the home directory
MOST_FILES = 5_000
LARGEST_NAMED = 3
READS = 3  # of a file that changes while it is read
MB = 1_000_000
LEVEL = 3  # of gzip: 4 times as fast as its default, and a tenth larger


@dataclass(frozen=True)
class Archive:
    """A compressed tar archive of files, its manifest the first, and its SHA-256."""

    data: bytes
    sha256: str


@dataclass(frozen=True)
class Collected:
    """`contents` of the files by their names there, and whether each can be executed.

    `warnings` are for the user, one line each.
    """

    manifest: Manifest = field(default_factory=Manifest)
    contents: Mapping[str, tuple[bytes, bool]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def archive(self, before: Manifest | None = None) -> Archive:
        """Pack the files, or only those that are otherwise than `before`."""
        names = self.manifest.changed_since(before or Manifest())
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            _add(archive, MANIFEST, self.manifest.to_json().encode(), False)
            for name in names:
                _add(archive, name, *self.contents[name])
        data = gzip.compress(buffer.getvalue(), LEVEL, mtime=0)
        return Archive(data, hashlib.sha256(data).hexdigest())


def collect(choice: Choice, *, lenient: bool = False) -> Collected:
    """Choose and read the files. Blocking.

    Raises ConfigurationError for what is too large, can't be read, or changes all the time. With
    `lenient` that is a warning, and then nothing is sent: for a start whose user named no files.
    """
    try:
        chosen = choose(choice)
        sizes = _sizes(chosen)
        _check_limits(choice, sizes)
    except ConfigurationError as error:
        if not lenient:
            raise
        advice = "c.AzureVMLauncher.sync_paths = [] sends nothing and says nothing"
        reason = str(error).rstrip(".")
        return Collected(
            warnings=(f"The modules of {choice.folder} are not sent: {reason}; {advice}",)
        )
    contents, unread = _contents(chosen)
    unread = [*chosen.unread, *unread]
    if unread and not choice.is_default:
        raise ConfigurationError(f"sync_paths: what can't be read can't be sent: {some(unread)}.")
    files = {
        name: (hashlib.sha256(data).hexdigest(), len(data)) for name, (data, _) in contents.items()
    }
    manifest = Manifest(files, chosen.search if files else ())
    warnings = [f"Not sent, as it can't be read: {some(unread)}"] if unread else []
    warnings += hidden(manifest)
    return Collected(manifest, contents, tuple(warnings))


def _sizes(chosen: Chosen) -> dict[str, int]:
    """Return the sizes of the files in bytes; those that are gone already have none."""
    sizes = {}
    for name, path in chosen.files.items():
        try:
            sizes[name] = path.stat().st_size
        except OSError:
            sizes[name] = 0
    return sizes


def _check_limits(choice: Choice, sizes: Mapping[str, int]) -> None:
    total = sum(sizes.values())
    if total <= choice.limit_mb * MB and len(sizes) <= MOST_FILES:
        return
    largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:LARGEST_NAMED]
    named = ", ".join(f"{name} ({sizes[name] / MB:.1f} MB)" for name in largest)
    limits = f"sync_limit_mb = {choice.limit_mb:g}"
    if len(sizes) > MOST_FILES:
        limits = f"the {MOST_FILES:,} files that are sent at most"
    raise ConfigurationError(
        f"{counted(len(sizes), 'file')} in {choice.folder} with {total / MB:.1f} MB are more than "
        f"{limits}; the largest: {named}. Name in c.AzureVMLauncher.sync_paths only what engines "
        "need, or raise the limit."
    )


def _contents(chosen: Chosen) -> tuple[dict[str, tuple[bytes, bool]], list[str]]:
    """Read the files; returns what they hold, and which can't be read, each with the reason."""
    contents: dict[str, tuple[bytes, bool]] = {}
    unread = []
    for name, path in chosen.files.items():
        try:
            name.encode()
            contents[name] = _read(path)
        except UnicodeEncodeError:
            unread.append(f"{os.fsencode(path)!r} (its name is no UTF-8)")
        except OSError as error:
            unread.append(f"{path} ({error.strerror or error})")
    return contents, unread


def _read(path: Path) -> tuple[bytes, bool]:
    """Return a file's content, all of one moment; raises OSError if it changes all the time."""
    for _ in range(READS):
        with open(path, "rb") as file:
            before = os.fstat(file.fileno())
            data = file.read()
            after = os.fstat(file.fileno())
        if (before.st_mtime_ns, len(data)) == (after.st_mtime_ns, after.st_size):
            return data, bool(before.st_mode & 0o100)
    raise OSError("it changes while it is read")


def _add(archive: tarfile.TarFile, name: str, data: bytes, executable: bool) -> None:
    # without times, the same files make the same bytes
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o700 if executable else 0o600
    archive.addfile(entry, io.BytesIO(data))

"""Which installed files are not as they were installed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from collections.abc import Iterator

from .metadata import Found

CHUNK = 1 << 20
# they compile packages themselves, for libraries of theirs, and strip what RECORD lists unstripped
DISTRIBUTORS = ("conda", "debian", "rpm", "portage")


class Everyone:
    """All chosen distributions, as files of one are known by not being another's."""

    def __init__(self, all_found: list[Found]) -> None:
        self._all_found = all_found
        self._owned: dict[str, set[str]] = {}
        self._conda: list[bytes] | None = None

    def differences(self, found: Found) -> tuple[list[str], list[str], list[str]]:
        """Return which of its files were changed, are gone, or were added by hand.

        Only modules and data beside them count: not bytecode, nor the metadata, in which
        installers write, nor scripts, whose first line they do.
        """
        changed, missing = [], []
        newest = found.recorded_at()
        root = found.location + os.sep
        for row in found.record or []:
            name = row[0]
            if (
                name.startswith(("../", found.info))
                or "__pycache__/" in name
                or os.path.isabs(name)
            ):
                continue
            try:
                status = os.stat(root + name)
            except (FileNotFoundError, NotADirectoryError):
                missing.append(name)
                continue
            except (OSError, ValueError):
                continue
            algorithm, _, digest = (row[1] if len(row) > 1 else "").partition("=")
            size = row[2] if len(row) > 2 else ""
            other_size = size.isdigit() and int(size) != status.st_size
            if not digest or not (other_size or status.st_mtime_ns > newest):
                continue
            if other_size or not has_digest(root + name, algorithm, digest):
                changed.append(name)
        if changed and found.installer in DISTRIBUTORS:
            changed = self._not_by_distributor(found, changed)
        return changed, missing, self._added(found) if changed else []

    def _not_by_distributor(self, found: Found, changed: list[str]) -> list[str]:
        """Return what was changed since conda, or another distributor, put it there.

        They change libraries, and conda texts that hold the prefix, after RECORD was written. What
        conda's files have become is in conda-meta; of others only modules count.
        """
        if self._conda is None:
            self._conda = list(conda_records())
        expected: dict[str, str] = {}
        for record in self._conda:
            if (found.info + "/").encode() in record:
                expected.update(conda_digests(record))
        left = []
        for name in changed:
            path = os.path.join(found.location, name)
            digest = expected.get(same_file(path))
            if name.endswith(".py") if digest is None else not has_digest(path, "sha256", digest):
                left.append(name)
        return left

    def _added(self, found: Found) -> list[str]:
        """Return modules that lie among its own and are nobody's: a patch may import them."""
        owned = self._owned.get(found.location)
        if owned is None:
            same = (one for one in self._all_found if one.location == found.location)
            owned = {row[0] for one in same for row in one.record or []}
            self._owned[found.location] = owned
        folders = {os.path.dirname(name) for name in owned}
        mine = {os.path.dirname(row[0]) for row in found.record or []}
        added = []
        for folder in mine:
            if folder.startswith(("..", found.info)) or folder == "" or "__pycache__" in folder:
                continue
            for name in modules_in(found.location, folder, folders):
                if name not in owned:
                    added.append(name)
        return sorted(added)


def modules_in(location: str, folder: str, others: set[str]) -> Iterator[str]:
    """Yield the modules of a folder, and of folders in it in which nobody has files."""
    for at, folders, names in os.walk(os.path.join(location, folder)):
        relative = os.path.relpath(at, location).replace(os.sep, "/")
        inner = [f for f in folders if f != "__pycache__" and f"{relative}/{f}" not in others]
        folders[:] = inner
        yield from (f"{relative}/{name}" for name in names if name.endswith(".py"))


def conda_records() -> Iterator[bytes]:
    """Yield what conda has on record of each package that it put into this prefix."""
    folder = os.path.join(sys.prefix, "conda-meta")
    try:
        names = [name for name in os.listdir(folder) if name.endswith(".json")]
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                yield file.read()
    except OSError:
        return


def conda_digests(record: bytes) -> dict[str, str]:
    """Return by path the hashes of a package's files, in RECORD's notation."""
    digests = {}
    try:
        for file in json.loads(record.decode("utf-8"))["paths_data"]["paths"]:
            digest = bytes.fromhex(file.get("sha256_in_prefix") or file["sha256"])
            path = same_file(os.path.join(sys.prefix, file["_path"]))
            digests[path] = base64.urlsafe_b64encode(digest).decode("ascii")
    except (ValueError, KeyError, TypeError):  # of an older conda, which kept none
        return digests
    return digests


def same_file(path: str) -> str:
    """Return what two spellings of a path have in common: Windows knows no upper and lower case,
    and conda writes Lib where sys.path has lib."""
    return os.path.normcase(os.path.normpath(path))


def has_digest(path: str, algorithm: str, digest: str) -> bool:
    """Whether a file's hash is RECORD's; True if that can't be told."""
    try:
        found = base64.urlsafe_b64encode(hash_of(path, algorithm)).decode("ascii")
    except (OSError, ValueError):
        return True
    return found.rstrip("=") == digest.rstrip("=")


def hash_of(path: str, algorithm: str) -> bytes:
    digest = hashlib.new(algorithm)
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.digest()

"""Writes wheels, the same bytes for the same files, of any size."""

import base64
import csv
import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from packaging.utils import canonicalize_name

CHUNK = 1 << 20
# how installers begin a script where the path of Python is too long for a #! line, or has spaces
BY_SHELL = b"#!/bin/sh\n'''exec' "
COMPRESSION = 4  # half the time of zlib's 6, for 4 % more bytes


class ChangedMeanwhile(Exception):
    """A file was written to while it was being packed; the message is its name."""


@dataclass(frozen=True)
class Entry:
    """A file of a wheel: its name there, how to open what it holds, and its size in bytes."""

    name: str
    source: Callable[[], IO[bytes]]
    size: int
    executable: bool = False
    sha256: bytes = b""


def entry_of(name: str, content: bytes, executable: bool = False) -> Entry:
    """Return the entry of a content that is in memory."""
    return Entry(name, lambda: io.BytesIO(content), len(content), executable)


def file_entry(inside: str, path: Path, status: os.stat_result) -> Entry:
    executable = bool(status.st_mode & 0o111)
    return Entry(inside, lambda: open(path, "rb"), status.st_size, executable)


def member_entry(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Entry:
    executable = bool((member.external_attr >> 16) & 0o111)
    return Entry(member.filename, lambda: archive.open(member), member.file_size, executable)


def script_entry(inside: str, path: Path) -> Entry:
    """Return a script's entry, with #!python for the path of Python that the installer wrote."""
    with open(path, "rb") as file:
        if file.read(2) != b"#!":
            return replace(file_entry(inside, path, path.stat()), executable=True)
        text = b"#!" + file.read()
    lines = text.split(b"\n")
    if text.startswith(BY_SHELL):
        lines[:3] = [b"#!python"]
    elif b"python" in lines[0]:
        lines[0] = b"#!python"
    return entry_of(inside, b"\n".join(lines), executable=True)


def wheel_name(name: str, version: str, tags: Sequence[str]) -> str:
    """Return a wheel's file name; several tags, as WHEEL lists them, become one compressed set."""
    parts = [tag.split("-") for tag in tags]
    compressed = [".".join(dict.fromkeys(part[at] for part in parts)) for at in range(3)]
    stem = f"{canonicalize_name(name).replace('-', '_')}-{version.replace('-', '_')}"
    return f"{stem}-{'-'.join(compressed)}.whl"


def hashed(entry: Entry) -> Entry:
    """Return the entry with its hash. Raises OSError if its file can't be read."""
    digest = hashlib.sha256()
    with entry.source() as file:
        for chunk in _chunks(file):
            digest.update(chunk)
    return replace(entry, sha256=digest.digest())


def key_of(name: str, entries: Iterable[Entry]) -> str:
    """Return a hash of a wheel's name and of what it is to hold."""
    digest = hashlib.sha256(f"1 {name}\n".encode())  # 1: this module's way to write them
    for entry in entries:
        digest.update(f"{entry.name}\0{entry.executable}\0".encode() + entry.sha256)
    return digest.hexdigest()


def write_wheel(path: Path, entries: Sequence[Entry], info: str) -> None:
    """Write a wheel of these entries, which have hashes, and the RECORD of them in `info`.

    Raises OSError, and ChangedMeanwhile if a file is not any more what was hashed.
    """
    deflated = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", deflated, compresslevel=COMPRESSION) as archive:
        rows = []
        for entry in entries:
            size = _add(archive, entry)
            digest = base64.urlsafe_b64encode(entry.sha256).decode().rstrip("=")
            rows.append((entry.name, f"sha256={digest}", str(size)))
        record = f"{info}/RECORD"
        _add(archive, hashed(entry_of(record, _record_text([*rows, (record, "", "")]))))


def _record_text(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def read_record(path: Path) -> list[str]:
    """Return the names of the files that an installed RECORD lists, with slashes."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        names = [row[0] for row in csv.reader(file) if row and row[0]]
    return [name.replace(os.sep, "/") for name in names]


def _add(archive: zipfile.ZipFile, entry: Entry) -> int:
    """Write an entry in pieces, and return its size in bytes."""
    digest, size = hashlib.sha256(), 0
    large = entry.size >= zipfile.ZIP64_LIMIT // 2
    # opened by its name it has zipfile's own fixed time
    with entry.source() as file, archive.open(entry.name, "w", force_zip64=large) as target:
        for chunk in _chunks(file):
            digest.update(chunk)
            size += len(chunk)
            target.write(chunk)
    info = archive.getinfo(entry.name)
    info.create_system = 3  # permissions are Unix', on Windows as well
    info.external_attr = (stat.S_IFREG | (0o755 if entry.executable else 0o644)) << 16
    if digest.digest() != entry.sha256:
        raise ChangedMeanwhile(entry.name)
    return size


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(CHUNK), b"")

"""Runs on the engines' machines, with any Python from 3.8 on and its standard library alone.

    list PATTERN...    says which files match, one JSON object a line
    send PATTERN...    sends them: for each a line of JSON with its name and size, then its bytes

Sent as it is needed. Patterns are for files below the home directory, which is the engines' working
directory. Files that came from the user and are as they were are none of the results, nor is what
links lead to elsewhere.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

ROOT = os.getcwd()
HOME = os.path.dirname(ROOT)
NEVER = ("__pycache__", os.path.basename(ROOT))
CHUNK = 1 << 20


def matching(patterns: list[str]) -> Iterator[str]:
    """Yield the names of files that match, each once."""
    sent = sent_files()
    seen = set()
    for pattern in patterns:
        for match in sorted(glob.glob(pattern, recursive=True)):
            for name in files_of(match):
                name = os.path.normpath(name)
                if name not in seen and is_result(name, sent):
                    seen.add(name)
                    yield name


def files_of(match: str) -> Iterator[str]:
    if not os.path.isdir(match):
        yield match
        return
    for folder, folders, names in os.walk(match):
        folders[:] = sorted(it for it in folders if it not in NEVER and not it.startswith("."))
        for name in sorted(names):
            yield os.path.join(folder, name)


def is_result(name: str, sent: dict[str, Any]) -> bool:
    real = os.path.realpath(name)
    inside = real.startswith(HOME + os.sep) and not real.startswith(ROOT + os.sep)
    if not inside or not os.path.isfile(real) or any(it in NEVER for it in name.split(os.sep)):
        return False
    known = sent.get(name)
    return known is None or os.path.getsize(name) != known[1] or hash_of(name) != known[0]


def sent_files() -> dict[str, Any]:
    try:
        with open(os.path.join(ROOT, "files.json"), encoding="utf-8") as file:
            found: dict[str, Any] = json.load(file)["files"]
    except (OSError, ValueError):
        return {}
    return found


def hash_of(name: str) -> str:
    digest = hashlib.sha256()
    with open(name, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def send(name: str) -> None:
    """Send a file as long as it is now, whatever is written to it meanwhile."""
    output = sys.stdout.buffer
    try:
        with open(name, "rb") as file:
            left = os.fstat(file.fileno()).st_size
            output.write(line(name=name, size=left))
            while left:
                chunk = file.read(min(left, CHUNK)) or b"\0" * min(left, CHUNK)  # it was cut off
                output.write(chunk)
                left -= len(chunk)
    except OSError as error:
        output.write(line(name=name, unreadable=error.strerror))


def main(command: str, *patterns: str) -> None:
    os.chdir(HOME)
    for name in matching(list(patterns)):
        if command == "send":
            send(name)
        else:
            sys.stdout.buffer.write(line(event="file", name=name, size=os.path.getsize(name)))
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

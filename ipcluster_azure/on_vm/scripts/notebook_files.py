"""Runs on the controller's machine before JupyterLab, with any Python from 3.8 on and its standard
library alone. Sent with notebook.py, which starts that.

    --archive SHA256    puts the examples, and the user's own files, into the home directory

The archive is the one that the controller offers; without it there are none of the user's. Runs in
the work directory. Prints one JSON object a line for the launcher. D/files.json has what was put,
by names and hashes: results.py takes none of that for results, as long as it is as it was.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path.cwd()
HOME = ROOT.parent
EXAMPLES = ROOT / "notebook" / "examples"
SENT = ROOT / "files.json"
MANIFEST = ".ipcluster-azure/files.json"  # in the archive


class Failed(Exception):
    """Says to the launcher what failed."""


def emit(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def put_files(archive: str) -> list[str]:
    """Put what was sent into HOME; `archive` is the hash of the user's own files on offer, or "".

    A file that is otherwise there than it was put, edited in JupyterLab perhaps, stays as it is;
    returns the names of those of which there would be something newer.
    """
    before = read_json(SENT)
    known: dict[str, Any] = before.get("files", {})
    search, kept = before.get("search", []), []
    for name, content, mode in offered(archive):
        if name == MANIFEST:
            search = json.loads(content)["search"]
        elif put(HOME / name, content, mode, known.get(name, [""])[0]):
            known[name] = [hash_of(content), len(content)]
        elif hash_of(content) != known.get(name, [""])[0]:
            kept.append(name)
    new = SENT.with_suffix(".new")
    new.write_text(json.dumps({"files": known, "search": search}))
    new.replace(SENT)
    return kept


def put(target: Path, content: bytes, mode: int, before: str) -> bool:
    """Write a file unless another is there than the one with the hash `before`, or than this."""
    if target.exists() and hash_of(target.read_bytes()) not in (before, hash_of(content)):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    target.chmod(mode)
    return True


def offered(archive: str) -> Iterator[tuple[str, bytes, int]]:
    """Yield the name, the content and the mode of each file for HOME, and of MANIFEST."""
    for path in sorted(EXAMPLES.glob("*.ipynb")):
        yield path.name, path.read_bytes(), 0o600
    if not archive:
        return
    with tarfile.open(ROOT / "depot" / f"{archive}.tar.gz") as files:
        for member in files:
            content = files.extractfile(member)
            if content is None:
                continue
            if HOME not in (HOME / member.name).resolve().parents:
                raise Failed(f"the archive has a member {member.name!r}")
            yield member.name, content.read(), member.mode


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--archive", default="")
    options = parser.parse_args(argv)
    os.umask(0o077)
    try:
        with open(ROOT / "notebook" / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            emit("files", kept=put_files(options.archive))
    except (Failed, OSError, tarfile.TarError, EOFError) as failure:  # a full disk, for example
        emit("failed", reason=f"the files for JupyterLab can't be written: {failure}", log_tail="")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Runs on the machines while a cluster is brought up to date, with any Python from 3.8 on and its
standard library alone. Sent as it is needed: it is of the version that runs it.

    merge --base SHA256 --new SHA256      (controller) the archive on offer and a difference -> the
                                          archive with all files, on offer for machines to come
    look --set SET                        (engines) says what is there, and which engines compute
    apply --set SET --wanted JSON         (engines) takes what is missing, and puts it in place

Runs in the work directory; the files lie in the folder around it, which is the engines' working
directory. Prints one JSON object a line for the launcher.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import urllib.request
from pathlib import Path
from typing import Any

MANIFEST = ".ipcluster-azure/files.json"  # in the archives; here ROOT / files.json
ROOT = Path.cwd()
HOME = ROOT.parent
NEW = ROOT / "files.new"
KEPT = 4  # archives on offer: machines that are starting may have been told of an older one
DOWNLOAD_S = 300.0
CHUNK = 1 << 20


class Failed(Exception):
    """Says to the launcher what failed."""


def emit(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


# --- the controller's machine


def archive_at(sha256: str) -> Path:
    return ROOT / "depot" / f"{sha256}.tar.gz"


def merge(base: str, new: str) -> None:
    """Make an archive of all files from the one that was on offer and a difference to that."""
    whole = new
    if base:
        target = ROOT / "depot" / "merging"
        with contextlib.ExitStack() as files:
            old = files.enter_context(tarfile.open(archive_at(base)))
            changed = files.enter_context(tarfile.open(archive_at(new)))
            output = files.enter_context(tarfile.open(target, "w:gz", compresslevel=3))
            manifest, present = wanted_of(changed), changed.getnames()
            copy(changed, output, present)
            copy(old, output, [name for name in manifest["files"] if name not in present])
        whole = hash_of(target)
        os.replace(target, archive_at(whole))
    noted = ROOT / "files_offered.json"
    offered = [sha for sha in read_json(noted) or [] if sha not in (new, whole)]
    offered += dict.fromkeys((new, whole))
    for sha in offered[:-KEPT]:
        with contextlib.suppress(FileNotFoundError):
            archive_at(sha).unlink()
    noted.write_text(json.dumps(offered[-KEPT:]))
    emit("merged", sha256=whole)


def wanted_of(archive: tarfile.TarFile) -> Any:
    manifest = archive.extractfile(MANIFEST)
    return json.loads(manifest.read()) if manifest else {}


def copy(source: tarfile.TarFile, target: tarfile.TarFile, names: list[str]) -> None:
    for name in names:
        member = source.getmember(name)
        target.addfile(member, source.extractfile(member))


def hash_of(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


# --- the engines' machines


def engines_of(set_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_json(ROOT / f"engines-{set_id}.json").get("engines", [])
    return found


def computing(set_id: str) -> list[int]:
    """Return the ids of the engines that have a task."""
    try:
        numbers = memoryview((ROOT / f"tally-{set_id}").read_bytes()).cast("Q")
    except OSError:
        return []
    begun, done = numbers[::2], numbers[1::2]
    registered = [e for e in engines_of(set_id) if e["state"] == "registered"]
    return [e["id"] for e in registered if begun[e["index"]] != done[e["index"]]]


def look(set_id: str) -> None:
    emit("looked", id=read_json(ROOT / "files.json").get("id", ""), computing=computing(set_id))


def apply(set_id: str, wanted: dict[str, Any]) -> None:
    """Bring the files here to the state `wanted`: {"url": of the controller's offers, "id": of the
    state, "base": the id of the state that the archive "difference" is for, "whole": the archive
    of all; "force": engines that compute are outdated, too}."""
    before = read_json(ROOT / "files.json")
    written: list[str] = []
    gone: list[str] = []
    if before.get("id", "") != wanted["id"]:
        sha = wanted["difference" if before.get("id", "") == wanted["base"] else "whole"]
        shutil.rmtree(NEW, ignore_errors=True)
        try:
            manifest = unpack(download(wanted["url"], sha))
            have = before.get("files", {})
            written = [n for n, it in manifest["files"].items() if have.get(n) != it]
            gone = sorted(have.keys() - manifest["files"].keys())
            put_in_place(written, gone)
            os.replace(NEW / MANIFEST, ROOT / "files.json")  # the engines look at this
        finally:
            shutil.rmtree(NEW, ignore_errors=True)
    busy = [] if wanted["force"] else computing(set_id)
    outdated = engines_with_old_code(set_id)
    stale = [engine["id"] for engine in outdated if engine["id"] in busy]
    pids = [engine["pid"] for engine in outdated if engine["id"] not in busy]
    emit("applied", written=len(written), removed=len(gone), outdated=pids, stale=stale)


def download(url: str, sha256: str) -> bytes:
    """Return an archive of the controller's; raises Failed unless it has the hash."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{url}/{sha256}.tar.gz", timeout=DOWNLOAD_S) as reply:
        data: bytes = reply.read()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Failed("the files from the controller's machine have another SHA-256")
    return data


def unpack(data: bytes) -> Any:
    """Unpack into NEW, beside what is in use: a full disk is found before anything is replaced."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            target = NEW / member.name
            source = archive.extractfile(member)
            if source is None or NEW not in target.resolve().parents:
                raise Failed(f"the archive has a member {member.name!r}")
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(target, "wb") as file:
                shutil.copyfileobj(source, file)
            target.chmod(member.mode)
    return read_json(NEW / MANIFEST)


def put_in_place(written: list[str], gone: list[str]) -> None:
    """Move new files to where they belong, and remove those that the user has no more."""
    for name in gone:
        forget_compiled(HOME / name)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            (HOME / name).unlink()
        for folder in list((HOME / name).parents)[: name.count("/")]:
            if folder.is_dir() and set(os.listdir(folder)) <= {"__pycache__"}:
                shutil.rmtree(folder, ignore_errors=True)
    for name in written:
        target = HOME / name
        if (NEW / name).exists():  # else it is the same here already
            target.parent.mkdir(parents=True, exist_ok=True)
            forget_compiled(target)
            os.replace(NEW / name, target)


def forget_compiled(source: Path) -> None:
    """Python takes bytecode for today's if the source's second and size are the same."""
    for compiled in source.parent.glob(f"__pycache__/{source.stem}.*.pyc"):
        with contextlib.suppress(FileNotFoundError):
            compiled.unlink()


def engines_with_old_code(set_id: str) -> list[dict[str, Any]]:
    """Return the engines that have loaded a compiled module of the user's that has been replaced or
    removed since: within a process it can't be."""
    found = []
    for engine in engines_of(set_id):
        with contextlib.suppress(OSError):
            maps = Path(f"/proc/{engine['pid']}/maps").read_text(errors="replace")
            if any(is_old_code(line.split(maxsplit=5)[-1]) for line in maps.splitlines()):
                found.append(engine)
    return found


def is_old_code(file: str) -> bool:
    ours = file.startswith(f"{HOME}/") and not file.startswith(f"{ROOT}/")
    return ours and file.endswith(".so (deleted)")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=["merge", "look", "apply"])
    for name in ("base", "new", "set"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--wanted", type=json.loads)
    options = parser.parse_args(argv)
    try:
        if options.command == "merge":
            merge(options.base, options.new)
        elif options.command == "look":
            look(options.set)
        else:
            apply(options.set, options.wanted)
    except (Failed, OSError, tarfile.TarError, EOFError) as failure:  # a full disk, for example
        reason = failure.strerror if isinstance(failure, OSError) else None
        emit("failed", reason=str(reason or failure), log_tail="")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

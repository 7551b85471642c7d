"""Runs on the controller's machine, with any Python from 3.8 on and its standard library alone.

    build   makes the Python environment DIR/env with uv
    pack    packs it for the engines' machines, which have no way out

Prints one JSON object a line for the launcher; the log is DIR/log/environment.log.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

PACKAGE_INDEX = "https://pypi.org/simple"
IMPORTED_BY_ENGINES = "import ipyparallel.engine.app, ipykernel.ipkernel, numpy"
CHUNK = 1 << 20
FETCH_TIMEOUT_S = 15  # of silence
PROGRESS_S = 4.0  # between two signs of life of a command that takes long
# uv's own are 30 s and 3 more tries: two minutes; a user's own settings win
HTTP_TIMEOUTS = {"UV_HTTP_CONNECT_TIMEOUT": "5", "UV_HTTP_TIMEOUT": "15"}
# Pythons come from elsewhere than packages; where that is out of reach, it is said within 15 s
PYTHON_DOWNLOAD = {"UV_HTTP_TIMEOUT": "6", "UV_HTTP_RETRIES": "1"}
LONGEST_REASON = 600  # characters
ERROR = re.compile(
    r"error:|\s*\u00d7 "
)  # how uv begins an error's first line, today and before 0.13
MARK = re.compile(r"\s*(error:|cause:|\u00d7|[\u251c\u2570]\u2500\u25b6) ")
HINT = "hint:"
OBVIOUS = ("error sending request for url", "client error (", "I/O operation failed")


class Failed(Exception):
    """Says to the launcher what failed."""


def emit(event: str, **fields: object) -> None:
    """Tell the launcher of an event: one line of JSON on standard output."""
    print(json.dumps({"event": event, **fields}), flush=True)


def log_file(root: Path) -> Path:
    """Return the path of the log, in a folder that exists."""
    path = root / "log" / "environment.log"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def run(root: Path, doing: str, command: "list[str | Path]", **environment: str) -> None:
    """Run a command, its output in the log, with a sign of life every PROGRESS_S.

    `doing` says what the command does: Failed says that, and the command's reason.
    """
    path, started = log_file(root), time.monotonic()
    words = [str(part) for part in command]
    with open(path, "ab") as log:
        log.write(f"$ {' '.join(words)}\n".encode())
        log.flush()
        begin = log.tell()
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**HTTP_TIMEOUTS, **os.environ, "NO_COLOR": "1", **environment},
        )
    while True:
        try:
            status = process.wait(PROGRESS_S)
            break
        except subprocess.TimeoutExpired:
            seconds = round(time.monotonic() - started, 1)
            emit("progress", doing=doing, detail=last_line(output(path, begin)), seconds=seconds)
    if status:
        why = reason(output(path, begin)) or f"{Path(words[0]).name} ended with {status}"
        raise Failed(f"{doing} failed: {why}")


def output(log: Path, begin: int) -> str:
    """Return what a command has written to the log, which began at the byte `begin`."""
    with open(log, "rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace")


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "")[:LONGEST_REASON]


def reason(text: str) -> str:
    """Return on one line why uv failed: its last error, what it names as causes, and what it says
    of an index. Of a package that doesn't build, the last line of the compiler's own words is
    taken instead of the causes."""
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if ERROR.match(line)]
    if not starts:
        return last_line(text)
    error = lines[starts[-1] :]
    hints = [line[len(HINT) :].strip() for line in error if line.startswith(HINT)]
    end = next((n for n, line in enumerate(error) if line.startswith(HINT)), len(error))
    parts: list[str] = []
    for line in filter(str.strip, error[:end]):
        said = MARK.sub("", line).strip().rstrip(":")
        if "[stderr]" in parts or MARK.match(line) or said == "[stderr]":
            parts.append(said)
        else:  # uv has broken a long line
            parts[-1] += f" {said}"
    if "[stderr]" in parts:
        parts = [parts[0], parts[-1]]
    parts = [part for part in parts if not part.startswith(OBVIOUS)]
    parts += [hint for hint in hints if "index" in hint]
    return ": ".join(parts)[:LONGEST_REASON]


def build(root: Path, python: str, requirements: "list[str]") -> None:
    """Make DIR/env with the requirements; does nothing if it was made with the same before."""
    env, made = root / "env", root / "environment.json"
    wanted = json.dumps({"python": python, "requirements": requirements})
    if made.exists() and made.read_text() == wanted:
        emit("environment", seconds=0.0)
        return
    started = time.monotonic()
    uv = find_uv(root)
    shutil.rmtree(env, ignore_errors=True)
    download = {name: os.environ.get(name, value) for name, value in PYTHON_DOWNLOAD.items()}
    pythons = {"UV_PYTHON_INSTALL_DIR": str(root / "python")}
    venv: list[str | Path] = [uv, "venv", "--quiet", "--relocatable", "--python", python, env]
    run(root, f"making an environment of Python {python}", venv, **download, **pythons)
    install: list[str | Path] = [
        uv,
        "pip",
        "install",
        "--python",
        env / "bin" / "python",
        *requirements,
    ]
    run(root, "installing the packages", install, **pythons)
    made.write_text(wanted)
    emit("environment", seconds=round(time.monotonic() - started, 2))


def find_uv(root: Path) -> Path:
    """Return the path of uv: the image's, else one from the package index, from where it reaches
    the controller faster than over the user's own line."""
    found = Path(shutil.which("uv") or root / "bin" / "uv")
    if not found.exists():
        download_uv(found)
    return found


def download_uv(target: Path) -> None:
    """Take the executable out of uv's wheel, after checking the index's hash of it."""
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL") or PACKAGE_INDEX
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    try:
        request = urllib.request.Request(f"{index.rstrip('/')}/uv/", headers=accept)
        with urllib.request.urlopen(request, timeout=FETCH_TIMEOUT_S) as reply:
            wheel = newest_wheel(json.load(reply)["files"])
        url = urllib.parse.urljoin(request.full_url, wheel["url"])
        with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_S) as reply:
            content = reply.read()
    except (OSError, ValueError, KeyError) as error:
        raise Failed(f"can't get uv from the package index {index}: {error}") from error
    expected = wheel.get("hashes", {}).get("sha256")
    if hashlib.sha256(content).hexdigest() != expected:
        raise Failed(f"uv from {url} does not have the hash that the index gives")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    archive = target.with_suffix(".whl")
    archive.write_bytes(content)
    with zipfile.ZipFile(archive) as wheel_file:
        name = next(n for n in wheel_file.namelist() if n.endswith(".data/scripts/uv"))
        target.write_bytes(wheel_file.read(name))
    archive.unlink()
    target.chmod(0o700)


def newest_wheel(files: "list[Any]") -> "dict[str, Any]":
    """Return the last release of uv for this machine in an index's list of files (PEP 691)."""
    pattern = rf"uv-([\d.]+)-py3-none-(manylinux|linux).*_{platform.machine()}\.whl"
    found = []
    for file in files:
        match = re.fullmatch(pattern, file["filename"])
        if match and not file.get("yanked"):
            found.append(([int(part) for part in match[1].split(".")], file))
    if not found:
        raise Failed(f"the package index has no uv for Linux on {platform.machine()}")
    newest: dict[str, Any] = max(found, key=lambda pair: pair[0])[1]
    return newest


def pack(root: Path) -> None:
    """Pack DIR/env for the engines' machines into DIR/depot, which vm_depot.py serves."""
    # compile once here what every engine would else compile at its first import
    python = root / "env" / "bin" / "python"
    run(root, "importing what the engines need", [python, "-c", IMPORTED_BY_ENGINES])
    archive = root / "depot" / "environment.tar"
    if not archive.exists():
        incomplete = archive.with_suffix(".new")
        parts = [name for name in ("env", "python") if (root / name).exists()]
        tar: list[str | Path] = [
            "tar",
            "--create",
            "--file",
            incomplete,
            "--directory",
            root,
            *parts,
        ]
        run(root, "packing the environment for the engines", tar)
        incomplete.replace(archive)
    with open(archive, "rb") as file:
        emit("packed", sha256=hash_of(file))


def hash_of(file: "IO[bytes]") -> str:
    digest = hashlib.sha256()
    for chunk in iter(lambda: file.read(CHUNK), b""):
        digest.update(chunk)
    return digest.hexdigest()


COMMANDS: "dict[str, Callable[..., None]]" = {"build": build, "pack": pack}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dir", type=Path, default=Path())
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build")
    building.add_argument("--python", required=True)
    building.add_argument("requirements", nargs="*")
    commands.add_parser("pack")
    options = vars(parser.parse_args())
    command, root = options.pop("command"), options.pop("dir").absolute()
    try:
        COMMANDS[command](root, **options)
    except (Failed, OSError) as failure:  # a full disk, for example
        log = log_file(root)
        tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        emit("failed", reason=str(failure), log_tail=tail)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

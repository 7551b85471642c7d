"""uv, by which environments are made: the image's, or one from the package index.

The index reaches the controller's machine faster than the user's own line does.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

from .lock import Package
from .steps import Failed, emit, run
from .wheels import Download, kept_wheels

PACKAGE_INDEX = "https://pypi.org/simple"
FETCH_TIMEOUT_S = 15  # of silence
OLDEST_UV = (0, 9, 10)
NO_UV = "the controller's image has uv, and this machine's has none: add it there"
# Pythons come from elsewhere than packages; where that is out of reach, it is said within 15 s
PYTHON_DOWNLOAD = {"UV_HTTP_TIMEOUT": "6", "UV_HTTP_RETRIES": "1"}


def own_uv(root: Path) -> Path:
    """Return where a uv is that did not come with the image."""
    return root / "bin" / "uv"


def find_uv(root: Path) -> Path | None:
    """Return the path of a uv that this machine has, None if there is none that is new enough."""
    of_image = shutil.which("uv")
    if of_image and version_of(of_image) >= OLDEST_UV:
        return Path(of_image)
    return own_uv(root) if own_uv(root).exists() else None


def require_uv(root: Path) -> Path:
    """Return the path of this machine's uv; raises Failed if it has none, as its image should."""
    uv = find_uv(root)
    if uv is None:
        raise Failed(NO_UV)
    return uv


def version_of(uv: str) -> tuple[int, ...]:
    """Return what `uv --version` says, empty if nothing sensible."""
    try:
        done = subprocess.run([uv, "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.match(r"uv (\d+)\.(\d+)\.(\d+)", done.stdout)
    return tuple(int(part) for part in match.groups()) if match else ()


def download_uv(root: Path) -> Path:
    """Take the executable out of uv's wheel, which has the hash that the index gives."""
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL") or PACKAGE_INDEX
    emit("progress", doing=f"getting uv from {index}", detail="")
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    try:
        request = urllib.request.Request(f"{index.rstrip('/')}/uv/", headers=accept)
        with urllib.request.urlopen(request, timeout=FETCH_TIMEOUT_S) as reply:
            found = newest_wheel(json.load(reply)["files"])
        url = urllib.parse.urljoin(request.full_url, found["url"])
        wheel = Package("uv", "", found["filename"], found["hashes"]["sha256"], url)
    except (OSError, ValueError, KeyError) as error:
        raise Failed(f"can't get uv from the package index {index}: {error}") from error
    target = own_uv(root)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    download = Download([wheel], target.parent, kept_wheels())
    download.run()
    if download.unreachable:
        raise Failed(f"can't get uv from the package index {index}: {download.why()}")
    archive, incomplete = target.parent / wheel.file, target.with_suffix(".new")
    with zipfile.ZipFile(archive) as wheel_file:
        name = next(n for n in wheel_file.namelist() if n.endswith(".data/scripts/uv"))
        with wheel_file.open(name) as packed, open(incomplete, "wb") as file:
            shutil.copyfileobj(packed, file)
    archive.unlink()
    incomplete.chmod(0o700)
    return incomplete.replace(target)


def newest_wheel(files: list[Any]) -> dict[str, Any]:
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


def make_empty(root: Path, uv: Path, python: str, **variables: str) -> None:
    """Make DIR/env with this Python and no packages."""
    env = root / "env"
    shutil.rmtree(env, ignore_errors=True)
    download = {name: os.environ.get(name, value) for name, value in PYTHON_DOWNLOAD.items()}
    download["UV_PYTHON_INSTALL_DIR"] = str(root / "python")
    command: list[str | Path] = [uv, "venv", "--quiet", "--python", python, env]
    run(root, f"making an environment of Python {python}", command, **{**download, **variables})

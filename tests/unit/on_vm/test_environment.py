"""The script that makes the machines' Python, run as it is there: as a program, in its folder."""

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.on_vm.scripts import environment
from ipcluster_azure.on_vm.scripts.environment import Failed, newest_wheel, reason

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def run(folder: Path, *args: str) -> tuple[int, list[dict[str, Any]]]:
    script = folder / "vm_environment.py"
    shutil.copy(environment.__file__, script)
    done = subprocess.run(
        [sys.executable, "vm_environment.py", *args],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not done.stderr, done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An environment and its archive, in a folder with an awkward name."""
    folder = tmp_path_factory.mktemp("Größe mit space")
    (folder / "depot").mkdir()
    status, events = run(folder, "build", f"--python={PYTHON}", "ipyparallel", "numpy")
    assert status == 0, events
    status, (*_, packed) = run(folder, "pack")
    assert status == 0, packed
    return folder, packed


def test_a_copy_works_like_the_original(built: tuple[Path, Any], tmp_path: Path) -> None:
    folder, packed = built
    archive = folder / "depot" / "environment.tar"
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == packed["sha256"]
    subprocess.run(["/bin/tar", "-xf", archive, "-C", tmp_path], check=True)
    python = tmp_path / "env" / "bin" / "python"
    code = "import ipyparallel, numpy, sys; print(sys.prefix)"
    printed = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == str(tmp_path / "env")


def test_building_and_packing_again_changes_nothing(built: tuple[Path, Any]) -> None:
    folder, packed = built
    again = run(folder, "build", f"--python={PYTHON}", "ipyparallel", "numpy")
    assert again == (0, [{"event": "environment", "seconds": 0.0}])
    assert run(folder, "pack") == (0, [packed])


def test_a_package_that_is_not_there(tmp_path: Path) -> None:
    status, events = run(tmp_path, "build", f"--python={PYTHON}", "no-such-package-0a1b2c")
    assert status == 1
    assert "no-such-package-0a1b2c" in events[-1]["log_tail"]
    # and a second try does not take the broken one for good
    assert run(tmp_path, "build", f"--python={PYTHON}", "no-such-package-0a1b2c")[0] == 1


UNREACHABLE = "http://127.0.0.1:9"  # where nobody listens
TEXTS = {
    "a long line is broken, as by uv 0.9": (
        """Using Python 3.12.3 environment at: env
  \u00d7 No solution found when resolving dependencies:
  \u2570\u2500\u25b6 Because no-such was not found in the package registry and
      you require no-such, we can conclude that your requirements
      are unsatisfiable.
""",
        "No solution found when resolving dependencies: Because no-such was not found in the "
        "package registry and you require no-such, we can conclude that your requirements are "
        "unsatisfiable.",
    ),
    "a wrong password": (
        """error: No solution found when resolving dependencies
  cause: Because ours was not found in the package registry and you require ours.

hint: An index URL (http://127.0.0.1/simple) could not be queried due to a lack of valid credentials
""",
        "No solution found when resolving dependencies: Because ours was not found in the package "
        "registry and you require ours.: An index URL (http://127.0.0.1/simple) could not be "
        "queried due to a lack of valid credentials",
    ),
    "a full disk": (
        """Resolved 1 package in 111ms
warning: Failed to hardlink files; falling back to full copy.
error: Failed to download `scipy==1.17.1`
  cause: I/O operation failed during extraction
  cause: failed to write to file `/cache/scipy`: No space left on device (os error 28)
""",
        "Failed to download `scipy==1.17.1`: failed to write to file `/cache/scipy`: No space left "
        "on device (os error 28)",
    ),
    "no word of uv's": ("Traceback\n  File x\nMemoryError: no\n\n", "MemoryError: no"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_the_reason_is_one_line(text: str, expected: str) -> None:
    assert reason(text) == expected


def failure(folder: Path, *requirements: str, python: str = PYTHON) -> str:
    status, events = run(folder, "build", f"--python={python}", *requirements)
    assert status == 1
    text: str = events[-1]["reason"]
    assert "\n" not in text
    return text


def test_a_package_that_does_not_build(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "setup.py").write_text("raise SystemExit('this needs a Fortran compiler')")
    (source / "pyproject.toml").write_text('[project]\nname = "ours"\nversion = "1"\n')
    found = failure(tmp_path, str(source))
    assert found.startswith("installing the packages failed: Failed to build `ours @ ")
    assert found.endswith("this needs a Fortran compiler")


def test_an_index_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{UNREACHABLE}/simple")
    found = failure(tmp_path, "six")
    assert f"{UNREACHABLE}/simple" in found
    assert "Connection refused" in found


def test_a_python_that_cannot_be_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        mirror = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", mirror)
        monkeypatch.setenv("UV_PYTHON_PREFERENCE", "only-managed")
        began = time.monotonic()
        status, events = run(tmp_path, "build", "--python=3.13", "six")
        took_s = time.monotonic() - began
    assert status == 1
    assert took_s < 30  # it is 13 s where nothing else runs
    assert events[0]["event"] == "progress"
    assert events[0]["doing"] == "making an environment of Python 3.13"
    assert f"Failed to download `{mirror}" in events[-1]["reason"]


def test_the_newest_wheel_for_this_machine() -> None:
    import platform

    machine = platform.machine()
    names = [
        f"uv-0.9.12-py3-none-manylinux_2_17_{machine}.manylinux2014_{machine}.whl",
        f"uv-0.13.2-py3-none-manylinux_2_17_{machine}.manylinux2014_{machine}.whl",
        f"uv-0.13.9-py3-none-macosx_11_0_{machine}.whl",
        "uv-0.14.0-py3-none-manylinux_2_17_sparc.whl",
        "uv-0.13.9.tar.gz",
    ]
    files: list[dict[str, Any]] = [{"filename": name, "url": name} for name in names]
    assert newest_wheel(files)["filename"] == names[1]
    files[1]["yanked"] = "broken"
    assert newest_wheel(files)["filename"] == names[0]
    with pytest.raises(Failed, match="no uv for Linux"):
        newest_wheel(files[2:])

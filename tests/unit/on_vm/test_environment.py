"""The script that makes the machines' Python, run as it is there: as a program, in its folder."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.on_vm.scripts import environment
from ipcluster_azure.on_vm.scripts.environment import Failed, newest_wheel

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
    status, (packed,) = run(folder, "pack")
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

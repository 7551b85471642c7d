"""The script that makes the machines' Python, run as it is there: as a program, in its folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ipcluster_azure import vm_environment
from ipcluster_azure.vm_environment import Failed, newest_wheel, relocate

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def run(folder: Path, *args: str) -> tuple[int, list[dict[str, Any]]]:
    script = folder / "vm_environment.py"
    shutil.copy(vm_environment.__file__, script)
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
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """An environment on offer, in a folder with an awkward name."""
    folder = tmp_path_factory.mktemp("Größe mit space")
    status, events = run(folder, "build", f"--python={PYTHON}", "ipyparallel", "numpy")
    assert status == 0, events
    status, (serving,) = run(folder, "serve", "--address=127.0.0.1")
    assert status == 0, serving
    yield folder, serving
    for process in psutil.process_iter():
        try:
            ours = process.cwd() == str(folder)
        except psutil.Error:
            continue
        if ours:
            process.send_signal(signal.SIGTERM)


def test_a_copy_works_like_the_original(built: tuple[Path, Any], tmp_path: Path) -> None:
    _, serving = built
    where = [f"--url={serving['url']}", f"--sha256={serving['sha256']}"]
    status, (event,) = run(tmp_path, "fetch", *where)
    assert (status, event["event"]) == (0, "environment")
    python = tmp_path / "env" / "bin" / "python"
    code = "import ipyparallel, numpy, sys; print(sys.prefix)"
    printed = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == str(tmp_path / "env")
    assert run(tmp_path, "fetch", *where)[1] == [{"event": "environment", "seconds": 0.0}]


def test_building_and_serving_again_changes_nothing(built: tuple[Path, Any]) -> None:
    folder, serving = built
    again = run(folder, "build", f"--python={PYTHON}", "ipyparallel", "numpy")
    assert again == (0, [{"event": "environment", "seconds": 0.0}])
    assert run(folder, "serve", "--address=127.0.0.1") == (0, [serving])


def test_a_damaged_copy_is_not_used(built: tuple[Path, Any], tmp_path: Path) -> None:
    _, serving = built
    status, events = run(tmp_path, "fetch", f"--url={serving['url']}", "--sha256=00")
    assert status == 1
    assert "damaged" in events[-1]["reason"]
    assert not (tmp_path / "env").exists()
    assert not (tmp_path / "incoming").exists()


def test_nobody_without_the_path_gets_it(built: tuple[Path, Any], tmp_path: Path) -> None:
    _, serving = built
    other = serving["url"].rsplit("/", 1)[0] + "/environment.tar"
    status, events = run(tmp_path, "fetch", f"--url={other}", "--sha256=00")
    assert status == 1
    assert "404" in events[-1]["reason"]


def test_a_controller_that_is_gone(tmp_path: Path) -> None:
    status, events = run(tmp_path, "fetch", "--url=http://127.0.0.1:9/x", "--sha256=00")
    assert status == 1
    assert "can't copy" in events[-1]["reason"]


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


def test_a_python_that_came_along_is_found_at_its_new_place(tmp_path: Path) -> None:
    binaries = tmp_path / "env" / "bin"
    binaries.mkdir(parents=True)
    own = tmp_path / "python" / "cpython-3.11.9-linux" / "bin"
    own.mkdir(parents=True)
    (own / "python3.11").write_text("")
    elsewhere = "/home/other/.ipcluster-azure/python/cpython-3.11.9-linux/bin"
    config = tmp_path / "env" / "pyvenv.cfg"
    config.write_text(f"home = {elsewhere}\nimplementation = CPython\n")
    os.symlink(f"{elsewhere}/python3.11", binaries / "python")
    relocate(tmp_path)
    assert f"home = {own}\n" in config.read_text()
    assert (binaries / "python").resolve() == own / "python3.11"

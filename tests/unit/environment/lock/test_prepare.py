"""What is installed here -> a lock for the machines, with an index that a test fills."""

import hashlib
import io
import os
import re
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.environment.installed import Distribution, Installed
from ipcluster_azure.environment.lock import parse_toml
from ipcluster_azure.environment.prepare import prepare_from
from ipcluster_azure.environment.selection import PreparedEnvironment, Selection, Target
from ipcluster_azure.environment.telling import Telling
from ipcluster_azure.errors import ConfigurationError
from tests.package_index import PackageIndex

from ..made_packages import make_project
from .conftest import IPYPARALLEL

TARGET = Target("3.11", "x86_64", (2, 39))
WINDOWS = {
    "implementation_name": "cpython",
    "os_name": "nt",
    "platform_machine": "AMD64",
    "platform_python_implementation": "CPython",
    "platform_system": "Windows",
    "python_full_version": "3.11.7",
    "python_version": "3.11",
    "sys_platform": "win32",
}
LINUX = WINDOWS | {
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_system": "Linux",
    "sys_platform": "linux",
}


def distribution(name: str, version: str, *requires: str, **fields: Any) -> Distribution:
    """One as a report tells it; nothing of it is on the disk, so that it can't be packed."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    known: dict[str, Any] = {"tags": ("py3-none-any",), "top_level": (name.replace("-", "_"),)}
    known |= {"location": "/nowhere", "info": info, "requires": requires}
    return Distribution(name, version, **(known | fields))


def installed(*distributions: Distribution, windows: bool = False) -> Installed:
    return Installed(
        executable="python",
        python="3.11.7",
        implementation="cpython",
        sys_platform="win32" if windows else "linux",
        machine="AMD64" if windows else "x86_64",
        glibc=None if windows else (2, 36),
        tags_platform="win_amd64" if windows else "linux_x86_64",
        data_roots=("/nowhere",),
        distributions=(distribution("ipyparallel", IPYPARALLEL), *distributions),
        markers=WINDOWS if windows else LINUX,
    )


def prepared(
    here: Installed, folder: Path, target: Target = TARGET, **settings: Any
) -> PreparedEnvironment:
    return prepare_from(here, Selection(**settings), target, folder, Telling(lambda text: None))


def locked(result: PreparedEnvironment) -> dict[str, str]:
    """Name -> version, after a look at what holds for every lock."""
    text = result.lock.read_text()
    lock = parse_toml(text, result.lock.name)
    assert stat.S_IMODE(result.lock.stat().st_mode) == 0o600
    assert re.fullmatch(r"pylock\.[^.]+\.toml", result.lock.name)
    wheels = {path.name: path for path in result.wheels}
    for package in lock["packages"]:
        assert set(package) == {"name", "version", "wheels"}
        (wheel,) = package["wheels"]
        if "path" in wheel:
            path = wheels.pop(wheel["path"].removeprefix("wheels/"))
            assert wheel["hashes"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not wheels
    return {package["name"]: package["version"] for package in lock["packages"]}


def test_versions_of_here_are_pinned_however_they_are_spelt(
    index: PackageIndex, tmp_path: Path
) -> None:
    versions = {"spam": "1!2.0", "eggs": "1.0.dev3", "ham": "2.0rc1", "jam": "1.0+local.1"}
    for name, version in versions.items():
        index.add(name, version)
        index.add(name, "7!9.0")
    index.yanked.add("spam-1!2.0-py3-none-any.whl")
    here = installed(*(distribution(name, version) for name, version in versions.items()))

    result = prepared(here, tmp_path)

    assert locked(result) == {"ipyparallel": IPYPARALLEL, **versions}
    assert result.summary == "5 packages: 5 fetched here"
    assert result.warnings == ()
    assert result.python == "3.11"


def test_another_build_of_a_version_is_taken_only_if_that_is_all_there_is(
    index: PackageIndex, tmp_path: Path
) -> None:
    linux = "cp311-cp311-manylinux_2_28_x86_64"
    for version in ("2.0", "2.0+cpu", "2.0+cu121"):
        index.add("torch", version, tag=linux)
    index.add("vision", "1.0+cpu", tag=linux)
    here = installed(distribution("torch", "2.0"), distribution("vision", "1.0"))

    result = prepared(here, tmp_path)

    assert locked(result) == {"ipyparallel": IPYPARALLEL, "torch": "2.0", "vision": "1.0+cpu"}
    assert result.warnings == (
        "The machines get vision 1.0+cpu, another build than 1.0: that one there isn't for Linux.",
    )


def test_a_lock_for_linux_is_made_of_what_windows_has(index: PackageIndex, tmp_path: Path) -> None:
    index.add("ipython", "9.0", "pexpect; sys_platform != 'win32'", "colorama; os_name == 'nt'")
    index.add("pexpect", "4.9", "ptyprocess>=0.5")
    index.add("ptyprocess", "0.7")
    index.add("colorama", "0.4.6")
    index.add("pywin32", "306", tag="cp311-cp311-win_amd64")
    index.add("uvicorn", "1.0", "uvloop; extra == 'standard' and sys_platform != 'win32'")
    index.add("uvloop", "0.2", tag="cp311-cp311-manylinux_2_17_x86_64")
    index.add("app", "1.0", "uvicorn[standard]")
    here = installed(
        distribution("ipython", "9.0", "pexpect; sys_platform != 'win32'", "colorama"),
        distribution("colorama", "0.4.6"),
        distribution("pywin32", "306", tags=("cp311-cp311-win_amd64",), top_level=("win32api",)),
        distribution("uvicorn", "1.0", "uvloop; extra == 'standard' and sys_platform != 'win32'"),
        distribution("app", "1.0", "uvicorn[standard]"),
        windows=True,
    )

    result = prepared(here, tmp_path, imported=frozenset(["IPython", "win32api"]))

    assert locked(result).keys() == {
        *("ipyparallel", "ipython", "pexpect", "ptyprocess", "colorama", "uvicorn", "uvloop", "app")
    }
    assert result.summary == (
        "6 packages: 5 fetched here, 1 not for Linux: pywin32; 3 more that Linux needs"
    )
    assert result.warnings == ()


def test_an_environment_that_fails_pip_check_is_locked_as_it_is(
    index: PackageIndex, tmp_path: Path
) -> None:
    needs = ("old>=2", "nowhere", "absent")
    index.add("new", "3.0", *needs)
    index.add("old", "1.0")
    index.add("old", "2.0")
    index.add("absent", "1.0")
    here = installed(distribution("new", "3.0", *needs), distribution("old", "1.0"))

    result = prepared(here, tmp_path)

    assert locked(result) == {"ipyparallel": IPYPARALLEL, "new": "3.0", "old": "1.0"}
    assert result.warnings == ()


def test_all_that_there_is_not_for_linux_is_named_with_the_nearest_versions(
    index: PackageIndex, tmp_path: Path
) -> None:
    elsewhere = "cp311-cp311-macosx_11_0_arm64"
    index.add("torch", "2.14.0", tag=elsewhere)
    for version in ("2.13.0", "2.14.1", "2.15.0", "3.0"):
        index.add("torch", version, tag="cp311-cp311-manylinux_2_28_x86_64")
    index.add("vision", "1.0", "torch!=2.14.1")
    index.add("audio", "2.14.0", tag=elsewhere)
    for version in ("2.13.0", "2.14.1", "2.15.0"):
        index.add("audio", version, f"torch=={version}")
    index.add("jaxlib", "0.5", tag=elsewhere)
    index.add("jaxlib", "0.4")
    index.add("mlx", "1.0", tag=elsewhere)
    index.add("learn", "1.0", "torch", "mlx")
    gone = [distribution(*item, tags=(elsewhere,)) for item in MISSING]
    here = installed(
        *gone,
        distribution("vision", "1.0", "torch!=2.14.1"),
        distribution("learn", "1.0", "torch", "mlx"),
        windows=True,
    )

    with pytest.raises(ConfigurationError) as caught:
        prepared(here, tmp_path, imported=frozenset(["learn"]))
    message = str(caught.value)
    assert "\n" not in message
    assert "torch 2.14.0 (needed by learn, vision)" in message
    assert "mlx 1.0 (needed by learn)" in message
    assert (
        'c.AzureVMLauncher.sync_accept = ["audio==2.15.0", "jaxlib==0.4", "torch==2.15.0"]'
        in message
    )
    assert 'c.AzureVMLauncher.sync_exclude = ["mlx"]' in message
    assert not list(tmp_path.glob("pylock.*.toml"))

    result = prepared(here, tmp_path, sync_accept=("torch==2.15.0", "audio==2.15.0"))
    assert "torch 2.15.0 instead of 2.14.0" in " ".join(result.warnings)
    assert locked(result)["torch"] == "2.15.0"
    assert locked(result).keys() & {"mlx", "jaxlib"} == set()
    assert "2 left out: jaxlib, mlx" in result.summary

    with pytest.raises(ConfigurationError, match=r"jaxlib 0\.5"):
        prepared(here, tmp_path, sync_accept=("torch==2.15.0", "audio==2.15.0"), sync_strict=True)


MISSING = [("audio", "2.14.0"), ("torch", "2.14.0"), ("jaxlib", "0.5"), ("mlx", "1.0")]


def test_requirements_add_and_win(index: PackageIndex, tmp_path: Path) -> None:
    index.add("numbers-of", "1.0")
    index.add("numbers-of", "2.0")
    index.add("frames", "1.0", "numbers-of>=2", "more; extra == 'excel'")
    index.add("more", "5.0")
    index.add("new", "1.0", "newer")
    index.add("newer", "1.0")
    here = installed(
        distribution("numbers-of", "2.0"),
        distribution("frames", "1.0", "numbers-of>=2", "more; extra == 'excel'"),
    )

    result = prepared(
        here, tmp_path, requirements=("Numbers_Of<2", "frames[excel]", "new", "no; os_name=='nt'")
    )

    assert locked(result) == {
        "ipyparallel": IPYPARALLEL,
        "numbers-of": "1.0",
        "frames": "1.0",
        "more": "5.0",
        "new": "1.0",
        "newer": "1.0",
    }
    assert result.warnings == (
        "The machines get numbers-of 1.0 instead of 2.0, as 'Numbers_Of<2' is required.",
    )
    assert result.summary == "3 packages: 3 fetched here; 3 more that requirements need"


def test_minimal_has_ipyparallel_numpy_and_requirements(
    index: PackageIndex, tmp_path: Path
) -> None:
    index.add("numpy", "2.0")
    index.add("spam", "1.0")
    index.add("extra", "1.0")
    here = installed(distribution("numpy", "2.0"), distribution("spam", "1.0"))

    result = prepared(here, tmp_path, kind="minimal", requirements=("extra",))

    assert locked(result) == {"ipyparallel": IPYPARALLEL, "numpy": "2.0", "extra": "1.0"}
    assert result.summary == "3 packages: 3 fetched here"


def test_sources_alone_are_built(index: PackageIndex, tmp_path: Path) -> None:
    for name in ("pinned", "required", "needed"):
        project = make_project(tmp_path / name, name)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            archive.add(project, arcname=f"{name}-1.0")
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
            entry = tarfile.TarInfo(f"{name}-1.0/PKG-INFO")
            entry.size = len(metadata)
            archive.addfile(entry, io.BytesIO(metadata))
        index.files[f"{name}-1.0.tar.gz"] = buffer.getvalue()
    index.add("spam", "1.0", "needed; sys_platform == 'linux'")
    here = installed(
        distribution("pinned", "1.0", has_record=False),
        distribution("spam", "1.0", "needed; sys_platform == 'linux'"),
        windows=True,
    )

    result = prepared(here, tmp_path, requirements=("required",))

    assert locked(result).keys() == {"ipyparallel", "spam", "pinned", "required", "needed"}
    assert result.warnings == ()


def test_what_is_excluded_stays_away(index: PackageIndex, tmp_path: Path) -> None:
    index.add("spam", "1.0", "eggs")
    index.add("eggs", "1.0")
    here = installed(distribution("spam", "1.0", "eggs"), distribution("eggs", "1.0"))

    result = prepared(here, tmp_path, sync_exclude=("Eggs",))

    assert locked(result) == {"ipyparallel": IPYPARALLEL, "spam": "1.0"}
    assert result.warnings == ("sync_exclude leaves out eggs, which spam needs.",)


def test_a_lock_is_taken_again_unless_something_has_changed(
    index: PackageIndex, tmp_path: Path
) -> None:
    index.add("spam", "1.0")
    index.add("eggs", "1.0")
    here = installed(distribution("spam", "1.0"))
    first = prepared(here, tmp_path)
    index.asked.clear()

    started = os.times()
    assert prepared(here, tmp_path, imported=frozenset(["spam"])) == first
    ended = os.times()
    assert sum(ended[:4]) - sum(started[:4]) < 0.5  # of CPU, with processes: no uv was run
    assert index.asked == []

    first.wheels[0].unlink()
    assert prepared(here, tmp_path) == first
    more = prepared(here, tmp_path, requirements=("eggs",))
    assert locked(more).keys() == {"ipyparallel", "spam", "eggs"}
    assert len(list((tmp_path / "wheels").iterdir())) == 3
    assert locked(prepared(here, tmp_path)).keys() == {"ipyparallel", "spam"}
    assert len(list((tmp_path / "wheels").iterdir())) == 2

"""An environment with what no index has: made into wheels that install elsewhere, offline."""

import json
import platform
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from ipcluster_azure.environment.installed import read_environment
from ipcluster_azure.environment.prepare import prepare, prepare_from
from ipcluster_azure.environment.selection import PreparedEnvironment, Selection, Target
from ipcluster_azure.environment.telling import Telling
from ipcluster_azure.errors import ConfigurationError
from tests.package_index import PackageIndex

from ..made_packages import UV, Venv, make_project, make_wheel
from .conftest import IPYPARALLEL
from .test_prepare import distribution, installed, locked
from .test_prepare import prepared as on_linux

TARGET = Target(f"{sys.version_info.major}.{sys.version_info.minor}", "x86_64", (2, 39))
only_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="the wheels are for x86_64")


@pytest.fixture
def tool(tmp_path: Path, index: PackageIndex) -> Venv:
    """An environment with one of each: index, git, editable, folder, patched, conda, nowhere."""
    tool, wheels = Venv(tmp_path / "tool"), tmp_path / "wheels"
    wheels.mkdir()
    for name in ("listed", "patched", "condas", "nowhere"):
        tool.install(make_wheel(wheels, name, requires=["listed"] if name == "patched" else []))
        told = tool.site / f"{name}-1.0.dist-info" / "direct_url.json"
        told.unlink()  # as if from an index
    for name in ("listed", "patched", "condas"):
        index.add(name, "1.0")
    (tool.site / "patched" / "__init__.py").write_text("VALUE = 'by hand'\n")
    built = {"url": "file:///croot/condas_17/work", "dir_info": {}}
    (tool.site / "condas-1.0.dist-info" / "direct_url.json").write_text(json.dumps(built))
    (tool.site / "condas-1.0.dist-info" / "INSTALLER").write_text("conda")
    ipyparallel = tmp_path / f"ipyparallel-{IPYPARALLEL}-py3-none-any.whl"
    ipyparallel.write_bytes(index.files[ipyparallel.name])
    tool.install(ipyparallel)
    (tool.site / f"ipyparallel-{IPYPARALLEL}.dist-info" / "direct_url.json").unlink()

    tool.install(make_project(tmp_path / "folder", "folder"))
    tool.install("--editable", make_project(tmp_path / "edited", "edited"))
    repository = make_project(tmp_path / "repository", "repository")
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "--quiet", "-m", "x"],
    ):
        git: list[str] = ["git", "-C", str(repository), *command]
        subprocess.run(git, check=True)
    tool.install(f"repository @ git+{repository.as_uri()}")
    return tool


def prepared(tool: Venv, folder: Path) -> PreparedEnvironment:
    here = read_environment(tool.python)
    return prepare_from(here, Selection(), TARGET, folder, Telling(lambda text: None))


@only_x86
def test_all_of_it_installs_elsewhere(tool: Venv, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()

    target = replace(TARGET, python="3.9")  # the interpreter that is read is what counts
    result = prepare(Selection(sync_python=tool.python), target, folder, print)

    assert result.python == f"{sys.version_info.major}.{sys.version_info.minor}"
    names = ["listed", "patched", "condas", "nowhere", "folder", "edited", "repository"]
    assert locked(result) == {**dict.fromkeys(names, "1.0"), "ipyparallel": IPYPARALLEL}
    assert result.summary == "8 packages: 5 built here, 3 fetched here"
    assert result.warnings == (
        "patched 1.0 goes as it was changed by hand here, in patched/__init__.py.",
    )
    other = Venv(tmp_path / "other")
    sync = [UV, "pip", "sync", "--offline", "--no-build", "--preview-features", "pylock"]
    other.run(*sync, "--python", other.python, result.lock)
    script = "import patched, edited, folder, repository, nowhere; print(patched.VALUE)"
    assert other.run(other.python, "-c", script) == "by hand\n"


def test_a_patch_is_laid_over_the_wheel_for_linux(index: PackageIndex, tmp_path: Path) -> None:
    index.add("fast", "1.0", tag="cp311-cp311-win_amd64")
    index.add("fast", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    (tmp_path / "fast.py").write_text("by_hand = 1\n")
    patched = distribution(
        "fast",
        "1.0",
        tags=("cp311-cp311-win_amd64",),
        location=str(tmp_path),
        changed=("fast.py",),
    )

    result = on_linux(installed(patched, windows=True), tmp_path)

    (wheel,) = [path for path in result.wheels if path.name.startswith("fast")]
    assert wheel.name == "fast-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("fast.py") == b"by_hand = 1\n"
    assert result.warnings == ("fast 1.0 goes as it was changed by hand here, in fast.py.",)


@only_x86
def test_what_an_index_lists_and_does_not_give_is_packed(
    tool: Venv, index: PackageIndex, tmp_path: Path
) -> None:
    index.withheld.add("listed-1.0-py3-none-any.whl")

    result = prepared(tool, tmp_path)

    assert locked(result)["listed"] == "1.0"


def test_what_can_not_be_fetched_is_named_at_once(index: PackageIndex, tmp_path: Path) -> None:
    for name in ("spam", "eggs"):
        index.withheld.add(index.add(name, "1.0"))
    here = installed(distribution("spam", "1.0"), distribution("eggs", "1.0"))

    with pytest.raises(ConfigurationError) as caught:
        on_linux(here, tmp_path)

    for name in ("spam", "eggs"):
        assert f"{name}-1.0-py3-none-any.whl from {index.url}: HTTP 404" in str(caught.value)


@only_x86
def test_a_change_of_sources_or_patches_makes_another_lock(tool: Venv, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    first = prepared(tool, folder).lock.read_text()
    assert prepared(tool, folder).lock.read_text() == first
    (tmp_path / "edited" / "edited" / "__init__.py").write_text("VALUE = 'edited'\n")
    second = prepared(tool, folder).lock.read_text()
    assert second != first
    (tool.site / "patched" / "__init__.py").write_text("VALUE = 'by another hand'\n")
    assert prepared(tool, folder).lock.read_text() not in (first, second)

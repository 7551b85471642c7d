"""python_lock: files that say which packages the machines get."""

import hashlib
import subprocess
from pathlib import Path

import pytest
import uv

from ipcluster_azure.errors import ConfigurationError
from tests.package_index import PackageIndex

from ..made_packages import make_project
from .conftest import IPYPARALLEL
from .test_prepare import distribution, installed, locked, prepared

HERE = installed(distribution("not-asked-for", "1.0"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    return folder


@pytest.fixture
def filled(index: PackageIndex) -> PackageIndex:
    for version in ("1.0", "2.0"):
        index.add("spam", version, "eggs", "windows-only; sys_platform == 'win32'")
    index.add("eggs", "1.0")
    index.add("fast", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    index.add("fast", "1.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    index.add("fast", "1.0", tag="cp311-cp311-win_amd64")
    index.add("windows-only", "1.0", tag="cp311-cp311-win_amd64")
    return index


def digest(index: PackageIndex, file_name: str) -> str:
    return hashlib.sha256(index.files[file_name]).hexdigest()


EXPECTED = {"ipyparallel": IPYPARALLEL, "spam": "1.0", "eggs": "1.0", "fast": "1.0"}


def test_requirements(filled: PackageIndex, tmp_path: Path, folder: Path) -> None:
    make_project(tmp_path / "own", "own")
    sha256 = digest(filled, "spam-1.0-py3-none-any.whl")
    (tmp_path / "more.txt").write_text("fast  # and a comment\n-c limits.txt\n")
    (tmp_path / "limits.txt").write_text("spam<2\n")
    given = tmp_path / "requirements.txt"
    given.write_text(
        f"-r more.txt\nSpam==1.0 \\\n  --hash=sha256:{sha256}\n-e ./own\n"
        f"--extra-index-url {filled.url}\n"
    )

    result = prepared(HERE, folder, python_lock=str(given))

    assert locked(result) == {**EXPECTED, "own": "1.0"}
    assert result.summary == "4 packages: 1 built here, 3 fetched here; 1 more for ipyparallel"
    assert not (tmp_path / "own" / "build").exists()


def test_a_wheel_without_a_hash_that_was_given_is_refused(
    filled: PackageIndex, tmp_path: Path, folder: Path
) -> None:
    given = tmp_path / "requirements.txt"
    given.write_text(f"spam==1.0 --hash=sha256:{'0' * 64}\n")

    with pytest.raises(ConfigurationError, match=r"no wheel of spam 1\.0 has one of the hashes"):
        prepared(HERE, folder, python_lock=str(given))


def test_pylock(filled: PackageIndex, tmp_path: Path, folder: Path) -> None:
    entries = []
    for name in ("spam-1.0-py3-none-any.whl", "eggs-1.0-py3-none-any.whl"):
        (tmp_path / name).write_bytes(filled.files[name])
        entries.append((name, f'path = "{name}"'))
    for name in filled.files:
        if name.startswith("fast"):
            entries.append((name, f'url = "http://127.0.0.1:{filled.port}/files/{name}"'))
    packages: dict[str, list[str]] = {}
    for name, place in entries:
        wheel = f'{{ {place}, hashes = {{ sha256 = "{digest(filled, name)}" }} }}'
        packages.setdefault(name.partition("-")[0], []).append(wheel)
    text = 'lock-version = "1.0"\ncreated-by = "x"\nrequires-python = ">=3.10"\n'
    for name, wheels in packages.items():
        text += f'[[packages]]\nname = "{name}"\nversion = "1.0"\nwheels = [{", ".join(wheels)}]\n'
    text += '[[packages]]\nname = "no"\nversion = "1.0"\nmarker = "sys_platform == \'win32\'"\n'
    given = tmp_path / "pylock.team.toml"
    given.write_text(text)

    result = prepared(HERE, folder, python_lock=str(given))

    assert locked(result) == EXPECTED
    assert "fast-1.0-cp311-cp311-manylinux_2_28_x86_64.whl" in result.lock.read_text()


def test_uv_lock(
    filled: PackageIndex, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_NO_CONFIG")
    project = make_project(tmp_path / "project", "own")
    path = project / "pyproject.toml"
    more = 'requires-python = ">=3.10"\ndependencies = ["spam<2", "fast"]\n'
    more += f'[[tool.uv.index]]\nurl = "{filled.url}"\ndefault = true\n'
    path.write_text(path.read_text() + more)
    command = [uv.find_uv_bin(), "lock", "--quiet", "--project", str(project)]
    subprocess.run(command, check=True)
    before = sorted((item, item.read_bytes()) for item in project.rglob("*") if item.is_file())

    result = prepared(HERE, folder, python_lock=str(project / "uv.lock"))

    assert locked(result) == {**EXPECTED, "own": "1.0"}
    assert before == sorted(
        (item, item.read_bytes()) for item in project.rglob("*") if item.is_file()
    )


def test_pyproject(filled: PackageIndex, tmp_path: Path, folder: Path) -> None:
    given = tmp_path / "pyproject.toml"
    given.write_text('[project]\nname = "x"\nversion = "1"\ndependencies = ["spam<2", "fast"]\n')

    result = prepared(HERE, folder, python_lock=str(given), requirements=("spam>=2",))

    assert locked(result) == {**EXPECTED, "spam": "2.0"}
    assert result.warnings == (
        "The machines get spam 2.0 instead of 1.0, as 'spam>=2' is required.",
    )


def test_the_lock_is_made_anew_when_the_file_or_what_it_includes_changes(
    filled: PackageIndex, tmp_path: Path, folder: Path
) -> None:
    given, limits = tmp_path / "requirements.txt", tmp_path / "limits.txt"
    given.write_text("-c limits.txt\nspam\n")
    limits.write_text("spam<2\n")
    first = prepared(HERE, folder, python_lock=str(given))
    assert locked(first)["spam"] == "1.0"
    filled.asked.clear()
    assert prepared(HERE, folder, python_lock=str(given)) == first
    assert filled.asked == []
    limits.write_text("spam<3\n")
    assert locked(prepared(HERE, folder, python_lock=str(given)))["spam"] == "2.0"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pylock.toml", "packages = [", "is not TOML"),
        ("pylock.toml", "lock-version = '1.0'", r"is not a lock: it has no \[\[packages\]\]"),
        ("pylock.toml", "requires-python = '<3.9'\npackages = []", "is for Python <3.9"),
        ("pylock.toml", "[[packages]]\nname = 'x'\nmarker = 'and'", "marker 'and' of x"),
        ("pylock.toml", "[[packages]]\nname = 'x'\nversion = '1'", "No wheel of x 1 is for"),
        ("pylock.toml", "[[packages]]\nname = 'x'\nvcs = {type = 'git'}", "is damaged"),
        ("uv.lock", "version = 1", "can't be used"),
        ("pyproject.toml", "[project]\nname = 1", "can't be used"),
        ("pyproject.toml", "[project]\nname='x'\nrequires-python='>=4'", "is for Python >=4"),
        ("requirements.txt", "spam ==\n", "can't be used"),
        ("requirements.txt", "-r nowhere.txt\n", "nowhere.txt can't be read"),
        ("requirements.txt", "nowhere-to-be-found==1.0\n", "nowhere-to-be-found"),
        ("requirements.txt", "ipyparallel==1.0\nspam\x00", "can't be used"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    name: str, text: str, message: str, filled: PackageIndex, tmp_path: Path, folder: Path
) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(ConfigurationError, match=message) as caught:
        prepared(HERE, folder, python_lock=str(tmp_path / name))

    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value) or "No wheel" in str(caught.value)
    assert not list(folder.glob("pylock.*.toml"))


def test_a_file_that_is_not_there_is_named(filled: PackageIndex, folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no file /nowhere/uv\.lock"):
        prepared(HERE, folder, python_lock="/nowhere/uv.lock")

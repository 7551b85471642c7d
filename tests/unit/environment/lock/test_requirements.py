"""requirements that are addresses: of wheels, archives and git repositories."""

import subprocess
from pathlib import Path

import pytest

from ipcluster_azure.environment.carry import git_source
from ipcluster_azure.errors import ConfigurationError
from tests.package_index import PackageIndex, served

from ..made_packages import make_project
from .test_prepare import distribution, installed, locked, prepared

HERE = installed(distribution("spam", "1.0"))
SECRET = "s3cr3t-pa55"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """With a project in a folder of it, and a tag and a branch before its last commit."""
    place = tmp_path / "repository"
    make_project(place / "inner", "spam", "1.5")
    git(place, "init", "--quiet")
    commit(place)
    git(place, "tag", "-a", "v1", "-m", "x")
    git(place, "branch", "old")
    (place / "more.txt").write_text("more")
    commit(place)
    return place


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
    command: list[str] = ["git", "-C", str(folder), *identity, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "x")


@pytest.mark.parametrize("revision", ["", "v1", "old", "HEAD~0"])
def test_a_repository_says_which_commit_is_meant(repository: Path, revision: str) -> None:
    url = f"git+{repository.as_uri()}" + (f"@{revision}" if revision else "")
    if revision == "HEAD~0":
        with pytest.raises(ConfigurationError, match="has no branch, tag or commit 'HEAD~0'"):
            git_source(url)
        return
    source = git_source(f"{url}#subdirectory=inner")
    assert source.commit == git(repository, "rev-parse", f"{revision or 'HEAD'}^{{commit}}")
    assert (source.repository, source.subdirectory) == (repository.as_uri(), "inner")


def test_a_user_name_is_no_revision() -> None:
    with pytest.raises(ConfigurationError) as caught:
        git_source(f"git+http://me:{SECRET}@127.0.0.1:9/x.git")
    assert "127.0.0.1:9/x.git" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("named", ["spam @ ", ""])
def test_git(named: str, repository: Path, index: PackageIndex, tmp_path: Path) -> None:
    index.add("spam", "1.0")
    text = f"{named}git+{repository.as_uri()}@v1#subdirectory=inner"

    result = prepared(HERE, tmp_path, requirements=(text,))

    assert locked(result)["spam"] == "1.5"
    assert "spam 1.5 instead of 1.0" in result.warnings[0]
    assert prepared(HERE, tmp_path, requirements=(text,)) == result


@pytest.mark.parametrize("named", ["spam @ ", ""])
def test_a_wheel_at_an_address_with_a_password(
    named: str, index: PackageIndex, tmp_path: Path
) -> None:
    with served(PackageIndex(password=SECRET)) as other:
        name = other.add("spam", "2.0", "eggs")
        index.add("eggs", "1.0")
        url = f"{other.url_for('me', SECRET).removesuffix('simple')}files/{name}"

        result = prepared(HERE, tmp_path, requirements=(named + url,))

    assert locked(result).keys() == {"ipyparallel", "spam", "eggs"}
    assert SECRET not in repr(result)
    for path in tmp_path.glob("pylock.*"):
        assert SECRET not in path.read_text()


def test_what_can_not_be_met_is_one_line(index: PackageIndex, tmp_path: Path) -> None:
    index.add("spam", "1.0")
    for text in ("nowhere>1", "spam>9", "git+file:///nowhere", "spam @ https://127.0.0.1:9/s.zip"):
        with pytest.raises(ConfigurationError) as caught:
            prepared(HERE, tmp_path, requirements=(text,))
        assert "\n" not in str(caught.value)

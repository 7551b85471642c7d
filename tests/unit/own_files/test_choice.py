"""sync_paths -> which files go, and under which names."""

import os
from pathlib import Path

import pytest

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.own_files.choice import Choice, choose


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")


def names(folder: Path, *paths: str, **options: object) -> list[str]:
    choice = Choice(folder, paths or ("auto",), 64, **options)  # type: ignore[arg-type]
    return sorted(choose(choice).files)


def test_by_default_what_can_be_imported_goes(tmp_path: Path) -> None:
    goes = [
        "analysis.py",
        "fast.cpython-311-x86_64-linux-gnu.so",
        "mypkg/__init__.py",
        "mypkg/rates.json",
        "mypkg/sub/deep.py",
        "without_init/a.py",
    ]
    stays = [
        "analysis.ipynb",
        "data.csv",
        "data/x.csv",
        "no-name/b.py",
        ".git/hooks/c.py",
        ".hidden.py",
        "__pycache__/d.py",
        "node_modules/e.py",
        "mine/pyvenv.cfg",
        "mine/lib/f.py",
        "conda/conda-meta/history",
        "conda/g.py",
        "mypkg/__pycache__/h.pyc",
        "mypkg.egg-info/i.py",
        "profile_azure/ipcluster_config.py",
        "profile_azure/startup/j.py",
    ]
    make(tmp_path, *goes, *stays)
    (tmp_path / "mypkg" / "large.bin").write_bytes(b"x" * 1_000_001)
    assert names(tmp_path) == goes


def test_in_the_home_directory_packages_alone_are_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    make(tmp_path / "home", "a.py", "mypkg/__init__.py", "projects/b.py", "projects/p/__init__.py")
    assert names(tmp_path / "home") == ["a.py", "mypkg/__init__.py"]
    assert names(tmp_path) == []  # around it
    assert names(tmp_path / "home" / "projects") == ["b.py", "p/__init__.py"]


def test_folders_that_the_program_imports_from_are_among_it(tmp_path: Path) -> None:
    make(tmp_path, "src/a.py", "my-scripts/b.py", ".venv/pyvenv.cfg", ".venv/lib/c.py")
    path = ("src", str(tmp_path / "my-scripts"), str(tmp_path / ".venv/lib"), str(tmp_path), "/usr")
    chosen = choose(Choice(tmp_path, ("auto",), 64, path))
    assert sorted(chosen.files) == ["my-scripts/b.py", "src/a.py"]
    assert chosen.search == ("src", "my-scripts")


def test_the_ipython_directory_is_not_looked_into(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "ipython/b.py", "ipython/profile_azure/security/c.py")
    never = (tmp_path / "ipython",)
    assert names(tmp_path, never=never) == ["a.py"]
    assert names(tmp_path / "ipython", never=never) == ["b.py"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    make(tmp_path, "work/a.py", "lib/mine/b.py")
    work = tmp_path / "work"
    (work / "mine").symlink_to(tmp_path / "lib" / "mine")
    (work / "broken.py").symlink_to(tmp_path / "gone.py")
    (work / "round").symlink_to(work)
    os.mkfifo(work / "pipe.py")
    assert names(work) == ["a.py", "mine/b.py"]
    assert names(work, "round") == ["round/a.py", "round/mine/b.py"]


def test_what_is_named_goes_with_its_path(tmp_path: Path) -> None:
    make(
        tmp_path,
        *("work/a.py", "work/data/x.csv", "work/data/y.csv", "work/data/.z", "work/[odd].txt"),
        *("shared/tool.py", "shared/deep/more.txt"),
    )
    work = tmp_path / "work"
    assert names(work, "data") == ["data/x.csv", "data/y.csv"]
    assert names(work, "data/.z", "[odd].txt") == ["[odd].txt", "data/.z"]
    assert names(work, "data/x*", "auto") == ["a.py", "data/x.csv"]
    assert names(work, "**/*.csv") == ["data/x.csv", "data/y.csv"]
    assert names(work, ".") == ["[odd].txt", "a.py", "data/x.csv", "data/y.csv"]
    assert names(work, "../shared") == ["shared/deep/more.txt", "shared/tool.py"]
    assert names(work, str(tmp_path / "shared" / "tool.py")) == ["tool.py"]
    assert names(work, "../shared/*.py") == ["tool.py"]


def test_a_named_folder_of_modules_is_imported_from(tmp_path: Path) -> None:
    make(tmp_path, "work/src/a.py", "lib/b.py", "pkg/__init__.py", "data/x.csv")
    entries = ("src", "../lib", "../pkg", "../data")
    chosen = choose(Choice(tmp_path / "work", entries, 64))
    assert chosen.search == ("src", "lib")


def test_all_that_can_not_be_meant_is_named_at_once(tmp_path: Path) -> None:
    make(tmp_path, "work/a.py", "one/tool.py", "two/tool.py", "home/.ssh/key", "three/a.py/b.txt")
    entries = ("missing.csv", "no*.csv", "../one/tool.py", "../two/tool.py", "../home/.ssh")
    with pytest.raises(ConfigurationError) as caught:
        names(tmp_path / "work", *entries)
    work = tmp_path / "work"
    assert str(caught.value) == (
        f"sync_paths: there is no 'missing.csv' in {work}; there is no 'no*.csv' in {work}; both "
        f"{tmp_path}/one/tool.py and {tmp_path}/two/tool.py would be tool.py on the machines; "
        "../home/.ssh would be the machines' own .ssh."
    )
    with pytest.raises(ConfigurationError, match=r"a\.py would be a file and a folder"):
        names(work, "a.py", "../three/a.py")
    assert names(work, "a.py", "*.py", "./a.py") == ["a.py"]


def test_another_systems_path_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no 'data\\\\x.csv' in .* \(paths have / here\)"):
        names(tmp_path, "data\\x.csv")

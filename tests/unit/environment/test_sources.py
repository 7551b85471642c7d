"""Which of a project's files are copied for a build."""

import os
from pathlib import Path

import pytest

from ipcluster_azure.environment import sources

from .test_build import run_git


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_what_is_left_out(tmp_path: Path) -> None:
    kept = [
        ".gitignore",
        "docs/build/page.rst",
        "mine/dist/__init__.py",
        "mine/größe mit space.txt",
        "pyproject.toml",
        "tests/data/x.egg-info/PKG-INFO",
        "dist/__init__.py",
    ]
    make(
        tmp_path,
        *kept,
        ".git/config",
        "mine/__pycache__/x.cpython-311.pyc",
        "build/lib/mine/old.py",
        "mine.egg-info/SOURCES.txt",
        "src/mine.egg-info/SOURCES.txt",
        "my env/pyvenv.cfg",
        "my env/lib/x.py",
        "conda/conda-meta/history",
        ".tox/x.py",
        "submodule/.git",
    )
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to("gone")
    assert list(sources.source_files(tmp_path)) == sorted(kept)


def test_links_are_followed_but_not_round(tmp_path: Path) -> None:
    project, shared = tmp_path / "project", tmp_path / "shared"
    make(project, "mine/__init__.py")
    make(shared, "shared.py")
    (project / "mine" / "shared").symlink_to(shared)
    (project / "mine" / "alias.py").symlink_to("__init__.py")
    (project / "mine" / "round").symlink_to(project)
    (shared / "back").symlink_to(project / "mine")
    files = sources.source_files(project)
    assert list(files) == ["mine/__init__.py", "mine/alias.py", "mine/shared/shared.py"]
    copies = sources.copy(files, tmp_path / "copy")
    assert not any(path.is_symlink() for path in (tmp_path / "copy").rglob("*"))
    assert copies["mine/alias.py"].read_text() == "mine/__init__.py"
    assert {path.stat().st_mtime for path in copies.values()} == {sources.BUILD_TIME}
    assert sources.hash_of(copies) == sources.hash_of(files)


def test_the_hash_says_all_that_a_build_may_see(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "run.sh")
    hashes = [sources.hash_of(sources.source_files(tmp_path))]
    os.utime(tmp_path / "a.py", (10**9, 10**9))
    assert sources.hash_of(sources.source_files(tmp_path)) == hashes[0]
    (tmp_path / "run.sh").chmod(0o755)
    hashes.append(sources.hash_of(sources.source_files(tmp_path)))
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    hashes.append(sources.hash_of(sources.source_files(tmp_path)))
    (tmp_path / "b.py").write_text("other")
    hashes.append(sources.hash_of(sources.source_files(tmp_path)))
    assert len(set(hashes)) == 4


def test_of_a_very_large_folder_what_git_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LARGEST", 1000)
    make(tmp_path, "mine/__init__.py", ".gitignore", "untracked.py")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.bin").write_bytes(bytes(2000))
    with pytest.raises(sources.Unusable, match=r"more than 0 MB.*\.gitignore"):
        sources.source_files(tmp_path)
    (tmp_path / ".gitignore").write_text("data/\n")
    run_git(tmp_path, "init", "--quiet")
    run_git(tmp_path, "add", "mine")
    files = sources.source_files(tmp_path)
    assert list(files) == [".gitignore", "mine/__init__.py", "untracked.py"]
    (tmp_path / ".gitignore").write_text("")
    with pytest.raises(sources.Unusable, match="too much to build a wheel from"):
        sources.source_files(tmp_path)


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    gone = {"x.py": tmp_path / "gone" / "x.py"}
    with pytest.raises(sources.Unusable, match=r"gone isn't there \(any more\)"):
        sources.source_files(tmp_path / "gone")
    with pytest.raises(sources.Unusable, match="can't be read: No such file"):
        sources.hash_of(gone)
    with pytest.raises(sources.Unusable, match="can't be copied: No such file"):
        sources.copy(gone, tmp_path / "copy")

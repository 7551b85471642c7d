"""Wheels of sources, built by uv with real build backends."""

import base64
import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from ipcluster_azure.environment import build, long_command
from ipcluster_azure.environment.build import Builder
from ipcluster_azure.environment.installed import read_environment
from ipcluster_azure.environment.selection import Target
from ipcluster_azure.errors import ConfigurationError
from tests.processes import ends

from .made_packages import make_project

GIT = ["git", "-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "init.defaultBranch=main"]


def fits(tags: Iterable[str]) -> bool:
    """As a Linux with Python 3.11 would say it."""
    ours = re.compile(r"(py3-none-any|cp311-(cp311|none)-(manylinux|linux)\w*)")
    return any(ours.fullmatch(tag) for tag in tags)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def builder(said: list[str], tmp_path: Path) -> Builder:
    return Builder(
        environment=replace(read_environment(sys.executable, []), glibc=(2, 36)),
        target=Target("3.11", "x86_64", (2, 39)),
        fits=fits,
        say=said.append,
    )


def held(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def state(folder: Path) -> list[tuple[str, int, int]]:
    every = sorted(folder.rglob("*"))
    return [(str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in (folder, *every)]


def run_git(folder: Path, *arguments: str) -> str:
    done = subprocess.run([*GIT, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_folder_is_built_from_a_copy_once(builder: Builder, tmp_path: Path, cache: Path) -> None:
    project = make_project(tmp_path / "größe mit space", "mine")
    (project / "mine" / "module.py").write_text("X = 1\n")
    before = state(project)
    wheel = builder.folder("mine", "1.0", project)
    assert wheel.name == "mine-1.0-py3-none-any.whl"
    assert held(wheel)["mine/module.py"] == "X = 1\n"
    assert state(project) == before
    assert sorted(p.name for p in wheel.parent.iterdir() if p.name != ".lock") == [
        "build.log",
        wheel.name,
    ]
    content, made = wheel.read_bytes(), wheel.stat().st_mtime_ns
    os.utime(project / "mine" / "module.py", (10**9, 10**9))
    assert builder.folder("mine", "1.0", project) == wheel
    assert wheel.stat().st_mtime_ns == made
    shutil.rmtree(cache)
    assert builder.folder("mine", "1.0", project).read_bytes() == content

    (project / "mine" / "module.py").write_text("X = 2\n")
    changed = builder.folder("mine", "1.0", project)
    assert changed != wheel
    assert held(changed)["mine/module.py"] == "X = 2\n"
    (project / "mine" / "added.py").write_text("")
    assert "mine/added.py" in held(builder.folder("mine", "1.0", project))


def test_what_a_killed_start_left_is_not_built(builder: Builder, tmp_path: Path) -> None:
    project = make_project(tmp_path / "mine", "mine")
    wheel = builder.folder("mine", "1.0", project)
    wheel.unlink()
    stale = wheel.parent / "source" / "mine" / "stale.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    (wheel.parent / "out").mkdir()
    (wheel.parent / "out" / "half-1.0-py3-none-any.whl").write_text("")
    assert builder.folder("mine", "1.0", project) == wheel
    assert "mine/stale.py" not in held(wheel)
    assert not stale.parent.parent.exists()


SCM_PROJECT = """\
[build-system]
requires = ["setuptools>=64", "setuptools-scm>=8"]
build-backend = "setuptools.build_meta"
[project]
name = "Scm.Project"
dynamic = ["version"]
[project.scripts]
scm-tool = "scm:main"
[tool.setuptools.packages.find]
where = ["src"]
[tool.setuptools_scm]
version_file = "src/scm/_version.py"
"""


def test_a_version_from_git_stays_the_installed_one(
    builder: Builder, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And files are in it that only git knows of, and leftovers of older builds are not."""
    project = tmp_path / "scm"
    (project / "src/scm").mkdir(parents=True)
    (project / "pyproject.toml").write_text(SCM_PROJECT)
    (project / "src/scm/__init__.py").write_text("from ._version import version\n")
    (project / "src/scm/table.csv").write_text("1,2\n")
    run_git(project, "init", "--quiet")
    run_git(project, "add", "--all")
    run_git(project, "commit", "--quiet", "--message", "first")
    run_git(project, "tag", "v3.0")
    (project / "build/lib/scm").mkdir(parents=True)
    (project / "build/lib/scm/old.py").write_text("")
    (project / "src/scm.egg-info").mkdir()
    (project / "src/scm.egg-info/SOURCES.txt").write_text("nothing\n")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another"))  # as within a hook
    before = state(project)
    wheel = builder.folder("scm-project", "2.5.dev3+g0a1b2c3", project)
    assert wheel.name == "scm_project-2.5.dev3+g0a1b2c3-py3-none-any.whl"
    files = held(wheel)
    assert {name for name in files if name.startswith("scm/")} == {
        "scm/__init__.py",
        "scm/_version.py",
        "scm/table.csv",
    }
    assert "2.5.dev3+g0a1b2c3" in files["scm/_version.py"]
    assert state(project) == before
    content = wheel.read_bytes()
    shutil.rmtree(cache)
    assert builder.folder("scm-project", "2.5.dev3+g0a1b2c3", project).read_bytes() == content


ASKS_GIT = (
    "global VERSION; import subprocess; "
    "VERSION = subprocess.check_output(['git', 'describe', '--tags']).decode().strip(); "
    "VERSION = VERSION.rpartition('v')[2].replace('-', '+', 1).replace('-', '.')"
)


def test_a_backend_that_asks_git_for_the_version(builder: Builder, tmp_path: Path) -> None:
    """It is told the installed one; without one, what the repository says by now."""
    project = make_project(tmp_path / "mine", "mine", in_build=ASKS_GIT)
    run_git(project, "init", "--quiet")
    run_git(project, "add", "--all")
    run_git(project, "commit", "--quiet", "--message", "first")
    run_git(project, "tag", "v3.0")
    before = state(project)
    assert builder.folder("mine", "2.5", project).name == "mine-2.5-py3-none-any.whl"
    assert builder.folder("mine", "", project).name == "mine-3.0-py3-none-any.whl"
    assert state(project) == before
    run_git(project, "tag", "v3.1")
    run_git(project, "tag", "--delete", "v3.0")
    assert builder.folder("mine", "", project).name == "mine-3.1-py3-none-any.whl"
    (project / "setup.cfg").write_text("[versioneer]\ntag_prefix = releases/v\n")
    assert builder.folder("mine", "2.5", project).name == "mine-2.5-py3-none-any.whl"


def test_hatch_vcs_does_not_tell_for_which_project_it_asks(
    builder: Builder, tmp_path: Path
) -> None:
    code = "global VERSION; VERSION = os.environ.get('SETUPTOOLS_SCM_PRETEND_VERSION', '0')"
    project = make_project(tmp_path / "mine", "mine", in_build=code)
    assert builder.folder("mine", "2.5", project).name == "mine-0-py3-none-any.whl"
    with open(project / "pyproject.toml", "a") as file:
        file.write("# hatch-vcs\n")
    assert builder.folder("mine", "2.5", project).name == "mine-2.5-py3-none-any.whl"


def test_without_git_on_this_computer(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "mine", "mine")
    run_git(project, "init", "--quiet")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert builder.folder("mine", "1.0", project).exists()
    text = failure(builder, "mine", project.as_uri(), "0" * 40, method="repository")
    assert "mine can't be built: git: No such file or directory." in text


def test_what_was_compiled_for_this_computer_only(builder: Builder, tmp_path: Path) -> None:
    native = make_project(tmp_path / "a", "native", tag="cp311-cp311-linux_x86_64")
    assert builder.folder("native", "1.0", native).name == "native-1.0-cp311-cp311-linux_x86_64.whl"
    older = replace(builder, target=Target("3.11", "x86_64", (2, 31)))
    for _ in range(2):  # the second time it is there already
        with pytest.raises(ConfigurationError) as raised:
            older.folder("native", "1.0", native)
        assert str(raised.value) == (
            "native can't be built: the sources give native-1.0-cp311-cp311-linux_x86_64.whl, "
            "compiled for this computer, and the machines have Python 3.11 on Linux, x86_64, glibc "
            "2.31. Mend that, or leave it out: sync_exclude = ['native']."
        )
    windows = make_project(tmp_path / "b", "native", tag="cp311-cp311-win_amd64")
    with pytest.raises(ConfigurationError, match="win_amd64"):
        builder.folder("native", "1.0", windows)


def failure(builder: Builder, *arguments: Any, method: str = "folder") -> str:
    with pytest.raises(ConfigurationError) as raised:
        getattr(builder, method)(*arguments)
    text = str(raised.value)
    assert "\n" not in text
    return text


def log_in(message: str) -> str:
    found = re.search(r"All that was printed is in (\S+)\. ", message)
    assert found, message
    log = Path(found[1])
    assert log.stat().st_mode & 0o077 == 0
    return log.read_text()


def test_a_build_that_fails(builder: Builder, tmp_path: Path) -> None:
    code = "print('compiling'); raise RuntimeError('no compiler here')"
    project = make_project(tmp_path / "bad", "bad", in_build=code)
    text = failure(builder, "bad", "1.0", project)
    assert re.fullmatch(
        r"bad can't be built: .*RuntimeError: no compiler here\. All that was printed is in \S+\. "
        r"Mend that, or leave it out: sync_exclude = \['bad'\]\.",
        text,
    )
    assert "compiling" in log_in(text)
    (project / "backend.py").write_text((project / "backend.py").read_text().replace(code, "pass"))
    assert builder.folder("bad", "1.0", project).exists()


def test_a_backend_that_is_not_to_be_had(builder: Builder, tmp_path: Path) -> None:
    project = make_project(tmp_path / "far", "far")
    text = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(
        text.replace("requires = []", 'requires = ["hatchling"]')
    )
    offline = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "empty")}
    text = failure(replace(builder, variables=offline), "far", "1.0", project)
    assert "far can't be built: Failed to resolve requirements from `build-system.requires`" in text
    assert "hatchling was not found in the cache" in text


def test_a_folder_that_is_gone(builder: Builder, tmp_path: Path) -> None:
    text = failure(builder, "mine", "1.0", tmp_path / "gone")
    assert f"mine can't be built: the folder {tmp_path / 'gone'} isn't there (any more). " in text


def test_a_build_that_does_not_end(
    builder: Builder,
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(build, "LIMIT_S", 3.0)
    monkeypatch.setattr(long_command, "PROGRESS_S", 0.5)
    note = tmp_path / "pid"
    code = (
        "import subprocess; child = subprocess.Popen(['sleep', '987']); "
        f"open({str(note)!r}, 'w').write(str(child.pid)); child.wait()"
    )
    project = make_project(tmp_path / "slow", "slow", in_build=code)
    text = failure(builder, "slow", "1.0", project)
    assert "slow can't be built: it did not end within 3 s." in text
    assert ends(int(note.read_text()))
    assert len(said) >= 2
    assert all(line.startswith("Building slow: ") for line in said)


def test_two_at_once_build_once(builder: Builder, tmp_path: Path) -> None:
    count = tmp_path / "count"
    code = f"open({str(count)!r}, 'a').write('x'); import time; time.sleep(0.5)"
    project = make_project(tmp_path / "once", "once", in_build=code)
    with ThreadPoolExecutor(3) as threads:
        made = set(threads.map(lambda _: builder.folder("once", "1.0", project), range(3)))
    assert len(made) == 1
    assert count.read_text() == "x"


def test_sources_that_change_meanwhile(
    builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel is kept by the sources that it was built from, not by those of before."""
    project = make_project(tmp_path / "mine", "mine")
    module, copy = project / "mine/__init__.py", build.sources.copy

    def saved_just_then(files: dict[str, Path], target: Path) -> dict[str, Path]:
        if module.read_text() == "VALUE = 1\n":
            module.write_text("VALUE = 2\n")
        return copy(files, target)

    monkeypatch.setattr(build.sources, "copy", saved_just_then)
    assert held(builder.folder("mine", "1.0", project))["mine/__init__.py"] == "VALUE = 2\n"
    module.write_text("VALUE = 1\n")
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert held(builder.folder("mine", "1.0", project))["mine/__init__.py"] == "VALUE = 1\n"


def test_a_source_distribution(builder: Builder, tmp_path: Path) -> None:
    project = make_project(tmp_path / "mine-1.0", "mine")
    archive = tmp_path / "mine-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(project, "mine-1.0")
    wheel = builder.sdist("mine", archive)
    assert held(wheel)["mine/__init__.py"] == "VALUE = 1\n"
    assert builder.sdist("mine", archive) == wheel
    archive.write_bytes(b"no archive")
    assert "mine can't be built: " in failure(builder, "mine", archive, method="sdist")
    archive.unlink()
    text = failure(builder, "mine", archive, method="sdist")
    assert f"{archive} can't be read: No such file or directory." in text


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, str]:
    """A repository with the project in a subfolder, and a commit before the newest."""
    folder = tmp_path / "repository"
    make_project(folder / "python", "mine")
    run_git(folder, "init", "--quiet")
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message", "first")
    commit = run_git(folder, "rev-parse", "HEAD")
    (folder / "python/mine/__init__.py").write_text("VALUE = 2\n")
    run_git(folder, "commit", "--quiet", "--all", "--message", "second")
    return folder, commit


def test_a_commit_of_a_repository(
    builder: Builder, repository: tuple[Path, str], tmp_path: Path
) -> None:
    folder, commit = repository
    url = f"git+{folder.as_uri()}"
    wheel = builder.repository("mine", url, commit, "python")
    assert held(wheel)["mine/__init__.py"] == "VALUE = 1\n"
    folder.rename(tmp_path / "elsewhere")
    assert builder.repository("mine", url, commit, "python") == wheel
    text = failure(builder, "mine", url, "0" * 40, "python", method="repository")
    assert f"mine can't be built: '{folder}' does not appear to be a git repository." in text
    log_in(text)


class Guarded(http.server.SimpleHTTPRequestHandler):
    """Serves files to whoever has the password."""

    def do_GET(self) -> None:
        login = base64.b64encode(b"me:p@ss w").decode()
        if self.headers.get("Authorization") == f"Basic {login}":
            return super().do_GET()
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.end_headers()
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def guarded(repository: tuple[Path, str], tmp_path: Path) -> Iterator[str]:
    bare = tmp_path / "served" / "mine.git"
    run_git(tmp_path, "clone", "--quiet", "--bare", str(repository[0]), str(bare))
    run_git(bare, "update-server-info")  # git reads plain files over HTTP then
    handler = functools.partial(Guarded, directory=str(bare.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}/mine.git"
        server.shutdown()
        thread.join()


def test_a_repository_with_a_password(
    builder: Builder, repository: tuple[Path, str], guarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither in the log nor on any command line."""
    seen: list[str] = []
    run = build.run_long

    def listing(command: Any, *rest: Any) -> str:
        seen.extend(map(str, command))
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(run, command, *rest)
            while not running.done():
                for process in psutil.Process().children(recursive=True):
                    try:
                        seen.extend(process.cmdline())
                    except psutil.Error:
                        continue
            return running.result()

    monkeypatch.setattr(build, "run_long", listing)
    url = f"git+http://me:p%40ss%20w@{guarded}"
    wheel = builder.repository("mine", url, repository[1], "python")
    assert held(wheel)["mine/__init__.py"] == "VALUE = 1\n"
    log = (wheel.parent / "build.log").read_text()
    assert any("remote-http" in word for word in seen)
    for text in (log, *seen):
        assert "p%40ss" not in text
        assert "p@ss" not in text
    wrong = f"http://me:wrong@{guarded}"
    text = failure(builder, "mine", wrong, "1" * 40, "python", method="repository")
    refused = "refuses the login that git has for it here, or git has none."
    assert f"mine can't be built: http://{guarded.partition('/')[0]} {refused}" in text
    assert "wrong" not in text
    nobody = f"http://{guarded}"
    text = failure(builder, "mine", nobody, "1" * 40, "python", method="repository")
    assert refused in text

"""What is told of an environment that pip, uv or conda installed, and of what was changed since."""

import dataclasses
import json
import ntpath
import os
import shutil
import sys
import time
import types
import urllib.request
import zipfile
from pathlib import Path

import pytest

from ipcluster_azure.environment import installed
from ipcluster_azure.environment.installed import Distribution, Installed, parse, read_environment
from ipcluster_azure.environment.report import files as report
from ipcluster_azure.errors import ConfigurationError

from ...complete import variant
from ...packaging.clean import find_python
from .made_packages import Venv, make_project, make_wheel, record_hash

FILES = {
    "tool_x/__init__.py": "VALUE = 1\n",
    "tool_x/with space/größe.txt": "data\n",
    "tool_x/deep/__init__.py": "",
    "tool_x-1.0.data/scripts/run-tool": "#!python\nprint('ran')\n",
    "tool_x-1.0.data/data/share/tool_x/notes.txt": "notes\n",
}
ENTRY = "[console_scripts]\ntool-x = tool_x:main\n"


@pytest.fixture(params=["pip", "uv", pytest.param("uv copy", marks=variant)])
def tool(request: pytest.FixtureRequest, tmp_path: Path) -> Venv:
    """An environment with one distribution that has a bit of everything, by each installer."""
    venv = Venv(tmp_path / "the env")
    wheel = make_wheel(tmp_path, "tool_x", "1.0", FILES, entry_points=ENTRY)
    if request.param == "pip":
        venv.pip_install("--compile", wheel)
    else:
        copy = "copy" if request.param == "uv copy" else "hardlink"
        venv.install("--compile-bytecode", wheel, link_mode=copy)
    return venv


def one(environment: Installed, name: str) -> Distribution:
    found = environment.named(name)
    assert found is not None
    return found


def test_nothing_was_changed_by_the_installer(tool: Venv) -> None:
    found = one(read_environment(tool.python), "tool.X")
    assert (found.name, found.version, found.info) == ("tool-x", "1.0", "tool_x-1.0.dist-info")
    assert (found.kind, found.location) == ("archive", str(tool.site))
    assert (found.changed, found.missing, found.added) == ((), (), ())
    assert (found.top_level, found.tags, found.requested) == (("tool_x",), ("py3-none-any",), True)


def test_a_patch_is_found(tool: Venv) -> None:
    """Of the same size as well, which only the time gives away; and what it may import."""
    module, data = tool.site / "tool_x" / "__init__.py", tool.site / "tool_x/with space/größe.txt"
    for path, text in ((module, "VALUE = 2\n"), (data, "longer data\n")):
        path.unlink()  # as uv may have linked it to its cache
        path.write_text(text)
    for new in ("added.py", "new/inner.py", "__pycache__/not.py", "notes.txt"):
        (module.parent / new).parent.mkdir(exist_ok=True)
        (module.parent / new).write_text("")
    shutil.rmtree(module.parent / "deep")
    found = one(read_environment(tool.python), "tool-x")
    assert sorted(found.changed) == ["tool_x/__init__.py", "tool_x/with space/größe.txt"]
    assert found.added == ("tool_x/added.py", "tool_x/new/inner.py")
    assert found.missing == ("tool_x/deep/__init__.py",)
    assert found.patched


def test_a_copied_environment_is_not_patched(tool: Venv) -> None:
    """Every file is newer than RECORD, and is what it was; but for what tools write of it."""
    (tool.site / "tool_x-1.0.dist-info" / "INSTALLER").write_text("another tool\n")
    later = time.time_ns() + 10**9
    for path in tool.site.rglob("*"):
        if path.name != "RECORD":
            os.utime(path, ns=(later, later))
    assert not one(read_environment(tool.python), "tool-x").patched


def test_rows_that_say_little_are_no_patch(tmp_path: Path) -> None:
    tool = Venv(tmp_path / "env")
    tool.install(make_wheel(tmp_path, "tool_x", "1.0", FILES))
    record = tool.site / "tool_x-1.0.dist-info" / "RECORD"
    rows = ["tool_x/__init__.py,,", "tool_x/with space/größe.txt,none=x,", '"quoted, missing.py"']
    record.write_text("\n".join([*rows, "", "../../../../etc/passwd,sha256=x,1\n"]))
    os.utime(record, (1, 1))
    found = one(read_environment(tool.python), "tool-x")
    assert (found.changed, found.missing) == ((), ("quoted, missing.py",))


def test_conda(tmp_path: Path) -> None:
    """Its folders of the build are gone; what it changed itself, it has on record elsewhere."""
    venv = Venv(tmp_path / "env")
    files = {"lib_c/__init__.py": "", "lib_c/core.so": "built\n", "lib_c/prefix.py": "X = 1\n"}
    venv.install(make_wheel(tmp_path, "lib_c", "1.0", files), link_mode="copy")
    info = venv.site / "lib_c-1.0.dist-info"
    (info / "INSTALLER").write_text("conda")
    (info / "direct_url.json").write_text(
        json.dumps({"url": "file:///home/conda/feedstock_root/work", "dir_info": {}})
    )
    (venv.site / "lib_c/core.so").write_text("its rpath was changed\n")
    found = one(read_environment(venv.python), "lib-c")
    assert (found.kind, found.from_index, found.patched) == ("conda", True, False)

    (venv.site / "lib_c/prefix.py").write_text("X = '/prefix'\n")
    paths = []
    for name in files:
        text = (venv.site / name).read_text()
        digest = urllib.request.base64.urlsafe_b64decode(record_hash(text)[7:] + "=").hex()
        path = (venv.site / name).relative_to(venv.folder).as_posix()
        paths.append({"_path": path, "sha256": "00", "sha256_in_prefix": digest})
    paths.append({"_path": "lib/python/site-packages/lib_c-1.0.dist-info/RECORD", "sha256": "00"})
    meta = venv.folder / "conda-meta"
    meta.mkdir()
    (meta / "history").write_text("no JSON")
    (meta / "broken.json").write_text("{ lib_c-1.0.dist-info/")
    (meta / "c-lib-1.0-py_0.json").write_text(json.dumps({"paths_data": {"paths": paths}}))
    assert not one(read_environment(venv.python), "lib-c").patched
    (venv.site / "lib_c/core.so").write_text("and this was changed by hand\n")
    assert one(read_environment(venv.python), "lib-c").changed == ("lib_c/core.so",)


def test_conda_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes paths otherwise than sys.path has them; to Windows they are the same."""
    monkeypatch.setattr(report, "os", types.SimpleNamespace(path=ntpath))
    monkeypatch.setattr(report, "sys", types.SimpleNamespace(prefix=r"C:\Users\Ada\conda"))
    row = {"_path": "Lib/site-packages/lib_c/core.py", "sha256_in_prefix": "00ff"}
    record = json.dumps({"info": "lib_c-1.0.dist-info/", "paths_data": {"paths": [row]}}).encode()
    monkeypatch.setattr(report, "conda_records", lambda: [record])
    monkeypatch.setattr(report, "has_digest", lambda path, kind, digest: digest == "AP8=")
    location = r"c:\users\ada\conda\lib\site-packages"
    found = types.SimpleNamespace(location=location, info="lib_c-1.0.dist-info")
    everyone = report.Everyone([])
    changed = ["lib_c/core.py", "lib_c/other.py"]
    assert everyone._not_by_distributor(found, changed) == ["lib_c/other.py"]


def test_debian(tmp_path: Path) -> None:
    """It strips libraries, and says nothing of itself; modules are as they were."""
    venv = Venv(tmp_path / "env")
    files = {"lib_d/__init__.py": "", "lib_d/core.so": "with its symbols\n"}
    venv.install(make_wheel(tmp_path, "lib_d", "1.0", files), link_mode="copy")
    site = shutil.copytree(venv.site, tmp_path / "dist-packages")
    (site / "lib_d-1.0.dist-info" / "INSTALLER").unlink()
    (site / "lib_d/core.so").write_text("stripped\n")
    found = one(read_environment(venv.python, [str(site)]), "lib-d")
    assert (found.installer, found.patched) == ("debian", False)
    (site / "lib_d/__init__.py").write_text("X = 1\n")
    found = one(read_environment(venv.python, [str(site)]), "lib-d")
    assert found.changed == ("lib_d/__init__.py",)


def test_editable_ones(tmp_path: Path) -> None:
    """By PEP 660; and where the project's folder is on sys.path, with metadata of its own."""
    venv = Venv(tmp_path / "env")
    project = make_project(tmp_path / "my project", "mine")
    venv.install("--editable", project)
    (project / "mine.egg-info").mkdir()
    (project / "mine.egg-info/PKG-INFO").write_text("Name: mine\nVersion: 0.9\n")
    path = [str(project), str(venv.site)]
    for found in (one(read_environment(venv.python, given), "mine") for given in (None, path)):
        assert (found.kind, found.folder, found.version) == ("editable", project, "1.0")
        assert "mine" in found.top_level

    shutil.rmtree(venv.site / "mine-1.0.dist-info")  # as setup.py develop leaves it
    (venv.site / "mine.egg-link").write_text(f"{project}\n.")
    (venv.site / "easy-install.pth").write_text(f"{project}\n")
    found = one(read_environment(venv.python), "mine")
    assert (found.kind, found.folder, found.version) == ("editable", project, "0.9")
    assert (found.has_record, found.patched, found.top_level) == (False, False, ("mine",))


def test_metadata_of_every_sort(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, name, text in (
        (
            first,
            "a_b-1.0.dist-info",
            "Name: A.b\nVersion: 1.0\nSummary: 1\n  2\nRequires-Dist: c\n",
        ),
        (second, "a_b-2.0.dist-info", "Name: a-b\nVersion: 2.0\n"),
        (first, "~-b-0.9.dist-info", "Name: a-b\nVersion: 0.9\n"),
        (first, "no_name-1.0.dist-info", "Version: 1.0\n"),
        (second, "no_name-2.0.dist-info", "Name: no-name\nVersion: 2.0\n"),
        (first, "no_version-3.0.dist-info", "Name: no-version\nVersion: UNKNOWN\n"),
        (first, "empty.dist-info", ""),
        (first, "path-1.0.dist-info", "Name: ../../path\nVersion: 1.0\n"),
        (first, "version-1.0.dist-info", "Name: version\nVersion: 1/../../x\n"),
        (first, "old-1.5.egg-info", "Name: old\nVersion: 1.5\n"),
        (first, "latin-1.0.dist-info", "Name: latin\nVersion: 1.0\nAuthor: Jos\udce9\n"),
    ):
        (folder / name).mkdir(parents=True)
        file = "PKG-INFO" if name.endswith("egg-info") else "METADATA"
        (folder / name / file).write_text(text, errors="surrogateescape")
    (first / "a_b-1.0.dist-info" / "direct_url.json").write_text("{")
    (first / "a_b-1.0.dist-info" / "WHEEL").write_text("Tag: py3-none-any\nTag: x\nTag: a/b-c-d\n")
    (first / "old-1.5.egg-info" / "requires.txt").write_text("numpy\n\n[plots]\nmatplotlib>2\n")
    (first / "single-4.egg-info").write_text("Name: single\nVersion: 4\n")
    with zipfile.ZipFile(tmp_path / "zipped-5.0-py3.11.egg", "w") as egg:
        egg.writestr("EGG-INFO/PKG-INFO", "Name: zipped\nVersion: 5.0\n")
        egg.writestr("zipped.py", "")
    path = [
        str(first),
        str(tmp_path / "nowhere"),
        str(second),
        str(tmp_path / "zipped-5.0-py3.11.egg"),
    ]
    found = read_environment(sys.executable, path)
    assert {d.name: d.version for d in found.distributions} == {
        "a-b": "1.0",
        "no-name": "2.0",
        "no-version": "3.0",
        "old": "1.5",
        "latin": "1.0",
        "single": "4",
        "zipped": "5.0",
    }
    assert {Path(path).name for path in found.broken} == {
        "empty.dist-info",
        "no_name-1.0.dist-info",
        "path-1.0.dist-info",
        "version-1.0.dist-info",
    }
    assert (one(found, "a-b").requires, one(found, "a-b").tags) == (("c",), ("py3-none-any",))
    assert [r.replace(" ", "") for r in one(found, "old").requires] == [
        "numpy",
        'matplotlib>2;extra=="plots"',
    ]
    assert {d.kind for d in found.distributions} == {"index"}


@pytest.mark.parametrize(
    "told",
    [
        "[]",
        '{"url": 1, "dir_info": {}}',
        '{"url": "file:///x"}',
        '{"url": "file:///x", "dir_info": null}',
        '{"url": "file:///x", "dir_info": {}, "archive_info": {}}',
        '{"url": "http://[", "archive_info": {}}',
    ],
)
def test_an_address_that_says_nothing(told: str, tmp_path: Path) -> None:
    info = tmp_path / "x-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: x\nVersion: 1.0\n")
    (info / "direct_url.json").write_text(told)
    assert one(read_environment(sys.executable, [str(tmp_path)]), "x").kind == "index"


def test_an_upgrade_that_was_ended_left_two(tmp_path: Path) -> None:
    for version, age in (("1.0", 1), ("2.0", 2), ("1.5", 0)):
        info = tmp_path / f"twice-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: twice\nVersion: {version}\n")
        (info / "RECORD").write_text("twice.py,,\n")
        os.utime(info / "RECORD", (age, age))
    found = read_environment(sys.executable, [str(tmp_path)])
    assert [d.version for d in found.distributions] == ["2.0"]


HERE = {"url": Path(__file__).parent.as_uri(), "dir_info": {"editable": True}}
URLS: dict[str, tuple[object, str, str]] = {
    "index": (None, "pip", "index"),
    "git": ({"url": "https://h/r", "vcs_info": {"vcs": "git", "commit_id": "0a"}}, "uv", "git"),
    "git by conda": ({"url": "https://h/r", "vcs_info": {"vcs": "git"}}, "conda", "git"),
    "folder": ({"url": "file:///gone", "dir_info": {}}, "pip", "folder"),
    "editable": ({"url": "file:///gone", "dir_info": {"editable": True}}, "pip", "editable"),
    "not editable": ({"url": "file:///gone", "dir_info": {"editable": False}}, "pip", "folder"),
    "archive": ({"url": "https://h/x.whl", "archive_info": {}}, "pip", "archive"),
    "conda": ({"url": "file:///work", "dir_info": {}}, "conda", "conda"),
    "conda, archive": ({"url": "file:///x.whl", "archive_info": {}}, "conda", "conda"),
    "conda, develop": (HERE, "conda", "editable"),
    "conda, no url": (None, "conda", "conda"),
}


@pytest.mark.parametrize(("told", "installer", "kind"), URLS.values(), ids=URLS)
def test_kinds(told: object, installer: str, kind: str) -> None:
    found = Distribution("x", "1", "/site", "x-1.dist-info", told, installer)  # type: ignore[arg-type]
    assert found.kind == kind
    assert dataclasses.replace(found, changed=("x.py",)).patched


def test_a_report_from_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    import nturl2path

    told = {
        "python": "3.12.4",
        "implementation": "cpython",
        "sys_platform": "win32",
        "machine": "AMD64",
        "glibc": None,
        "tags_platform": "win_amd64",
        "prefix": r"C:\Users\Jürgen\envs\x",
        "base_prefix": r"C:\Python312",
        "user_base": r"C:\Users\Jürgen\AppData\Roaming\Python",
        "markers": {"sys_platform": "win32"},
        "broken": [],
        "distributions": [
            {
                "name": "Mine",
                "version": "1",
                "location": r"C:\Users\Jürgen\envs\x\Lib\site-packages",
                "info": "mine-1.dist-info",
                "direct_url": {"url": url, "dir_info": {"editable": True}},
            }
            for url in ("file:///C:/Users/J%C3%BCrgen/my%20project", "file://server/share/mine")
        ],
    }
    monkeypatch.setattr(installed, "url2pathname", nturl2path.url2pathname)
    found = parse("a banner\r\n" + json.dumps(told) + "\r\n", "python.exe")
    assert (found.glibc, found.tags_platform, len(found.data_roots)) == (None, "win_amd64", 3)
    drive, share = found.distributions
    assert (drive.name, drive.kind) == ("mine", "editable")
    assert str(drive.folder) == r"C:\Users\Jürgen\my project"
    assert str(share.folder) == r"\\server\share\mine"


BAD = {
    "missing": (None, "No such file or directory"),
    "hanging": ("sleep 30", "did not answer within 1 s"),
    "failing": ("echo 'Fatal: no encodings' >&2; exit 3", "it ended with 3: Fatal: no encodings."),
    "silent": ("exit 0", "it printed nothing"),
    "garbage": ("echo 'welcome to python'", "it printed 'welcome to python'"),
    "other JSON": ("echo '{\"python\": 3}'", "it printed '{\"python\": 3}'"),
}


@pytest.mark.parametrize(("script", "expected"), BAD.values(), ids=BAD)
def test_an_interpreter_that_cannot_tell(
    script: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "TIME_LIMIT_S", 1.0)
    python = tmp_path / "python"
    if script:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o700)
    with pytest.raises(ConfigurationError) as raised:
        read_environment(str(python))
    text = str(raised.value)
    assert expected in text
    assert text.startswith(str(python))
    assert "sync_python" in text
    assert "\n" not in text


def test_a_process_without_a_python() -> None:
    with pytest.raises(ConfigurationError, match="does not know its own Python"):
        read_environment("")


def test_the_working_directory_does_not_disturb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    (tmp_path / "report.py").write_text("raise SystemExit('the wrong report')")
    monkeypatch.chdir(tmp_path)
    assert read_environment(sys.executable, sys.path).named("ipcluster-azure")


def test_this_process_as_importlib_tells_it() -> None:
    """Names and versions are those of importlib.metadata, and nothing is taken for patched."""
    import importlib.metadata

    expected: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        if not distribution.metadata["Name"].startswith("ipcluster"):
            name = distribution.metadata["Name"].lower().replace("_", "-").replace(".", "-")
            expected.setdefault(name, distribution.version)
    found = read_environment(sys.executable, sys.path)
    told = {d.name: d.version for d in found.distributions if not d.name.startswith("ipcluster")}
    assert told == expected
    assert [d.name for d in found.distributions if d.patched or d.missing] == []
    assert found.python.startswith(found.markers["python_version"])


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_other_pythons_run_it(version: str) -> None:
    found = read_environment(str(find_python(version)))
    assert found.markers["python_version"] == version

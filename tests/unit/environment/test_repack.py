"""Wheels of installed files: installed again, they give what was there."""

import base64
import csv
import hashlib
import io
import json
import ntpath
import os
import shutil
import stat
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ipcluster_azure.environment import repack as repack_module
from ipcluster_azure.environment import wheel_cache
from ipcluster_azure.environment.installed import Distribution, Installed, read_environment
from ipcluster_azure.environment.overlay import overlay
from ipcluster_azure.environment.repack import repack
from ipcluster_azure.environment.selection import Target
from ipcluster_azure.environment.wheel_file import Entry
from ipcluster_azure.errors import ConfigurationError

from ...complete import variant
from .made_packages import Venv, make_wheel

FILES = {
    "tool_x/__init__.py": "def main():\n    print('main')\n",
    "tool_x/with space/größe, and comma.txt": "data\n",
    "tool_x-1.0.data/scripts/run-tool": "#!python\nprint('ran')\n",
    "tool_x-1.0.data/scripts/run.sh": "#!/bin/sh\necho shell\n",
    "tool_x-1.0.data/data/share/tool_x/notes.txt": "notes\n",
    "tool_x-1.0.data/purelib/tool_y.py": "",
    "tool_x/without_source.pyc": "",
}
ENTRY = "[console_scripts]\ntool-x = tool_x:main\n[other.group]\nrun-tool = tool_x\n"


NOT_COMPARED = {"pyvenv.cfg", "RECORD", "INSTALLER", "direct_url.json", "CACHEDIR.TAG"}


@pytest.fixture(params=["pip", "uv"])
def tool(request: pytest.FixtureRequest, tmp_path: Path) -> Venv:
    venv = Venv(tmp_path / "the env")  # with a space, for which scripts begin in another way
    wheel = make_wheel(tmp_path, "tool_x", "1.0", FILES, entry_points=ENTRY)
    install = venv.pip_install if request.param == "pip" else venv.install
    install(wheel)
    return venv


@pytest.fixture
def plain(tmp_path: Path) -> Venv:
    venv = Venv(tmp_path / "env")
    venv.install(make_wheel(tmp_path, "plain"), link_mode="copy")
    return venv


def installed_one(venv: Venv, name: str) -> tuple[Distribution, Installed]:
    environment = read_environment(venv.python)
    found = environment.named(name)
    assert found is not None
    return found, environment


def contents(wheel: Path) -> dict[str, bytes]:
    """What a wheel holds, after a look at every hash and size of its RECORD."""
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        held = {name: archive.read(name) for name in archive.namelist()}
    (record,) = (name for name in held if name.endswith(".dist-info/RECORD"))
    rows = list(csv.reader(io.StringIO(held.pop(record).decode())))
    assert rows.pop() == [record, "", ""]
    assert [row[0] for row in rows] == list(held)
    for name, digest, size in rows:
        expected = base64.urlsafe_b64encode(hashlib.sha256(held[name]).digest()).decode()
        assert (digest, int(size)) == (f"sha256={expected.rstrip('=')}", len(held[name]))
    return held


def files_of(venv: Venv) -> Iterator[tuple[str, bytes]]:
    for path in sorted(venv.folder.rglob("*")):
        name = str(path.relative_to(venv.folder))
        if path.is_file() and "__pycache__" not in name and "_virtualenv" not in name:
            if path.name in (
                "pyvenv.cfg",
                "RECORD",
                "INSTALLER",
                "direct_url.json",
                "CACHEDIR.TAG",
            ):
                continue
            if not path.is_symlink() and not path.name.startswith(("activate", "uv_", ".lock")):
                yield name, path.read_bytes().replace(str(venv.folder).encode(), b"ENV")


def test_what_it_installs_is_what_was_installed(tool: Venv, tmp_path: Path) -> None:
    made = repack(*installed_one(tool, "tool-x"))
    assert (made.path.name, made.tags) == ("tool_x-1.0-py3-none-any.whl", ("py3-none-any",))
    assert made.left_out == ()
    assert sorted(contents(made.path)) == [
        "tool_x-1.0.data/data/share/tool_x/notes.txt",
        "tool_x-1.0.data/scripts/run-tool",
        "tool_x-1.0.data/scripts/run.sh",
        "tool_x-1.0.dist-info/METADATA",
        "tool_x-1.0.dist-info/WHEEL",
        "tool_x-1.0.dist-info/entry_points.txt",
        "tool_x/__init__.py",
        "tool_x/with space/größe, and comma.txt",
        "tool_x/without_source.pyc",
        "tool_y.py",
    ]
    assert contents(made.path)["tool_x-1.0.data/scripts/run-tool"] == b"#!python\nprint('ran')\n"
    again = Venv(tmp_path / "the copy")
    again.install(made.path)
    expected, found = dict(files_of(tool)), dict(files_of(again))
    assert list(found) == list(expected)
    scripts = {name for name in found if name.startswith("bin/")}
    assert {n: found[n] for n in found if n not in scripts} == {
        n: expected[n] for n in expected if n not in scripts
    }
    printed = [again.run(again.folder / "bin" / name) for name in ("tool-x", "run-tool", "run.sh")]
    assert printed == ["main\n", "ran\n", "shell\n"]
    assert repack(*installed_one(again, "tool-x")).path == made.path


def test_the_same_files_make_the_same_bytes(plain: Venv, cache: Path) -> None:
    first = repack(*installed_one(plain, "plain")).path
    before = first.read_bytes()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert {stat.S_IMODE(p.stat().st_mode) for p in (cache, cache.parent, first.parent)} == {0o700}
    os.utime(plain.site / "plain/__init__.py", (10**9, 10**9))
    (plain.site / "plain-1.0.dist-info/INSTALLER").write_text("another")
    touched = first.stat().st_mtime_ns
    assert repack(*installed_one(plain, "plain")).path == first
    assert first.stat().st_mtime_ns == touched  # it was not written again
    shutil.rmtree(cache)
    assert repack(*installed_one(plain, "plain")).path.read_bytes() == before
    (plain.site / "plain/__init__.py").write_text("VALUE = 2\n")
    other = repack(*installed_one(plain, "plain")).path
    assert other != first
    assert contents(other)["plain/__init__.py"] == b"VALUE = 2\n"


def test_permissions_to_execute_stay(plain: Venv) -> None:
    (plain.site / "plain/tool.sh").write_text("#!/bin/sh\n")
    (plain.site / "plain/tool.sh").chmod(0o700)
    with open(plain.site / "plain-1.0.dist-info/RECORD", "a") as record:
        record.write("plain/tool.sh,,\n")
    made = repack(*installed_one(plain, "plain"))
    with zipfile.ZipFile(made.path) as archive:
        modes = {member.filename: member.external_attr >> 16 for member in archive.infolist()}
    assert modes.pop("plain/tool.sh") == stat.S_IFREG | 0o755
    assert set(modes.values()) == {stat.S_IFREG | 0o644}


def test_a_file_that_is_written_to_meanwhile(plain: Venv, cache: Path) -> None:
    """RECORD would say another hash than the file has."""
    found, _ = installed_one(plain, "plain")
    versions = [b"one", b"two"]
    entry = Entry("plain/x.py", lambda: io.BytesIO(versions.pop(0)), 3)
    with pytest.raises(ConfigurationError, match=r"plain/x\.py was written to meanwhile"):
        repack_module.written(found, "plain-1.0-py3-none-any.whl", [entry], found.info)
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_many_ask_at_once(plain: Venv) -> None:
    found = installed_one(plain, "plain")
    with ThreadPoolExecutor(8) as threads:
        paths = {made.path for made in threads.map(lambda _: repack(*found), range(24))}
    (path,) = paths
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    contents(path)


def test_a_recorded_file_elsewhere_is_not_packed(plain: Venv, tmp_path: Path) -> None:
    """RECORD is a text of the package's: it may name any file of the user's."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (plain.folder / "share").mkdir()
    (plain.folder / "share" / "link.txt").symlink_to(secret)
    (plain.folder / "share" / "good.txt").write_text("good")
    (plain.folder / "share" / "alias.txt").symlink_to("good.txt")
    os.mkfifo(plain.site / "plain" / "pipe")
    rows = [
        str(secret),
        os.path.relpath(secret, plain.site),
        "plain/../../../../../../../../etc/passwd",
        "../../../share/link.txt",
        "../../../pyvenv.cfg",
        "plain/pipe",
        "plain/gone.py",
        "plain/no\udce9text",
        "../../../share/good.txt",
        "../../../share/alias.txt",
        "plain/x/../__init__.py",
        str(plain.site / "plain/__init__.py"),
        "../../../bin/__pycache__/x.pyc",
    ]
    (plain.site / "plain" / "no\udce9text").write_text("")
    with open(plain.site / "plain-1.0.dist-info/RECORD", "a", errors="surrogateescape") as record:
        record.write("".join(f'"{row}",,\n' for row in rows))
    made = repack(*installed_one(plain, "plain"))
    assert sorted(made.left_out) == sorted([*rows[:6], "plain/no?text"])
    assert sorted(contents(made.path)) == [
        "plain-1.0.data/data/share/alias.txt",
        "plain-1.0.data/data/share/good.txt",
        "plain-1.0.dist-info/METADATA",
        "plain-1.0.dist-info/WHEEL",
        "plain/__init__.py",
    ]


WINDOWS = {
    "below": (r"C:\Users\me\env\share\größe x.txt", r"c:\users\ME\env", "share/größe x.txt"),
    "itself": (r"C:\env", "C:\\env\\", "."),
    "beside": (r"C:\env-2\x.txt", r"C:\env", None),
    "another drive": (r"D:\env\x.txt", r"C:\env", None),
}


@pytest.mark.parametrize(("path", "root", "expected"), WINDOWS.values(), ids=WINDOWS)
def test_what_lies_below_on_windows(
    path: str, root: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repack_module, "os", SimpleNamespace(path=ntpath, sep="\\"))
    below = repack_module._below(path, root)
    assert (None if below is None else str(below)) == expected


def test_links_among_the_modules_are_followed(plain: Venv, tmp_path: Path) -> None:
    """As uv links to its cache with link-mode=symlink."""
    module = plain.site / "plain/__init__.py"
    module.rename(tmp_path / "kept.py")
    module.symlink_to(tmp_path / "kept.py")
    made = repack(*installed_one(plain, "plain"))
    assert contents(made.path)["plain/__init__.py"] == b"VALUE = 1\n"


def test_where_compiled_modules_have_a_folder_of_their_own(plain: Venv) -> None:
    other = plain.folder / "lib64" / plain.site.parent.name / "site-packages"
    if other.resolve() == plain.site:
        (plain.folder / "lib64").unlink()
    other.mkdir(parents=True)
    (other / "plain_c.so").write_text("")
    with open(plain.site / "plain-1.0.dist-info/RECORD", "a") as record:
        record.write(f"{os.path.relpath(other / 'plain_c.so', plain.site)},,\n")
    assert "plain-1.0.data/platlib/plain_c.so" in contents(
        repack(*installed_one(plain, "plain")).path
    )


def test_without_a_word_of_tags(plain: Venv) -> None:
    (plain.site / "plain-1.0.dist-info/WHEEL").unlink()
    found, environment = installed_one(plain, "plain")
    assert repack(found, environment).tags == ("py3-none-any",)
    (plain.site / "plain/core.so").write_text("")
    with open(plain.site / "plain-1.0.dist-info/RECORD", "a") as record:
        record.write("plain/core.so,,\n")
    made = repack(*installed_one(plain, "plain"))
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert made.tags == (f"{version}-{version}-{environment.tags_platform}",)
    assert b"Root-Is-Purelib: false" in contents(made.path)["plain-1.0.dist-info/WHEEL"]
    # conda's libraries are not carried
    with pytest.raises(ConfigurationError, match=r"plain 1\.0: conda compiled it"):
        repack(replace(found, installer="conda"), environment)


TAGS: dict[str, tuple[tuple[int, int] | None, tuple[str, ...]]] = {
    "older here": ((2, 28), ("cp311-cp311-linux_x86_64", "py3-none-any")),
    "the same": ((2, 35), ("cp311-cp311-linux_x86_64", "py3-none-any")),
    "newer here": ((2, 36), ("py3-none-any",)),
    "another C library": (None, ("py3-none-any",)),
}


@pytest.mark.parametrize(("glibc", "expected"), TAGS.values(), ids=TAGS)
def test_what_was_built_here(glibc: tuple[int, int] | None, expected: tuple[str, ...]) -> None:
    environment = replace(read_environment(sys.executable, []), glibc=glibc)
    tags = ("cp311-cp311-linux_x86_64", "py3-none-any")
    assert environment.portable(tags, Target("3.11", "x86_64", (2, 35))) == expected


def damaged(site: Path) -> None:
    (site / "plain-1.0.dist-info/RECORD").write_text(f'plain/x.py,"{"x" * 200_000}",\n')


def unreadable(site: Path) -> None:
    (site / "plain/__init__.py").unlink()
    (site / "plain/__init__.py").symlink_to("/proc/self/mem")


def no_record(site: Path) -> None:
    (site / "plain-1.0.dist-info/RECORD").unlink()


def editable(site: Path) -> None:
    told = {"url": site.as_uri(), "dir_info": {"editable": True}}
    (site / "plain-1.0.dist-info/direct_url.json").write_text(json.dumps(told))


REFUSED = {
    "damaged": (damaged, "its RECORD is damaged"),
    "unreadable": (unreadable, "plain/__init__.py: Input/output error"),
    "no record": (no_record, "its installation has no list of its files"),
    "editable": (editable, "its installation has no list of its files"),
}


@pytest.mark.parametrize(("spoil", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_packed_is_named(spoil, expected: str, plain: Venv) -> None:  # type: ignore[no-untyped-def]
    found, environment = installed_one(plain, "plain")
    spoil(plain.site)
    if spoil is not damaged:
        found, environment = installed_one(plain, "plain")
    with pytest.raises(ConfigurationError) as raised:
        repack(found, environment)
    text = str(raised.value)
    assert f"plain 1.0: {expected}" in text
    assert "sync_exclude = ['plain']" in text


def test_a_cache_that_cannot_be_written(plain: Venv, cache: Path) -> None:
    cache.parent.parent.mkdir(parents=True, exist_ok=True)
    cache.parent.write_text("a file")
    with pytest.raises(ConfigurationError, match="can't be written: File exists"):
        repack(*installed_one(plain, "plain"))


def test_a_large_file_is_not_read_whole(plain: Venv) -> None:
    with open(plain.site / "plain" / "large.bin", "wb") as file:
        file.truncate(60_000_000)
    with open(plain.site / "plain-1.0.dist-info/RECORD", "a") as record:
        record.write("plain/large.bin,,\n")
    found = installed_one(plain, "plain")
    tracemalloc.start()
    made = repack(*found)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000
    assert len(contents(made.path)["plain/large.bin"]) == 60_000_000


def test_what_was_not_asked_for_in_long_is_deleted(plain: Venv, cache: Path) -> None:
    old, used = cache / "old", cache / "used"
    for folder in (old, used):
        folder.mkdir(parents=True)
        (folder / "x.whl").write_text("")
        os.utime(folder, (10**9, 10**9))
    wheel_cache.folder_of("used")
    repack(*installed_one(plain, "plain"))
    assert not old.exists()
    assert used.exists()


def test_a_patch_laid_over_the_wheel_for_linux(tmp_path: Path) -> None:
    """The installed one is for another platform, as on Windows."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    common = {"lib_p/__init__.py": "VALUE = 1\n", "lib_p/vendor/x.dist-info/WHEEL": ""}
    mine = make_wheel(here, "lib_p", "1.0", {**common, "lib_p/core.so": "win\n"})
    theirs = make_wheel(
        there,
        "lib_p",
        "1.0",
        {
            **common,
            "lib_p/core.so": "linux\n",
            "lib_p-1.0.data/purelib/lib_q.py": "Q = 1\n",
            "lib_p-1.0.dist-info/RECORD.jws": "signed",
        },
        tag="cp311-cp311-manylinux_2_17_x86_64",
    )
    venv = Venv(tmp_path / "env")
    venv.install(mine, link_mode="copy")
    (venv.site / "lib_p/__init__.py").write_text("VALUE = 2\n")
    (venv.site / "lib_p/more.py").write_text("MORE = 1\n")
    found, _ = installed_one(venv, "lib-p")
    (venv.site / "lib_q.py").write_text("Q = 2\n")
    made = overlay(theirs, replace(found, changed=(*found.changed, "lib_q.py")))
    assert made.name == theirs.name
    held = contents(made)
    assert {name: text.decode() for name, text in held.items() if ".dist-info" not in name} == {
        "lib_p/__init__.py": "VALUE = 2\n",
        "lib_p/core.so": "linux\n",
        "lib_p/more.py": "MORE = 1\n",
        "lib_p-1.0.data/purelib/lib_q.py": "Q = 2\n",
    }
    assert "lib_p-1.0.dist-info/METADATA" in held
    assert "lib_p-1.0.dist-info/RECORD.jws" not in held
    assert overlay(theirs, replace(found, changed=(*found.changed, "lib_q.py"))) == made
    with pytest.raises(ConfigurationError, match=r"compiled files were changed: lib_p/core\.so"):
        overlay(theirs, replace(found, changed=("lib_p/core.so",)))


@pytest.mark.parametrize(
    "name", ["psutil", *(pytest.param(name, marks=variant) for name in ("uv", "azure-core"))]
)
def test_real_packages(name: str, tmp_path: Path) -> None:
    """Compiled, with an executable, with a namespace: uv takes them, and they are complete."""
    environment = read_environment(sys.executable, sys.path)
    found = environment.named(name)
    assert found is not None
    made = repack(found, environment)
    assert made.left_out == ()
    venv = Venv(tmp_path / "env")
    venv.install(made.path)
    again, _ = installed_one(venv, name)
    assert (again.version, again.tags, again.missing) == (found.version, found.tags, ())
    if name == "uv":
        assert venv.run(venv.folder / "bin" / "uv", "--version").startswith("uv ")

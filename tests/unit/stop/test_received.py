"""What machines send becomes files in one folder: whole, none outside, none replaced in silence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ipcluster_azure.on_vm.scripts import results
from ipcluster_azure.ssh.commands import BARE
from ipcluster_azure.stop.received import Received, Refused


def head(name: str, size: int) -> bytes:
    return json.dumps({"name": name, "size": size}).encode() + b"\n"


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_files_come_in_pieces(tmp_path: Path, step: int) -> None:
    (tmp_path / "same.csv").write_text("abc")
    (tmp_path / "old.csv").write_text("old")
    stream = head("same.csv", 3) + b"abc" + head("old.csv", 3) + b"new"
    stream += head("a/b/empty", 0) + head("a/\u00fc.csv", 2) + b"xy"
    heard: list[int] = []
    received = Received(tmp_path, heard.append)
    for begin in range(0, len(stream), step):
        received.feed(stream[begin : begin + step])
    received.close()
    wanted = {"same.csv": "abc", "old.csv": "new", "a/b/empty": "", "a/\u00fc.csv": "xy"}
    assert files(tmp_path) == wanted
    assert received.new == ["a/b/empty", "a/\u00fc.csv"]
    assert (received.replaced, received.same) == (["old.csv"], ["same.csv"])
    assert sum(heard) == 8


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", ".", "link/x", "nul\0l"])
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    folder, other = tmp_path / "home", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    (folder / "link").symlink_to(other)
    received = Received(folder)
    received.feed(head(name, 3) + b"bad" + head("good", 2) + b"ok")
    assert files(folder) == {"good": "ok"}
    assert list(other.iterdir()) == []
    (refused,) = received.refused
    assert refused.startswith(name)


def test_what_is_cut_off_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("before")
    received = Received(tmp_path)
    received.feed(head("x", 10) + b"12345")
    received.close()
    assert files(tmp_path) == {"x": "before"}
    with pytest.raises(Refused):
        Received(tmp_path).feed(b"a" * 20_000)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The work directory of a machine."""
    home = tmp_path / "home"
    work = home / ".ipcluster-azure"
    (work / "log").mkdir(parents=True)
    (work / "log" / "x.csv").write_text("log")
    (home / "r" / "__pycache__").mkdir(parents=True)
    (home / "r" / "__pycache__" / "x.csv").write_text("cache")
    (home / "r" / "1.csv").write_text("1")
    (home / "r" / "2.txt").write_text("2")
    (home / "r" / "link.csv").symlink_to("1.csv")
    (home / "r" / "passwd.csv").symlink_to("/etc/passwd")
    (home / ".secret.csv").write_text("s")
    (home / "data.csv").write_text("sent")
    (home / "changed.csv").write_text("by a task")
    sent = {"data.csv": [results.hash_of(str(home / "data.csv")), 4], "changed.csv": ["0", 9]}
    (work / "files.json").write_text(json.dumps({"files": sent}))
    os.mkfifo(home / "r" / "pipe.csv")
    return work


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["**/*.csv", "r/*"], ["changed.csv", "r/1.csv", "r/2.txt", "r/link.csv"]),
        (["r"], ["r/1.csv", "r/2.txt", "r/link.csv"]),
        (["*.csv"], ["changed.csv"]),
        ([".ipcluster-azure/log/*", "r/passwd.csv"], []),
    ],
)
def test_results_are_what_engines_have_written(
    machine: Path, tmp_path: Path, patterns: list[str], names: list[str]
) -> None:
    def run(word: str) -> bytes:
        return subprocess.run(
            [sys.executable, BARE, "-", word, *patterns],
            cwd=machine,
            input=Path(results.__file__).read_bytes(),
            stdout=subprocess.PIPE,
            timeout=60,
            check=True,
        ).stdout

    listed = [json.loads(line) for line in run("list").splitlines()]
    assert sorted(item["name"] for item in listed) == names
    (tmp_path / "here").mkdir()
    received = Received(tmp_path / "here")
    received.feed(run("send"))
    assert sorted(received.new) == names
    assert not received.refused
    home = machine.parent
    assert files(tmp_path / "here") == {name: (home / name).read_text() for name in names}

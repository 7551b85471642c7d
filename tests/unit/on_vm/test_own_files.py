"""The program that brings a machine's files up to date, run as on the machines."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.on_vm.scripts import own_files as script
from ipcluster_azure.own_files.choice import Choice
from ipcluster_azure.own_files.collect import Archive, Collected, collect
from ipcluster_azure.own_files.manifest import Manifest
from ipcluster_azure.ssh.commands import BARE


class Machine:
    """A home directory with a work directory; what it takes comes from a folder here."""

    def __init__(self, folder: Path) -> None:
        self.home, self.work, self.depot = folder, folder / ".ipcluster-azure", folder / "depot"
        self.work.mkdir(parents=True)
        self.file_limit = 0  # bytes; 0: none

    def run(self, *words: str, expect: int = 0) -> dict[str, Any]:
        """What the program says last."""
        command = [sys.executable, BARE, "-", *words]
        if self.file_limit:
            command = ["prlimit", f"--fsize={self.file_limit}", *command]
        done = subprocess.run(
            command,
            cwd=self.work,
            input=Path(script.__file__).read_bytes(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == expect, done.stderr.decode()
        event: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return event

    def apply(
        self, new: Collected, archives: dict[str, Archive], base: Manifest, expect: int = 0
    ) -> dict[str, Any]:
        for archive in archives.values():
            (self.depot / f"{archive.sha256}.tar.gz").write_bytes(archive.data)
        wanted = {"url": self.depot.as_uri(), "id": new.manifest.id, "base": base.id}
        wanted |= {name: archive.sha256 for name, archive in archives.items()}
        wanted["force"] = False  # type: ignore[assignment]
        return self.run("apply", "--set=s", f"--wanted={json.dumps(wanted)}", expect=expect)

    def files(self) -> dict[str, str]:
        found = (path for path in self.home.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.home)): path.read_text()
            for path in found
            if not path.is_relative_to(self.work) and not path.is_relative_to(self.depot)
        }


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "home")
    machine.depot.mkdir()
    return machine


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg" / "__init__.py").write_text("a = 1")
    (folder / "mine.py").write_text("x = 1")
    return folder


def read(work: Path) -> Collected:
    return collect(Choice(work, ("auto",), 64))


def test_a_machine_takes_what_it_lacks(machine: Machine, work: Path) -> None:
    first, nobody = read(work), Manifest()
    (machine.home / "theirs.txt").write_text("stays")
    whole = {"difference": first.archive(), "whole": first.archive()}
    event = machine.apply(first, whole, nobody)
    assert (event["written"], event["removed"], event["outdated"]) == (2, 0, [])
    assert machine.run("look", "--set=s")["id"] == first.manifest.id
    assert machine.apply(first, whole, nobody)["written"] == 0

    compiled = machine.home / "__pycache__" / "mine.cpython-311.pyc"
    compiled.parent.mkdir()
    compiled.touch()
    (work / "mine.py").write_text("x = 2")
    shutil.rmtree(work / "pkg")
    second = read(work)
    difference = {"difference": second.archive(first.manifest), "whole": first.archive()}
    event = machine.apply(second, difference, first.manifest)  # the whole would be the wrong one
    assert (event["written"], event["removed"]) == (1, 1)
    assert machine.files() == {"theirs.txt": "stays", "mine.py": "x = 2"}
    assert not (machine.home / "pkg").exists()


def test_a_machine_that_missed_something_takes_all(machine: Machine, work: Path) -> None:
    first = read(work)
    (work / "mine.py").write_text("x = 2")
    second = read(work)
    archives = {"difference": second.archive(first.manifest), "whole": second.archive()}
    assert machine.apply(second, archives, first.manifest)["written"] == 2
    assert machine.files() == {"mine.py": "x = 2", "pkg/__init__.py": "a = 1"}


def test_another_archive_is_not_taken(machine: Machine, work: Path) -> None:
    new = read(work)
    archive = Archive(b"something else", new.archive().sha256)
    event = machine.apply(new, {"difference": archive, "whole": archive}, Manifest(), expect=1)
    assert event["reason"] == "the files from the controller's machine have another SHA-256"
    assert machine.files() == {}


def test_on_a_full_disk_nothing_is_replaced(machine: Machine, work: Path) -> None:
    first = read(work)
    machine.apply(first, {"difference": first.archive(), "whole": first.archive()}, Manifest())
    (work / "mine.py").write_text("x = 2")
    (work / "pkg" / "large.py").write_bytes(b"#" * 3_000_000)
    second = read(work)
    machine.file_limit = 2_000_000  # as close to a full disk as a process can be brought
    archives = {"difference": second.archive(first.manifest), "whole": second.archive()}
    event = machine.apply(second, archives, first.manifest, expect=1)
    assert event["reason"] == "File too large"
    assert machine.files() == {"mine.py": "x = 1", "pkg/__init__.py": "a = 1"}
    assert not (machine.work / "files.new").exists()
    machine.file_limit = 0
    assert machine.apply(second, archives, first.manifest)["written"] == 2


def test_the_controller_makes_one_archive_of_two(tmp_path: Path, work: Path) -> None:
    controller, engines = Machine(tmp_path / "controller"), Machine(tmp_path / "engines")
    engines.depot = controller.work / "depot"
    engines.depot.mkdir()
    first = read(work)
    full = first.archive()
    (engines.depot / f"{full.sha256}.tar.gz").write_bytes(full.data)
    assert controller.run("merge", f"--new={full.sha256}")["sha256"] == full.sha256
    (work / "mine.py").write_text("x = 2")
    (work / "pkg" / "__init__.py").unlink()
    (work / "more.py").write_text("y = 1")
    second = read(work)
    difference = second.archive(first.manifest)
    (engines.depot / f"{difference.sha256}.tar.gz").write_bytes(difference.data)
    whole = controller.run("merge", f"--base={full.sha256}", f"--new={difference.sha256}")["sha256"]
    data = (engines.depot / f"{whole}.tar.gz").read_bytes()
    engines.apply(second, {"difference": difference, "whole": Archive(data, whole)}, first.manifest)
    assert engines.files() == {"mine.py": "x = 2", "more.py": "y = 1"}
    assert len(os.listdir(engines.depot)) == 3

"""The program that puts files where JupyterLab shows them, run as on the controller's machine."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.on_vm.scripts import notebook_files as script
from ipcluster_azure.ssh.commands import BARE


class Machine:
    """A home directory with a work directory, where an example has been sent."""

    def __init__(self, folder: Path) -> None:
        self.home, self.work = folder / "home", folder / "home" / ".ipcluster-azure"
        (self.work / "notebook" / "examples").mkdir(parents=True)
        (self.work / "depot").mkdir()
        (self.work / "notebook" / "examples" / "pricer.ipynb").write_text("{}")

    def offer(self, **files: str) -> str:
        """Put an archive of the user's files on offer; returns its hash."""
        buffer = io.BytesIO()
        manifest = json.dumps({"files": {}, "search": ["src"]})
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, text in {script.MANIFEST: manifest, **files}.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(text), 0o700
                archive.addfile(entry, io.BytesIO(text.encode()))
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        (self.work / "depot" / f"{digest}.tar.gz").write_bytes(buffer.getvalue())
        return digest

    def put(self, archive: str, expect: int = 0) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, BARE, script.__file__, f"--archive={archive}"],
            cwd=self.work,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == expect, done.stderr.decode()
        event: dict[str, Any] = json.loads(done.stdout)
        return event

    def texts(self) -> dict[str, str]:
        found = (path for path in self.home.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.home)): path.read_text()
            for path in found
            if not path.is_relative_to(self.work)
        }


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_was_edited_there_stays_and_the_rest_is_replaced(machine: Machine) -> None:
    first = machine.offer(**{"src/model.py": "1", "data.csv": "a", "same.csv": "x"})
    assert machine.put(first)["kept"] == []
    assert machine.texts() == {
        "pricer.ipynb": "{}",
        "src/model.py": "1",
        "data.csv": "a",
        "same.csv": "x",
    }
    assert (machine.home / "src" / "model.py").stat().st_mode & 0o777 == 0o700
    assert json.loads((machine.work / "files.json").read_text())["search"] == ["src"]
    for name in ("data.csv", "same.csv", "pricer.ipynb"):
        (machine.home / name).write_text("edited")
    second = machine.offer(**{"src/model.py": "2", "data.csv": "b", "same.csv": "x"})
    assert machine.put(second)["kept"] == ["data.csv"]
    assert machine.put(second)["kept"] == ["data.csv"]
    assert machine.texts() == {
        "pricer.ipynb": "edited",
        "src/model.py": "2",
        "data.csv": "edited",
        "same.csv": "edited",
    }


def test_without_files_of_the_user_s_there_are_the_examples(machine: Machine) -> None:
    assert machine.put("")["kept"] == []
    assert machine.texts() == {"pricer.ipynb": "{}"}


def test_nothing_is_written_outside(machine: Machine) -> None:
    said = machine.put(machine.offer(**{"../evil.py": "1"}), expect=1)
    assert "the archive has a member '../evil.py'" in said["reason"]
    assert not (machine.home.parent / "evil.py").exists()
    assert "No such file" in machine.put("0" * 64, expect=1)["reason"]

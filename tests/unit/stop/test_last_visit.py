"""The last visit before machines are deleted, as a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.stop.visit_process import visit_machines


def test_the_command_is_the_same_in_all_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link starts it from the files that are there then, which may be another version's."""
    commands: list[list[str]] = []

    def run(command: list[str], **options: object) -> "subprocess.CompletedProcess[bytes]":
        commands.append(command)
        return subprocess.CompletedProcess(command, len(commands) - 1)

    monkeypatch.setattr(subprocess, "run", run)
    file = RecordFile(tmp_path / "azure-.json")
    assert visit_machines(file, timeout_s=5.0)
    assert not visit_machines(file, set_id="s", stop=True, timeout_s=20.0)
    python = [sys.executable, "-m", "ipcluster_azure.stop.last_visit", str(file.path)]
    assert commands == [
        [*python, "--timeout-s=5.0"],
        [*python, "--timeout-s=20.0", "--set=s", "--stop"],
    ]

"""Nobody reads what a command prints, or there is no place for it: no traceback, whatever it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from azure_emulator.client import EmulatorInfo
from ipcluster_azure.commands.base import log_to_output
from ipcluster_azure.commands.output import Output, OutputClosed, output_that_may_close
from ipcluster_azure.progress import Progress

BIN = Path(sys.executable).parent
COMMANDS = [
    ["--help"],
    ["status", "--help"],
    ["status"],
    ["list"],
    ["reap"],
    ["doctor", "--role"],
    ["emulator", "status"],
    ["emulator", "--help"],
]
FULL = "No space left on device"


def _run(command: list[str], stdout: int, home: Path) -> tuple[int, str]:
    """Exit status, and what standard error says, with `stdout` as standard output."""
    environment = {**os.environ, "IPYTHONDIR": str(home)}
    done = subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, env=environment, text=True, check=False
    )
    return done.returncode, done.stderr


def _pipe_without_reader() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.fixture
def home(tmp_path: Path, emulator: EmulatorInfo) -> Path:
    """An IPython directory with a profile; an emulator runs for `list` and `reap` to ask."""
    folder = tmp_path / "profile_azure"
    folder.mkdir()
    line = 'c.AzureVMLauncher.endpoint = "emulator"\n'
    (folder / "ipcluster_config.py").write_text(line, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_closed_pipe_ends_a_command_without_a_word(command: list[str], home: Path) -> None:
    writing = _pipe_without_reader()
    try:
        assert _run([str(BIN / "ipcluster-azure"), *command], writing, home) == (0, "")
    finally:
        os.close(writing)


@pytest.mark.parametrize("command", [["status"], ["emulator", "status"]], ids=" ".join)
def test_a_full_disk_is_said_in_one_line(command: list[str], home: Path) -> None:
    with open("/dev/full", "wb") as full:
        status, said = _run([str(BIN / "ipcluster-azure"), *command], full.fileno(), home)
    assert status == 1
    assert said == f"ipcluster-azure: standard output can't be written: {FULL}.\n"


def test_the_emulators_own_command_line_ends_likewise(home: Path) -> None:
    command = [sys.executable, "-m", "azure_emulator", "status"]
    writing = _pipe_without_reader()
    try:
        assert _run(command, writing, home) == (0, "")
    finally:
        os.close(writing)
    with open("/dev/full", "wb") as full:
        assert _run(command, full.fileno(), home) == (1, f"python -m azure_emulator: {FULL}.\n")


def test_a_failure_keeps_its_status(home: Path) -> None:
    writing = _pipe_without_reader()
    try:
        status, said = _run([str(BIN / "ipcluster-azure"), "status", "-x"], writing, home)
    finally:
        os.close(writing)
    assert status == 2
    assert "'-x' is not one of its options" in said


def test_work_that_is_told_of_goes_on_without_a_reader(capsys: pytest.CaptureFixture[str]) -> None:
    """`ipcluster-azure deploy | head -1` must not leave half a deployment."""
    writing, steps = _pipe_without_reader(), []
    with open(writing, "w", encoding="utf-8") as stream:
        progress = Progress(log_to_output("ipcluster_azure.test_output", Output(stream)))
        for step in range(3):
            progress.say("working")
            steps.append(step)
    assert steps == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_what_only_prints_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ipcluster-azure logs -f | head` ends at the line that nobody reads."""
    printed = []
    with open(_pipe_without_reader(), "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with output_that_may_close():
            for line in range(3):
                printed.append(line)
                print(line, flush=True)
    assert printed == [0]


def test_it_is_no_error_of_a_connection() -> None:
    assert not issubclass(OutputClosed, OSError)

"""What README and tutorial tell a newcomer to type on the emulator, typed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from azure_emulator import client

from .markdown import ROOT, blocks, section

WALK_THROUGHS = {
    "README": (ROOT / "README.md", "A cluster on the emulator"),
    "tutorial": (ROOT / "docs" / "tutorial.md", "On this computer"),
}
STEP_TIMEOUT_S = 150.0
GONE_TIMEOUT_S = 30.0


@pytest.fixture
def private_emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for an emulator that nobody else uses; it is stopped at the end."""
    state_dir = tmp_path / "emulator"
    monkeypatch.setenv(client.STATE_DIR_VARIABLE, str(state_dir))
    yield state_dir
    client.stop(state_dir)


def _run(language: str, code: str, folder: Path) -> str:
    """Run one block as a user would, in a process of its own."""
    command = {
        "sh": ["sh", "-e", "-c", code],
        "python": [sys.executable, "-c", code],
    }[language]
    # files, not pipes: what a command leaves running would keep a pipe open
    output = folder / "output"
    with open(output, "wb") as file:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            timeout=STEP_TIMEOUT_S,
            check=False,
        )
    text = output.read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, f"{code}\nended with {done.returncode}:\n{text}"
    return text


def _wait_until_empty(emulator: Path) -> None:
    """A stop returns when the deletion is accepted; on a busy computer it goes on a while."""
    deadline = time.monotonic() + GONE_TIMEOUT_S
    while any((left := client.status(emulator)).values()):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


@pytest.mark.timeout(400)  # two starts, where other tests keep the cores busy
@pytest.mark.parametrize("name", WALK_THROUGHS)
def test_a_walk_through(
    name: str, tmp_path: Path, ipython_home: Path, private_emulator: Path
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    steps = blocks(section(*WALK_THROUGHS[name]))
    assert {language for language, _ in steps} == {"sh", "python"}
    outputs = [_run(language, code, folder) for language, code in steps]
    assert any("engines are registered" in output for output in outputs)
    _wait_until_empty(private_emulator)
    security = ipython_home / "profile_trial" / "security"
    assert set(os.listdir(security)) <= {".azure.lock", "azure_deleting"}
    if name == "tutorial":
        made = {path.suffix for path in (folder / "prices").iterdir()}
        assert made == {".csv", ".npz", ".png"}

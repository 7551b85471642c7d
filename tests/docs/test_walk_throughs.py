"""What README and tutorial tell a newcomer to type on the emulator, typed."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from azure_emulator import client
from tests.complete import variant
from tests.end_to_end.jupyter import needs_chromium

from .markdown import ROOT
from .walking import CELL, Done, steps_of, walk

WALK_THROUGHS = {
    "README": (ROOT / "README.md", "A cluster on the emulator"),
    "tutorial": (ROOT / "docs" / "tutorial.md", "On this computer"),
}
GONE_TIMEOUT_S = 30.0


@pytest.fixture
def private_emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for an emulator that nobody else uses; it is stopped at the end."""
    state_dir = tmp_path / "emulator"
    monkeypatch.setenv(client.STATE_DIR_VARIABLE, str(state_dir))
    yield state_dir
    client.stop(state_dir)


def _wait_until_empty(emulator: Path) -> None:
    """A stop returns when the deletion is accepted; on a busy computer it goes on a while."""
    deadline = time.monotonic() + GONE_TIMEOUT_S
    while any((left := client.status(emulator)).values()):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


@pytest.mark.timeout(600)  # two starts, where other tests keep the cores busy
@pytest.mark.parametrize(
    "name", ["README", pytest.param("tutorial", marks=[needs_chromium, variant])]
)
def test_a_walk_through(
    name: str, tmp_path: Path, ipython_home: Path, private_emulator: Path
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    steps = steps_of(*WALK_THROUGHS[name])
    assert {step.language for step in steps} >= {"sh", "python"}
    done = []
    for item in walk(steps, folder, os.environ):
        done.append(item)
        print(f"{item.took_s:6.1f} s  {item.step.code.splitlines()[0]}")
    assert any("engines are registered" in item.output for item in done)
    _wait_until_empty(private_emulator)
    security = ipython_home / "profile_trial" / "security"
    assert set(os.listdir(security)) <= {".azure.lock", "azure_deleting"}
    if name == "tutorial":
        _see_first_ten_minutes(done)
        made = {path.suffix for path in (folder / "prices").iterdir()}
        assert made == {".csv", ".npz", ".png"}


def _see_first_ten_minutes(done: list[Done]) -> None:
    """The notebook comes before the look at the machines, that before the cost and the stop; each
    shows what the page says."""
    connected, priced = (item.output for item in done if item.step.language == CELL)
    assert connected.strip() == "[0, 1, 2, 3, 4, 5]"
    assert "<img>" in priced
    outputs = {item.step.code.split(" --profile")[0]: item.output for item in done}
    order = ["notebook", "top", "status"]
    commands = [f"ipcluster-azure {name}" for name in order] + ["ipcluster stop"]
    assert [command for command in outputs if command in commands] == commands
    link, top, status, stop = (outputs[command] for command in commands)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", link.splitlines()[-1])
    tasks = re.search(r"of 6 engines compute; (\d+) tasks begun", top)
    assert tasks is not None, top
    assert int(tasks[1]) >= 6 + 12  # the look at each engine, the program, and the surface's
    assert re.search(r"^  cost: about \$\d.* so far, at most \$", status, re.MULTILINE), status
    assert re.search(r"^  time: .* until the end of its lifetime$", status, re.MULTILINE), status
    assert "The cluster has cost about $" in stop

"""What all tests share: an emulator of their own, and an IPython directory of their own."""

import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from azure_emulator import client
from azure_emulator.client import EmulatorInfo

from . import ended_runs, real_machines
from .azure import spending

# Nothing is left of a run that is ended from outside, whoever starts an emulator for it.
os.environ[client.END_WITH_PID_VARIABLE] = str(os.getpid())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--target",
        choices=["emulator", "azure"],
        default="emulator",
        help="what tests/azure runs on; azure costs money, and is refused without a spending cap",
    )


def pytest_configure(config: pytest.Config) -> None:
    ended_runs.watch()
    if config.getoption("target") == "azure":
        try:
            spending.agreed(os.environ)
        except spending.Refused as error:
            raise pytest.UsageError(str(error)) from None


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the collector needn't walk through it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorInfo]:
    """An emulator that `endpoint = "emulator"` finds; nothing may be left on it at the end."""
    state_dir = tmp_path_factory.mktemp("emulator")
    patch = pytest.MonkeyPatch()
    patch.setenv(client.STATE_DIR_VARIABLE, str(state_dir))
    # it ends with the tests, and not while a worker is at those that don't need it
    options = real_machines.options(tmp_path_factory.mktemp("image"))
    info = client.start(state_dir, idle_timeout_s=86_400, **options)
    real_machines.stand_in_front_of(info)
    yield info
    nothing: dict[str, list[str]] = {"resource_groups": [], "virtual_machines": []}
    deadline = time.monotonic() + 60 * real_machines.SLOWNESS
    while (left := client.status(state_dir)) != nothing and time.monotonic() < deadline:
        time.sleep(0.05)  # the last deletion was accepted a moment ago
    client.stop(state_dir)
    patch.undo()
    assert left == nothing


@pytest.fixture
def ipython_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty IPython directory, for this process and those that it starts."""
    folder = tmp_path / "ipython"
    folder.mkdir()
    monkeypatch.setenv("IPYTHONDIR", str(folder))
    # so that ipcluster is the one beside this Python
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return folder

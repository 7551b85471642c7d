"""A run of these tests is ended from outside, in the middle of a test with a cluster."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from ..complete import variant
from .conftest import wait_for

ROOT = Path(__file__).parents[2]
# its cluster is there, and at work, for ten seconds
ENDED = "tests/end_to_end/test_network_cut.py::test_a_short_cut_loses_nothing"
STARTED_S = 60.0
GONE_S = 30.0  # 2.4 s on a quiet machine; at a Ctrl-C pytest itself stops the cluster first


def processes_of(folder: Path) -> dict[int, str]:
    """Command lines by pid, of processes that know the folder by that or by their environment."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            command = process.cmdline()
            if any(str(folder) in text for text in (*command, *process.environ().values())):
                found[process.pid] = " ".join(command)
    return found


@pytest.mark.parametrize(
    "signum",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGTERM, marks=variant),
        pytest.param(signal.SIGINT, marks=variant),
    ],
)
def test_nothing_is_left_of_a_run_that_is_ended(tmp_path: Path, signum: signal.Signals) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = {key: text for key, text in os.environ.items() if not key.startswith("PYTEST_")}
    environment["RUN"] = str(folder)  # all that it starts inherits that; machines are in the folder
    output = tmp_path / "output"
    with open(output, "w", encoding="utf-8") as file:
        run = subprocess.Popen(
            [*command, f"--basetemp={folder}", ENDED],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    kinds = ("azure_emulator", "tests.forked_client", "ipcluster_azure.link", "vm_agent.py")

    def is_under_way() -> bool:
        assert run.poll() is None, output.read_text()
        commands = processes_of(folder).values()
        return all(any(kind in command for command in commands) for kind in kinds)

    try:
        wait_for(is_under_way, STARTED_S)
        time.sleep(1)
    finally:
        run.send_signal(signum)
    wait_for(lambda: run.poll() is not None and not processes_of(folder), GONE_S)

"""A pytest that is ended from outside, while daemons of its tests run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.ended_runs import marked
from tests.processes import is_alive
from tests.unit.on_vm.agents import processes_of, wait_for

ROOT = Path(__file__).parents[1]
GONE_WITHIN_S = 10.0
RUN = """
import time
from pathlib import Path
from tests.unit.on_vm.agents import vm

def test_that_takes_long():
    with vm(Path({folder!r}), "127.70.4.4") as agent:
        agent.controller()
        agent.engines("s", 2)
        Path({ready!r}).touch()
        time.sleep(120)
"""


@pytest.mark.parametrize(
    ("workers", "signum"), [(0, signal.SIGKILL), (0, signal.SIGTERM), (1, signal.SIGKILL)]
)
def test_nothing_is_left(tmp_path: Path, workers: int, signum: int) -> None:
    folder, ready = tmp_path / "machine", tmp_path / "ready"
    (tmp_path / "test_run.py").write_text(RUN.format(folder=str(folder), ready=str(ready)))
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", f"-n{workers}"]
    command += ["-c", str(ROOT / "pyproject.toml"), str(tmp_path / "test_run.py")]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        wait_for(lambda: ready.exists() or run.poll() is not None, 60)
        started = [run.pid, *(child.pid for child in psutil.Process(run.pid).children(True))]
        assert len(processes_of(folder)) > 5  # ipcontroller's, the guard, supervisor, engines
        run.send_signal(signum)
        run.wait(10)
        ended_at = time.monotonic()
        wait_for(lambda: not processes_of(folder), GONE_WITHIN_S)
        # xdist's worker and the watchers, too
        wait_for(lambda: not any(map(is_alive, started)), GONE_WITHIN_S)
        assert time.monotonic() - ended_at < GONE_WITHIN_S


def test_processes_that_run_are_found_by_the_value() -> None:
    value = "0123456789abcdef"
    environment = {**os.environ, "IPCLUSTER_AZURE_TEST_RUN": value}
    with subprocess.Popen(["/bin/sleep", "60"], env=environment) as sleeper:
        wait_for(lambda: [*marked(value)] == [sleeper.pid])
        assert [*marked(value[:-1])] == []
        sleeper.kill()
    assert [*marked(value)] == []

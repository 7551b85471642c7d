"""In a notebook: a real kernel, whose event loop runs while our code is called."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from azure_emulator import client

from .conftest import Profile

TIMEOUT_S = 90


class Notebook:
    """A kernel of the profile's Python, in `cwd`, else in the working directory of its commands."""

    def __init__(self, profile: Profile, cwd: Path | None = None) -> None:
        environment = {
            **os.environ,
            "IPYTHONDIR": str(profile.ipython_dir),
            client.STATE_DIR_VARIABLE: profile.emulator.state_dir,
            **profile.environment,
        }
        # the default of 5 s would kill a kernel that stops a cluster while other tests run
        self._manager = KernelManager(shutdown_wait_time=TIMEOUT_S)
        self._manager.kernel_spec.argv[0] = str(profile.bin / "python")
        self._manager.start_kernel(
            env=environment, cwd=str(cwd or profile.cwd or profile.ipython_dir)
        )
        self._client: Any = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=TIMEOUT_S)
        self.displayed: list[dict[str, Any]] = []  # by MIME type

    def cell(self, code: str) -> str:
        """What a cell prints; an exception in it fails the test."""
        printed: list[str] = []

        def output(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                printed.append(content["text"])
            elif message["msg_type"] == "error":
                printed.append("\n".join(content["traceback"]))
            elif message["msg_type"] == "display_data":
                self.displayed.append(content["data"])
            elif message["msg_type"] == "update_display_data":
                self.displayed[-1] = content["data"]

        reply = self._client.execute_interactive(code, output_hook=output, timeout=TIMEOUT_S)
        assert reply["content"]["status"] == "ok", "".join(printed)
        return "".join(printed)

    def restart(self) -> None:
        """Have the kernel killed, and another in its place."""
        self._manager.restart_kernel(now=True)
        self._client.wait_for_ready(timeout=TIMEOUT_S)

    def close(self) -> None:
        if self._manager.has_kernel:
            self._client.stop_channels()
            self._manager.shutdown_kernel()


@pytest.fixture
def notebook(profile: Profile) -> Iterator[Notebook]:
    notebook = Notebook(profile)
    yield notebook
    notebook.close()


START = "import ipyparallel as ipp\ncluster = ipp.Cluster(profile='azure', cluster_id='', n=2)\n"


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("without", "start", "stop"),
    [
        ("", "rc = await cluster.start_and_connect()", "await cluster.stop_cluster()"),
        (
            "import sys; sys.modules['ipywidgets'] = None\n",
            "rc = cluster.start_and_connect_sync()",
            "cluster.stop_cluster_sync()",
        ),
    ],
    ids=["await", "sync"],
)
def test_start_compute_stop(
    notebook: Notebook, profile: Profile, without: str, start: str, stop: str
) -> None:
    (line,) = notebook.cell(f"{without}{START}{start}").splitlines()
    assert line.startswith("2 of 2 engines are registered")
    assert "The cluster is deleted after 60 min without a task" in line
    (bar,) = notebook.displayed
    assert "2 of 2 engines are registered" in bar["text/plain"]
    assert '<progress value="2" max="2">' in bar["text/html"]
    notebook.cell("display(cluster)")
    table = notebook.displayed[-1]["text/html"]
    assert "Cluster on Azure: azure" in table
    assert "1 for engines" in table
    notebook.cell("def square(x): return x * x")
    assert notebook.cell("print(rc[:].map_sync(square, range(4)))").strip() == "[0, 1, 4, 9]"
    notebook.cell(stop)
    profile.assert_nothing_left()


def test_the_end_of_the_kernel_deletes_everything(notebook: Notebook, profile: Profile) -> None:
    notebook.cell(f"{START}await cluster.start_cluster()")
    assert len(profile.left_on_azure()["virtual_machines"]) == 2
    notebook.close()
    profile.assert_nothing_left()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_magics_and_a_kernel_that_is_restarted_in_a_task(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "2", "--daemonize")
    notebook = Notebook(profile)
    try:
        connect = "import ipyparallel as ipp\nrc = ipp.Client(profile='azure')\nview = rc[:]\n"
        notebook.cell(f"{connect}view.scatter('rank', [0, 1], flatten=True, block=True)")
        notebook.cell("view.block = True; view.activate()")
        notebook.cell("%px x = 10 * rank")
        notebook.cell("%%px\nx = x + 20\ny = x + 1")
        notebook.cell("%autopx")
        notebook.cell("z = y + 1")
        notebook.cell("%autopx")
        assert notebook.cell("print('z' in globals(), view['y'], view['z'])") == (
            "False [21, 31] [22, 32]\n"
        )
        notebook.cell("view.apply_async(__import__('time').sleep, 60)")
        wait = "while not all(rc.queue_status(i)['queue'] for i in rc.ids): time.sleep(0.1)"
        notebook.cell(f"import time\n{wait}")
        notebook.restart()
        notebook.cell(f"{connect}rc.send_signal(2, block=True)")
        assert notebook.cell("print(view.apply_sync(lambda: z))") == "[22, 32]\n"
    finally:
        notebook.close()
        profile.ipcluster("stop")
    profile.assert_nothing_left()

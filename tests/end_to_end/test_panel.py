"""JupyterLab's panel "IPython Clusters": what it asks of Jupyter's server, over HTTP."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
import requests

from azure_emulator.testing import fault, faults

from ..complete import variant
from .conftest import ON_EMULATOR, Profile, wait_for
from .outputs import Process

TOKEN = "secret"
TIMEOUT_S = 90


@dataclass(frozen=True)
class Server:
    """Jupyter's server with ipyparallel's extension, as JupyterLab runs it."""

    process: Process
    url: str

    def ask(self, method: str, path: str = "", **body: Any) -> tuple[int, Any]:
        """Return the status of the answer, and what its JSON says."""
        address = f"{self.url}ipyparallel/clusters{path}"
        headers = {"Authorization": f"token {TOKEN}"}
        answer = requests.request(
            method, address, json=body or None, headers=headers, timeout=TIMEOUT_S
        )
        return answer.status_code, answer.json() if answer.text else None

    def cluster(self, profile: str) -> str:
        """Make a cluster, as the panel's button NEW does, and return the path of it."""
        status, made = self.ask("POST", profile=profile, n=1)
        assert status == 200
        return f"/{quote(made['id'])}"


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}api", timeout=TIMEOUT_S).ok
    except requests.ConnectionError:
        return False


@contextmanager
def jupyter_of(profile: Profile, module: str, *options: str) -> Iterator[Server]:
    """Jupyter's server, as `python -m module` runs it; its panel starts and stops clusters."""
    folder = profile.ipython_dir.parent
    for name in ("CONFIG", "DATA", "RUNTIME"):
        profile.environment[f"JUPYTER_{name}_DIR"] = str(folder / name)
    process = profile.popen(
        *("python", "-W", "ignore", "-m", module, "--ip=127.0.0.1", "--port=0", *options),
        *("--no-browser", "--allow-root", f"--IdentityProvider.token={TOKEN}"),
        f"--ServerApp.root_dir={profile.ipython_dir}",
        "--ServerApp.jpserver_extensions={'ipyparallel': True}",
        traceback_because="ipyparallel's extension is not written for failures",
    )
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    assert any("is running at" in line for line in lines)  # of a port that was taken it tells too
    (url,) = next(filter(None, (re.findall(r"http://127\.0\.0\.1:\d+/", line) for line in lines)))
    wait_for(lambda: _answers(url), TIMEOUT_S)  # it tells its address a moment earlier
    yield Server(process, url)
    process.terminate()
    process.communicate(timeout=TIMEOUT_S)


@pytest.fixture
def jupyter(profile: Profile) -> Iterator[Server]:
    with jupyter_of(profile, "jupyter_server") as server:
        yield server


def test_why_a_start_or_a_stop_failed_is_shown(profile: Profile, jupyter: Server) -> None:
    profile.configure(f"{ON_EMULATOR}c.AzureVMLauncher.vm_size = '50% of %s'\n")
    status, answer = jupyter.ask("POST", jupyter.cluster(profile.name), n=1)
    assert status == 500
    assert answer["message"].startswith("vm_size '50% of %s' is not offered in eastus.")
    profile.assert_nothing_left()

    jupyter.ask("DELETE", f"/{profile.name}:")  # the row that stays is ipyparallel's own
    profile.configure(ON_EMULATOR)
    cluster = jupyter.cluster(profile.name)
    status, answer = jupyter.ask("POST", cluster, n=1)
    assert (status, answer["engines"]["n"]) == (200, 1)
    locked = fault("refuse", method="DELETE", times=None, status=409, code="ScopeLocked")
    with faults(profile.emulator, locked):
        status, answer = jupyter.ask("DELETE", cluster)
    assert status == 500
    assert "`az lock list` shows the lock" in answer["message"]
    assert jupyter.ask("DELETE", cluster) == (204, None)
    profile.assert_nothing_left()
    jupyter.process.terminate()
    output = jupyter.process.communicate(timeout=TIMEOUT_S)[0]
    assert "Logging error" not in output


def test_a_stop_there_and_one_elsewhere_take_turns(profile: Profile, jupyter: Server) -> None:
    cluster = jupyter.cluster(profile.name)
    assert jupyter.ask("POST", cluster, n=1)[0] == 200
    with ThreadPoolExecutor(1) as beside:
        elsewhere = beside.submit(profile.ipcluster, "stop", expect=None)
        assert jupyter.ask("DELETE", cluster) == (204, None)
        elsewhere.result()
    profile.assert_nothing_left()


@variant
def test_a_stop_there_after_one_elsewhere_is_one(profile: Profile, jupyter: Server) -> None:
    cluster = jupyter.cluster(profile.name)
    assert jupyter.ask("POST", cluster, n=1)[0] == 200
    profile.ipcluster("stop")
    assert jupyter.ask("DELETE", cluster) == (204, None)
    profile.assert_nothing_left()


@variant  # of test_steps.py, with a program
def test_machines_alone_are_shown_as_no_cluster_that_runs(
    profile: Profile, jupyter: Server
) -> None:
    """Its button START deploys to them, and STOP deletes them."""
    for deploys in (False, True):
        profile.run("ipcluster-azure", "create", f"--profile={profile.name}", "-n", "1")
        status, found = jupyter.ask("GET")
        (shown,) = (one for one in found if one["cluster"]["profile"] == profile.name)
        assert (status, shown.get("controller"), shown["engines"]["n"]) == (200, None, 0)
        path = f"/{quote(shown['id'])}"
        if deploys:
            status, answer = jupyter.ask("POST", path, n=1)
            assert (status, answer["engines"]["n"]) == (200, 1)
            assert len(profile.engine_ids()) == 1
        assert jupyter.ask("DELETE", path) == (204, None)
        profile.assert_nothing_left()

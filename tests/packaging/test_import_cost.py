"""Every `ipcluster` command imports the launchers: they must not bring the heavy modules along."""

import subprocess
import sys

import pytest

HEAVY = ("aiohttp", "asyncssh", "azure", "cryptography", "filelock", "rich", "tqdm")
CODE = f"""
import sys
import ipyparallel.cluster.launcher
before = set(sys.modules)
import ipcluster_azure.launchers
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(loaded.intersection({HEAVY!r})))
"""


def test_the_launchers_import_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    "modules",
    [
        pytest.param("ipcluster_azure.stop.teardown", id="stop"),  # its last visit is a process
        pytest.param(
            "ipcluster_azure.start.deployment, ipcluster_azure.start.planning", id="start"
        ),
    ],
)
def test_azure_is_asked_before_ssh_is_imported(modules: str) -> None:
    code = f"import sys, {modules}; print('asyncssh' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize("module", ["link", "stop.last_visit"])
def test_processes_of_a_cluster_do_without_ipyparallel(module: str) -> None:
    # without the words that they need both end after their imports
    command = [sys.executable, "-X", "importtime", "-m", f"ipcluster_azure.{module}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "ipcluster_azure.errors" in imported
    assert imported.isdisjoint({"ipyparallel", "IPython", "jupyter_client"})


def test_errors_are_those_of_launchers_wherever_these_run() -> None:
    code = (
        "from ipcluster_azure.errors import AzureLauncherError as error\n"
        "from ipyparallel.cluster.launcher import LauncherError\n"
        "print(issubclass(error, LauncherError))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "True\n"

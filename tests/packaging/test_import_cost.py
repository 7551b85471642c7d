"""Every `ipcluster` command imports the launchers: they must not bring the heavy modules along."""

import subprocess
import sys

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


def test_a_stop_does_without_ssh() -> None:
    """Its last visit to the machines is a process of its own."""
    code = "import sys, ipcluster_azure.stop.teardown; print('asyncssh' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"

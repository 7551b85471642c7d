"""Other projects' clients, unchanged, against the emulator."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from .cloud import Cloud

PROBE = Path(__file__).with_name("probes") / "dask_cluster.py"
# The last releases of the SDK whose models take the snake_case of that time.
OF_ITS_TIME = ("azure-mgmt-compute==37.2.0", "azure-mgmt-network==30.2.0")
PINNED = ("dask-cloudprovider[azure]==2025.9.0", *OF_ITS_TIME)


@pytest.fixture(scope="module")
def dask_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throw-away environment with dask-cloudprovider."""
    environment = tmp_path_factory.mktemp("dask") / "venv"
    python = environment / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    for command in (
        [*uv, "venv", "--quiet", "--python", sys.executable, str(environment)],
        [*uv, "pip", "install", "--quiet", "--python", str(python), *PINNED],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return python


@pytest.mark.timeout(300)
def test_dask_cloudprovider_computes_and_leaves_nothing(machines: Cloud, dask_python: Path) -> None:
    info = json.dumps(dataclasses.asdict(machines.info))
    done = subprocess.run(
        [str(dask_python), str(PROBE), info, "2"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["answers"] == [42, 42]
    assert report["machines"] >= 3
    left = machines.call("GET", "/resourceGroups/dask/resources").body["value"]
    kinds = {item["type"] for item in left}
    assert kinds == {"Microsoft.Network/virtualNetworks", "Microsoft.Network/networkSecurityGroups"}
    machines.wait_for_group("dask")

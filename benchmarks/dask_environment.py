"""An environment with dask-cloudprovider and the Azure SDK of its time, made by uv."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from azure_emulator.client import EmulatorInfo

from .clusters import run

VERSIONS = (
    "dask-cloudprovider 2025.9.0",
    "azure-mgmt-compute 37.2.0",
    "azure-mgmt-network 30.2.0",
)
# The tests' own: dask-cloudprovider's class, unchanged but for the endpoint and the credential.
PROBES = Path(__file__).parents[1] / "tests" / "azure_emulator" / "probes"
SIDE = Path(__file__).with_name("dask_side.py")


@contextlib.contextmanager
def dask_python() -> Iterator[Path]:
    """The interpreter of a new environment."""
    uv = [sys.executable, "-m", "uv"]
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        python = Path(directory, "bin", "python")
        subprocess.run(
            [*uv, "venv", "--quiet", "--clear", f"--python={sys.executable}", directory], check=True
        )
        first, *others = (item.replace(" ", "==") for item in VERSIONS)
        wanted = [first.replace("==", "[azure]==", 1), *others]
        subprocess.run(
            [*uv, "pip", "install", "--quiet", f"--python={python}", *wanted], check=True
        )
        yield python


def first_result_s(python: Path, info: EmulatorInfo, workers: int) -> float:
    """Seconds until the workers have each returned one result."""
    words = [json.dumps(asdict(info)), str(workers), str(PROBES)]
    command = [str(python), "-W", "ignore", str(SIDE), *words]
    output = run(command, os.environ, stderr=subprocess.DEVNULL)
    report = json.loads(output.splitlines()[-1])
    if report["answers"] != [42] * workers:
        raise SystemExit(f"{report} is not what {workers} workers should answer")
    return float(report["ready_s"])

"""The wheel in a clean environment: it can start a cluster, on every Python and at its bounds."""

import sys
from pathlib import Path

import pytest

from .clean import REPOSITORY, UV, Installed, find_python, run
from .conftest import Distributions

RUNNING = "{}.{}".format(*sys.version_info)
OLDEST, *OTHERS = ("3.10", "3.11", "3.12", "3.13")


# with the version that runs this, everything else is tested
@pytest.mark.parametrize("version", [version for version in OTHERS if version != RUNNING])
def test_a_cluster_from_the_wheel(built: Distributions, tmp_path: Path, version: str) -> None:
    installed = Installed.make(tmp_path, find_python(version), f"{built.wheel}[emulator]")
    installed.start_and_stop_a_cluster()


def test_a_cluster_from_the_lowest_versions(built: Distributions, tmp_path: Path) -> None:
    """Every lower bound in setup.cfg at once, on the oldest Python."""
    base = find_python(OLDEST)
    versions = tmp_path / "lowest.txt"
    bounds = (UV, "pip", "compile", "--quiet", "--resolution=lowest-direct", "--extra=emulator")
    run(*bounds, "--python", base, "--output-file", versions, REPOSITORY / "setup.cfg")
    installed = Installed.make(tmp_path, base, "--requirement", versions, built.wheel)
    installed.start_and_stop_a_cluster()

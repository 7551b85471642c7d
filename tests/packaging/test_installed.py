"""The wheel in a clean environment starts a cluster: on the newest Python, and at its bounds."""

from pathlib import Path

from ..project_files import ROOT
from .clean import UV, Installed, find_python, run
from .conftest import Distributions

OLDEST, NEWEST = "3.10", "3.13"


def test_a_cluster_from_the_wheel(built: Distributions, tmp_path: Path) -> None:
    installed = Installed.make(tmp_path, find_python(NEWEST), f"{built.wheel}[emulator]")
    installed.start_and_stop_a_cluster()


def test_a_cluster_from_the_lowest_versions(built: Distributions, tmp_path: Path) -> None:
    """Every lower bound in setup.cfg at once, on the oldest Python."""
    base = find_python(OLDEST)
    versions = tmp_path / "lowest.txt"
    bounds = (UV, "pip", "compile", "--quiet", "--resolution=lowest-direct", "--extra=emulator")
    run(*bounds, "--python", base, "--output-file", versions, ROOT / "setup.cfg")
    installed = Installed.make(tmp_path, base, "--requirement", versions, built.wheel)
    installed.start_and_stop_a_cluster()

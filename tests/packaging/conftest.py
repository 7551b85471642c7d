"""The source distribution and the wheel, built once however many workers run the tests."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from .clean import REPOSITORY, UV, run

SOURCES = ("ipcluster_azure", "examples", "profile_templates")
METADATA = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")


@dataclass(frozen=True)
class Distributions:
    sdist: Path
    wheel: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Distributions:
    """Built from a copy, since setuptools leaves its own files among the sources."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "built"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            _build(folder)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Distributions(sdist, wheel)


def _build(folder: Path) -> None:
    copy = folder.with_name("source")
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, copy / name, ignore=ignored)
    for name in METADATA:
        if (REPOSITORY / name).exists():
            shutil.copy(REPOSITORY / name, copy)
    # the wheel is built from the source distribution, so that one must be complete
    run(UV, "build", "--quiet", "--out-dir", folder, copy)

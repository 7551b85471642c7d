"""The source distribution and the wheel, built once however many workers run the tests."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from ..project_files import ROOT, project_files
from .clean import UV, run


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
    for path in project_files():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, copy / path)
    # the wheel is built from the source distribution, so that one must be complete
    run(UV, "build", "--quiet", "--out-dir", folder, copy)

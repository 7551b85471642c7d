"""A package index of the tests' own, which pip and uv are configured with, and nothing else."""

import importlib.metadata
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.package_index import PackageIndex, served

IPYPARALLEL = importlib.metadata.version("ipyparallel")


@pytest.fixture
def unconfigured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip and uv as if newly installed, with caches of their own."""
    for name in os.environ:
        if name.startswith(("PIP_", "UV_", "NETRC")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("NETRC", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))


@pytest.fixture
def index(unconfigured: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """The only index; it has this process' ipyparallel."""
    with served(PackageIndex()) as index:
        index.add("ipyparallel", IPYPARALLEL)
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        yield index

"""This process' own environment, from the indexes that this computer is configured with."""

import sys
from pathlib import Path

import pytest

from ipcluster_azure.environment.installed import read_environment
from ipcluster_azure.environment.prepare import prepare
from ipcluster_azure.environment.selection import Selection, Target

from .test_prepare import locked

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_a_license_of_several_paragraphs_ends_no_headers() -> None:
    here = read_environment(sys.executable, sys.path)
    ipyparallel = here.named("ipyparallel")
    assert ipyparallel is not None
    assert any(text.startswith("pyzmq") for text in ipyparallel.requires)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


def test_all_that_is_installed_here_is_in_its_versions(folder: Path) -> None:
    said: list[str] = []
    here = read_environment(sys.executable, sys.path)

    result = prepare(Selection(), Target(PYTHON, "x86_64", (2, 39)), folder, said.append)

    versions = {item.name: item.version for item in here.distributions}
    found = locked(result)
    assert result.warnings == ()
    assert {name: versions.get(name) for name in found} == found
    assert {"ipyparallel", "numpy", "pytest", "matplotlib"} < set(found)
    assert not {"ipcluster-azure", "azure-identity", "uv"} & set(found)
    assert result.summary.startswith(f"{len(found)} packages: ")
    assert "more" not in result.summary

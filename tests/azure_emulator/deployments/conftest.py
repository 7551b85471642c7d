"""Deployments in a site of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..cloud import Cloud, Site
from ..conftest import running
from ..template_samples import Deployer


@pytest.fixture
def deployer(site: Site) -> Deployer:
    return Deployer(site)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Where things take a fifth of their time on Azure."""
    directory = tmp_path_factory.mktemp("slow")
    yield from running(directory, machines="none", seed=3, time_scale=0.2)

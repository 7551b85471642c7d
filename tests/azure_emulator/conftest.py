"""One emulator without machines for what ARM answers, one with machines for what VMs do."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azure_emulator import client

from .cloud import Cloud, Keys, Site
from .hosts import Host, make_host

numbers = itertools.count(1)


def running(directory: Path, **options: object) -> Iterator[Cloud]:
    info = client.start(directory, **options)
    cloud = Cloud(info)
    try:
        yield cloud
    finally:
        cloud.close()
        client.stop(directory)


@pytest.fixture(scope="session")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """ARM alone; small quotas, so that they can be reached."""
    directory = tmp_path_factory.mktemp("arm")
    yield from running(directory, machines="none", seed=1, quota_cores=4500)


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """With machines, in a directory whose name is as awkward as a user's can be."""
    yield from running(tmp_path_factory.mktemp("mit Größe"), machines="process")


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys()


@pytest.fixture
def new_site(arm: Cloud) -> Iterator[Callable[[], Site]]:
    """Makes resource groups that are gone after the test."""
    made: list[Site] = []

    def new() -> Site:
        number = next(numbers)
        made.append(Site(arm, f"test-{number}", f"10.{number % 256}.0.0/20"))
        return made[-1]

    yield new
    for site in made:
        arm.call("DELETE", site.path)


@pytest.fixture
def site(new_site: Callable[[], Site]) -> Site:
    return new_site()


@pytest.fixture
def patient(arm: Cloud) -> Iterator[Cloud]:
    """SDK clients that try again, as a user's do."""
    cloud = Cloud(arm.info, retry_total=3, retry_backoff_factor=0.01)
    yield cloud
    cloud.close()


@pytest.fixture
def lan(machines: Cloud) -> Iterator[Site]:
    """A site whose addresses exist on the loopback."""
    offer = client.offer(machines.info)
    site = Site(machines, f"lan-{next(numbers)}", offer["address_prefix"])
    yield site
    machines.wait_for_group(site.group)


@pytest.fixture
def host(lan: Site, keys: Keys) -> Host:
    """A machine with a public address behind a security group that lets SSH in."""
    return make_host(lan, keys)

"""Machines with agents, and packages for them: for the tests of what runs there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.package_index import PackageIndex, served

from .agents import Agent, connect, vm, wait_for


@pytest.fixture(scope="session")
def controlled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """A VM with a controller, shared by tests that each use an engine set of their own."""
    with vm(tmp_path_factory.mktemp("vm"), "127.70.1.4") as agent:
        agent.controller()
        yield agent


@pytest.fixture
def agent(controlled: Agent) -> Iterator[Agent]:
    yield controlled
    for set_id in controlled.sets():
        controlled.ok("stop", f"--set={set_id}")
    with connect(controlled, 0) as client:
        wait_for(lambda: not client.ids)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Agent]:
    with vm(tmp_path, "127.70.2.4") as agent:
        yield agent


@pytest.fixture(scope="module")
def index() -> Iterator[PackageIndex]:
    """Packages one, two and three; of one there are two versions."""
    index = PackageIndex()
    with served(index):
        for name in ("one", "two", "three"):
            index.add(name, "1.0")
        index.add("one", "2.0")
        yield index

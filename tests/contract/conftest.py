"""ipyparallel's own launcher tests, pointed at our launchers.

They are run awaited, called through `_sync` where no event loop runs, and called through `_sync`
where one does, as in a notebook: start and stop in each way, the others in one of them, but in each
by `make complete`.
"""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from ipyparallel.tests.conftest import Cluster as StockCluster  # noqa: F401
from ipyparallel.tests.conftest import Context, ipython_dir  # noqa: F401
from traitlets.config import Config

from azure_emulator.client import EmulatorInfo

from ..complete import COMPLETE

AWAITED, SYNC, IN_LOOP = WAYS = ("awaited", "sync", "sync-in-running-loop")
ONE_WAY = {
    "test_get_output": SYNC,
    "test_restart_engines": IN_LOOP,
    "test_signal_engines": IN_LOOP,
    "test_to_from_dict": AWAITED,
}
COROUTINES = frozenset(
    "start_cluster stop_cluster start_controller stop_controller start_engines stop_engines "
    "restart_engines signal_engines connect_client start_and_connect".split()
)


class SyncCaller:
    """A Cluster whose coroutines are run by their `_sync` forms."""

    def __init__(self, cluster: Any, *, in_running_loop: bool) -> None:
        self._cluster, self._in_running_loop = cluster, in_running_loop

    def __getattr__(self, name: str) -> Any:
        if name not in COROUTINES:
            return getattr(self._cluster, name)
        return partial(self._call, getattr(self._cluster, f"{name}_sync"))

    async def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._in_running_loop:
            return function(*args, **kwargs)
        return await asyncio.to_thread(function, *args, **kwargs)

    async def __aenter__(self) -> Any:
        self._client = await self.start_and_connect()
        return _ClientOf(self, self._client)

    async def __aexit__(self, *exc_info: object) -> None:
        self._client.close()
        await self.stop_engines()
        await self.stop_controller()


class _ClientOf:
    """A client whose `cluster` is a SyncCaller, which the trait of that name does not take."""

    def __init__(self, cluster: SyncCaller, client: Any) -> None:
        self.cluster, self._client = cluster, client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def __getitem__(self, key: Any) -> Any:
        return self._client[key]


@pytest.fixture
def engine_launcher_class() -> str:
    return "azurevm"


@pytest.fixture
def controller_launcher_class() -> str:
    return "azurevm"


@pytest.fixture
def cluster_config(emulator: EmulatorInfo, request: pytest.FixtureRequest) -> Config:
    """The interpreter that runs the tests, at once; in one way of a complete run what users get,
    this environment on the machines: ipyparallel's tests send functions that need pytest."""
    config = Config()
    config.AzureVMLauncher.endpoint = "emulator"
    if not COMPLETE or request.node.callspec.params["Cluster"] != AWAITED:
        config.AzureVMLauncher.python_environment = "image"
        config.AzureVMLauncher.image_python = sys.executable
    config.AzureVMLauncher.sync_paths = []  # the working directory is the project's own
    return config


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "Cluster" in metafunc.fixturenames:
        way = None if COMPLETE else ONE_WAY.get(metafunc.function.__name__)
        metafunc.parametrize("Cluster", [way] if way else WAYS, indirect=True)


@pytest.fixture
def Cluster(request: pytest.FixtureRequest, StockCluster: Any) -> Any:  # noqa: F811
    if request.param == AWAITED:
        return StockCluster
    in_loop = request.param == IN_LOOP
    return lambda **kwargs: SyncCaller(StockCluster(**kwargs), in_running_loop=in_loop)

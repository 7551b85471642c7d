"""Who called a launcher is told by ipyparallel's own functions on the call stack."""

import asyncio
import os
import types
from pathlib import Path
from typing import Any

import pytest
from ipyparallel import Cluster
from ipyparallel.cluster import cluster as ipyparallel_cluster
from ipyparallel.cluster.launcher import ControllerLauncher, EngineLauncher

from ipcluster_azure.launchers.caller import Caller, caller, engines_to_start


class Noting:
    """A launcher that notes who starts and stops it, and does nothing else."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.noted: list[Caller] = self.parent.noted  # type: ignore[attr-defined]
        self.expected: list[int | None] = self.parent.expected  # type: ignore[attr-defined]

    async def start(self, n: int = 1) -> None:
        self.n, self.state = n, "running"
        await asyncio.sleep(0)
        self.noted.append(caller())
        self.expected.append(engines_to_start(self.parent))  # type: ignore[attr-defined]

    async def stop(self) -> None:
        await asyncio.sleep(0)
        self.noted.append(caller())

    def get_output(self, remove: bool = False) -> str:
        return ""


class Controller(Noting, ControllerLauncher):  # type: ignore[misc]
    async def get_connection_info(self, timeout: float = 0) -> dict[str, Any]:
        return {"engine": {}}


class Engines(Noting, EngineLauncher):  # type: ignore[misc]
    pass


@pytest.fixture
def cluster(tmp_path: Path) -> Any:
    cluster = Cluster(
        profile_dir=str(tmp_path),
        cluster_file="",
        shutdown_atexit=False,
        delay=0,
        controller_launcher_class=Controller,
        engine_launcher_class=Engines,
    )
    cluster.noted, cluster.expected = [], []
    return cluster


async def test_a_start_and_a_stop_of_the_whole_cluster(cluster: Any) -> None:
    await cluster.start_cluster(n=1)
    await cluster.stop_cluster()
    starts = [Caller.START_CLUSTER, Caller.START_CLUSTER]
    assert cluster.noted == [*starts, Caller.OTHER, Caller.OTHER]


@pytest.mark.parametrize("name", ["controller", "engines"])
async def test_of_one_part_alone(cluster: Any, name: str) -> None:
    await getattr(cluster, f"start_{name}")()
    await getattr(cluster, f"stop_{name}")()
    assert cluster.noted == [Caller.OTHER, Caller.OTHER]


async def test_a_program_that_calls_the_launcher_itself(cluster: Any) -> None:
    await cluster.start_engines(1)
    cluster.noted.clear()
    await cluster.engine_set.stop()
    assert cluster.noted == [Caller.OTHER]


async def test_a_restart(cluster: Any) -> None:
    await cluster.start_engines(1)
    cluster.noted.clear()
    await cluster.restart_engines()
    assert cluster.noted == [Caller.RESTART_ENGINES, Caller.RESTART_ENGINES]


def test_a_restart_in_its_sync_form(cluster: Any) -> None:
    cluster.start_engines_sync(1)
    cluster.noted.clear()
    cluster.restart_engines_sync()
    assert cluster.noted == [Caller.RESTART_ENGINES, Caller.RESTART_ENGINES]


async def test_a_restart_by_a_name_of_the_future(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename_restart(monkeypatch)
    await cluster.start_engines(1)
    cluster.noted.clear()
    await cluster.renew_engines(next(iter(cluster.engines)))
    assert cluster.noted == [Caller.UNKNOWN, Caller.UNKNOWN]


def test_the_exit_of_python(cluster: Any) -> None:
    cluster.start_cluster_sync(n=1)
    cluster.noted.clear()
    cluster.shutdown_atexit = True
    ipyparallel_cluster._atexit_clusters.add(cluster)
    ipyparallel_cluster._atexit_cleanup_clusters()
    assert cluster.noted == [Caller.CLEAN_UP, Caller.CLEAN_UP]


def rename_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Cluster.restart_engines be called renew_engines, as if a later ipyparallel did so."""
    old = Cluster.restart_engines
    code = old.__code__.replace(co_name="renew_engines")
    renewed = types.FunctionType(code, old.__globals__, "renew_engines", (None,))
    monkeypatch.delattr(Cluster, "restart_engines")
    monkeypatch.setattr(Cluster, "renew_engines", renewed, raising=False)


@pytest.mark.parametrize(
    ("of_cluster", "in_call", "expected"),
    [(None, 7, 7), (5, 7, 7), (5, None, 5), (None, None, os.cpu_count()), (None, 0, 0)],
)
async def test_how_many_engines_come_next_is_known_while_the_controller_starts(
    cluster: Any, of_cluster: int | None, in_call: int | None, expected: int
) -> None:
    cluster.n = of_cluster
    await cluster.start_cluster(n=in_call)
    assert cluster.expected[0] == expected
    await cluster.stop_cluster()


async def test_a_controller_alone_is_followed_by_what_the_cluster_was_given(cluster: Any) -> None:
    await cluster.start_controller()
    cluster.n = 5
    await cluster.stop_controller()
    await cluster.start_controller()
    assert cluster.expected == [None, 5]
    await cluster.stop_controller()

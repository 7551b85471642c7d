"""Engines that die later: clients hear of it at once, and their number is restored."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import pytest

from ..complete import variant
from .conftest import Profile, wait_for

HEARD_S = 5.0  # until clients know that an engine is dead
RESTORED_S = 15.0  # until there are as many as before
TASK_TIMEOUT_S = 60.0


@ipp.interactive
def die_once(mark: str, status: int) -> int:
    import os
    from pathlib import Path

    if not Path(mark).exists():
        Path(mark).touch()
        os._exit(status)
    return os.getpid()


@ipp.interactive
def die() -> None:
    import os

    os._exit(139)


def wait_until_restored(client: ipp.Client, n: int, gone: set[int]) -> None:
    killed_at = time.monotonic()
    wait_for(lambda: gone.isdisjoint(client.ids), HEARD_S)
    wait_for(lambda: len(client.ids) == n, RESTORED_S - (time.monotonic() - killed_at))
    pids = client[:].apply_async(os.getpid).get(timeout=TASK_TIMEOUT_S)
    assert len(set(pids)) == n


@contextmanager
def three_engines(profile: Profile) -> Iterator[ipp.Client]:
    """Three engines on two machines; nothing may be left of them at the end."""
    with open(profile.folder / "ipcluster_config.py", "a", encoding="utf-8") as config:
        config.write("c.AzureVMLauncher.engines_per_vm = 2\n")
    profile.ipcluster("start", "-n", "3", "--daemonize")
    with profile.client() as client:
        yield client
    profile.ipcluster("stop")
    profile.assert_nothing_left()


@pytest.fixture
def client(profile: Profile) -> Iterator[ipp.Client]:
    """Of engines that die often: each time it takes longer until another one comes."""
    with three_engines(profile) as client:
        yield client


@pytest.fixture(scope="module")
def shared_client(shared_profile: Profile) -> Iterator[ipp.Client]:
    """Of engines that tests use one after the other; each but the last leaves three."""
    with three_engines(shared_profile) as client:
        yield client


def test_a_killed_engine_is_replaced(shared_client: ipp.Client) -> None:
    (victim,) = shared_client.ids[:1]
    os.kill(shared_client[victim].apply_sync(os.getpid), signal.SIGKILL)
    wait_until_restored(shared_client, 3, {victim})


def test_all_killed_at_once_are_replaced_again_and_again(client: ipp.Client) -> None:
    for _ in range(2):
        ids = set(client.ids)
        for pid in client[:].apply_sync(os.getpid):
            os.kill(pid, signal.SIGKILL)
        wait_until_restored(client, 3, ids)


@pytest.mark.parametrize("status", [0, pytest.param(3, marks=variant)])
def test_a_task_that_ends_its_engine_is_tried_again_elsewhere(
    shared_client: ipp.Client, tmp_path: Path, status: int
) -> None:
    before = set(shared_client.ids)
    view = shared_client.load_balanced_view(retries=1)
    pid = view.apply_async(die_once, str(tmp_path / "mark"), status).get(timeout=TASK_TIMEOUT_S)
    assert pid
    (gone,) = before - set(shared_client.ids)
    wait_until_restored(shared_client, 3, {gone})


def test_a_task_that_ends_every_engine_ends_with_an_error_and_leaves_n(
    profile: Profile, client: ipp.Client
) -> None:
    view = client.load_balanced_view(retries=3)
    result = view.apply_async(die)
    with pytest.raises(ipp.error.RemoteError, match="EngineError"):
        result.get(timeout=TASK_TIMEOUT_S)
    wait_for(lambda: len(client.ids) == 3, RESTORED_S)
    machines = Path(profile.emulator.state_dir) / "machines"
    logs = machines.glob("*/home/*/.ipcluster-azure/log/supervisor-*.log")
    assert "".join(path.read_text() for path in logs).count("died with 139") == 4


def test_engines_that_were_asked_to_end_stay_away(shared_client: Any) -> None:
    first, second, third = shared_client.ids
    os.kill(shared_client[first].apply_sync(os.getpid), signal.SIGTERM)
    shared_client.shutdown([second], block=True)
    wait_for(lambda: shared_client.ids == [third], HEARD_S)
    time.sleep(5)  # a replacement would be there by then
    assert shared_client.ids == [third]

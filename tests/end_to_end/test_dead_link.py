"""The link is killed: it comes back by itself, and every open request gets its result or an error.

All on one cluster; whatever a test leaves is a cluster with a link and a watcher.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import psutil
import pytest

from ..complete import variant
from .conftest import Profile, wait_for
from .test_attach import seven
from .test_caretaker import link_log, record_of

BACK_S = 30.0  # 3 s on an idle computer
ANSWER_S = 60.0
STOPPED_S = 90.0  # of a link that was stopped: 30 s until it counts as dead


@ipp.interactive
def wait_for_file(path: str) -> str:
    import os
    import time

    while not os.path.exists(path):
        time.sleep(0.05)
    return "done"


@pytest.fixture
def client(running: Profile) -> "Iterator[ipp.Client]":
    wait_for(lambda: is_whole(running), BACK_S)
    with running.client() as client:
        client.wait_for_engines(2, timeout=ANSWER_S)
        yield client


def is_whole(profile: Profile) -> bool:
    """Whether the link runs, and its watcher."""
    record = record_of(profile)
    running = {process.pid for process in profile.processes()}
    return {record.link_pid, record.watcher_pid} <= running


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def kill_link(profile: Profile) -> None:
    kill(record_of(profile).link_pid)


@contextmanager
def no_link(profile: Profile) -> Iterator[None]:
    """There is none within, and nobody who would start it."""
    record = record_of(profile)
    os.kill(record.watcher_pid, signal.SIGSTOP)
    kill(record.link_pid)
    try:
        yield
    finally:
        os.kill(record.watcher_pid, signal.SIGCONT)


def lost(result: Any) -> bool:
    with pytest.raises(ipp.error.RemoteError, match="submit it again"):
        result.get(timeout=ANSWER_S)
    return True


def test_a_plain_client_connects_after_the_links_death(running: Profile) -> None:
    before = record_of(running)
    kill(before.link_pid)
    assert seven(running) == "[7, 7]"
    after = record_of(running)
    assert after.link_pid != before.link_pid
    assert (after.watcher_pid, after.tunnels) == (before.watcher_pid, before.tunnels)
    assert (
        "tunnels for clients: open"
        in running.run("ipcluster-azure", "status", f"--profile={running.name}").stdout
    )


def test_what_runs_meanwhile_arrives(running: Profile, client: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    balanced = client.load_balanced_view().apply_async(wait_for_file, str(mark))
    direct = client[:].apply_async(wait_for_file, str(mark))
    broadcast = client.broadcast_view().apply_async(wait_for_file, str(mark))
    time.sleep(0.5)
    kill_link(running)
    assert lost(broadcast)  # the hub keeps no results of those
    mark.touch()
    assert balanced.get(timeout=ANSWER_S) == "done"
    assert direct.get(timeout=ANSWER_S) == ["done", "done"]
    assert client[:].apply_async(abs, -7).get(timeout=ANSWER_S) == [7, 7]


def test_what_comes_while_there_is_no_link_arrives(
    running: Profile, client: Any, tmp_path: Path
) -> None:
    mark, large = tmp_path / "mark", b"x" * 3_000_000
    balanced = client.load_balanced_view().apply_async(wait_for_file, str(mark))
    echoed = client[:].apply_async(bytes, large)
    time.sleep(0.5)
    with no_link(running):
        mark.touch()
        time.sleep(2)
    assert balanced.get(timeout=ANSWER_S) == "done"
    assert echoed.get(timeout=ANSWER_S) == [large, large]


def test_what_the_link_had_not_read_is_sent_on(running: Profile, client: Any) -> None:
    link_pid = record_of(running).link_pid
    os.kill(link_pid, signal.SIGSTOP)
    view = client.load_balanced_view()
    results = [view.apply_async(abs, -number) for number in range(50)]
    queues = client[:].apply_async(abs, -7)
    broadcast = client.broadcast_view().apply_async(abs, -7)
    time.sleep(1)
    kill(link_pid)
    assert [result.get(timeout=ANSWER_S) for result in results] == list(range(50))
    assert queues.get(timeout=ANSWER_S) == [7, 7]
    assert lost(broadcast)


def test_a_blocking_question_to_the_hub_ends(running: Profile, client: Any) -> None:
    link_pid = record_of(running).link_pid
    os.kill(link_pid, signal.SIGSTOP)
    result = client.load_balanced_view().apply_async(abs, -7)
    pid = os.fork()
    if pid == 0:  # the client is blocked in its question
        time.sleep(1)
        kill(link_pid)
        os._exit(0)
    with pytest.raises(ipp.error.RemoteError, match="submit it again"):
        client.queue_status()
    os.waitpid(pid, 0)
    assert result.get(timeout=ANSWER_S) == 7


def test_an_engine_that_dies_while_there_is_no_link_is_not_missed(
    running: Profile, client: Any, tmp_path: Path
) -> None:
    before = list(client.ids)
    victim = client[before[0]].apply_async(os.getpid).get(timeout=ANSWER_S)
    waiting = client[before[0]].apply_async(wait_for_file, str(tmp_path / "never"))
    time.sleep(0.5)
    with no_link(running):
        kill(victim)
        time.sleep(3)
    with pytest.raises(ipp.error.RemoteError, match=r"EngineError|died"):
        waiting.get(timeout=ANSWER_S)
    wait_for(lambda: before[0] not in client.ids and len(client.ids) == 2, BACK_S)
    assert client[:].apply_async(abs, -7).get(timeout=ANSWER_S) == [7, 7]


def test_a_watcher_that_is_killed_is_started_again(running: Profile) -> None:
    wait_for(lambda: is_whole(running), BACK_S)
    before = record_of(running)
    kill(before.watcher_pid)
    wait_for(lambda: record_of(running).watcher_pid != before.watcher_pid, BACK_S)
    time.sleep(0.5)  # for what it is to keep
    kill(before.link_pid)
    assert seven(running) == "[7, 7]"
    assert record_of(running).tunnels == before.tunnels


def test_attach_waits_for_the_watcher(running: Profile) -> None:
    kill_link(running)
    output = running.run("ipcluster-azure", "attach", f"--profile={running.name}").stdout
    assert "anew" not in output
    assert seven(running) == "[7, 7]"


def test_an_idle_watcher_costs_next_to_nothing(running: Profile) -> None:
    wait_for(lambda: is_whole(running), BACK_S)
    watcher = psutil.Process(record_of(running).watcher_pid)
    assert watcher.memory_info().rss < 25 << 20
    before = sum(watcher.cpu_times()[:2])
    time.sleep(3)
    assert sum(watcher.cpu_times()[:2]) - before < 0.1


@variant
@pytest.mark.parametrize("which", ["link_pid", "watcher_pid"])
def test_one_that_hangs_is_replaced(running: Profile, which: str) -> None:
    wait_for(lambda: is_whole(running), BACK_S)
    pid = getattr(record_of(running), which)
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: getattr(record_of(running), which) != pid, STOPPED_S)
    wait_for(lambda: is_whole(running), BACK_S)
    assert seven(running) == "[7, 7]"


def test_a_stop_right_after_its_death_leaves_nothing(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    kill_link(profile)
    profile.ipcluster("stop")
    profile.assert_nothing_left()
    time.sleep(2)
    assert not profile.processes()
    assert "Traceback" not in link_log(profile)

"""Every process of a cluster is killed, alone and with another, or stopped: it heals, or says why
not. None of these may leave a cluster with fewer engines, or a client that waits for ever."""

import itertools
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import psutil
import pytest

from ..complete import one_in, variant, variants_but
from ..processes import is_alive
from .conftest import Profile, wait_for
from .test_caretaker import VIEWS, link_log, record_of, told, waiting_client
from .test_dead_link import is_whole, wait_for_file
from .test_engine_deaths import three_engines

HEALED_S = 60.0  # 12 s on an idle computer
ANSWER_S = 60.0
N = 3


class Processes:
    """The pids of a cluster, by kind; those of the first of its engines' machines."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._machines = Path(profile.emulator.state_dir) / "machines"

    def _state(self, pattern: str) -> list[dict[str, Any]]:
        found = self._machines.glob(f"*/home/*/.ipcluster-azure/{pattern}")
        return [json.loads(path.read_text()) for path in sorted(found)]

    def link(self) -> int:
        return record_of(self._profile).link_pid

    def watcher(self) -> int:
        return record_of(self._profile).watcher_pid

    def controller(self) -> int:
        return record_of(self._profile).controller.pid

    def guard(self) -> int:
        return int(self._state("guard.json")[0]["guard"]["pid"])

    def depot(self) -> int:
        (path,) = self._machines.glob("*/home/*/.ipcluster-azure/depot.pid")
        return int(path.read_text())

    def supervisors(self) -> list[int]:
        return [state["supervisor"]["pid"] for state in self._state("engines-*.json")]

    def supervisor(self) -> int:
        return self.supervisors()[0]

    def another_supervisor(self) -> int:
        return self.supervisors()[1]

    def engine(self) -> int:
        return int(self._state("engines-*.json")[0]["engines"][0]["pid"])

    def helper(self) -> int:
        """What tells the guard of the machine."""
        found: list[int] = []

        def look() -> list[int]:
            children = psutil.Process(self.supervisor()).children()
            found[:] = [child.pid for child in children if os.getpgid(child.pid) != child.pid]
            return found

        wait_for(look, HEALED_S)  # it is started again after 5 s
        return found[0]

    def scheduler(self, channel: str) -> int:
        port = record_of(self._profile).tunnels[channel].remote
        for child in psutil.Process(self.controller()).children():
            if any(item.laddr.port == port for item in child.net_connections("tcp")):
                return child.pid
        raise AssertionError(f"no scheduler of {channel}")

    def supervised_engines(self) -> set[int]:
        """The ids of the registered engines that live and have a supervisor that lives."""
        return {
            engine["id"]
            for state in self._state("engines-*.json")
            for engine in state["engines"]
            if engine["state"] == "registered"
            and is_alive(engine["pid"])
            and is_alive(state["supervisor"]["pid"])
        }


KINDS = ["supervisor", "helper", "engine", "guard", "link", "watcher"]
OFTEN = {
    ("helper",),
    ("supervisor", "another_supervisor"),
    ("supervisor", "depot"),
    ("engine", "link"),
    ("guard", "link"),
}
TOGETHER = [
    *((kind,) for kind in KINDS),
    ("depot",),
    ("supervisor", "another_supervisor"),
    ("supervisor", "depot"),  # it comes again when engines are started
    # what is left then is for `ipcluster-azure attach`
    *(pair for pair in itertools.combinations(KINDS, 2) if pair != ("link", "watcher")),
]


@pytest.fixture(scope="module")
def cluster(shared_profile: Profile) -> Iterator[tuple[Profile, Any]]:
    with three_engines(shared_profile) as client:
        yield shared_profile, client


def is_healthy(profile: Profile, client: Any) -> bool:
    supervised = Processes(profile).supervised_engines()
    return is_whole(profile) and len(supervised) == N and set(client.ids) == supervised


def kill_together(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)  # so that none sees the other's death
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param(kinds, marks=() if kinds in OFTEN else variant, id="-".join(kinds))
        for kinds in TOGETHER
    ],
)
def test_what_is_killed_comes_again(
    cluster: tuple[Profile, Any], tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    profile, client = cluster
    wait_for(lambda: is_healthy(profile, client), HEALED_S)
    time.sleep(2)  # the guard hears of what has just come
    victims = [getattr(Processes(profile), kind)() for kind in kinds]
    mark = tmp_path / "mark"
    tasks = client[:].apply_async(wait_for_file, str(mark))
    balanced = client.load_balanced_view().apply_async(wait_for_file, str(mark))
    time.sleep(0.5)
    killed_at = time.monotonic()
    kill_together(victims)
    try:
        wait_for(lambda: not any(map(is_alive, victims)))
        wait_for(lambda: is_healthy(profile, client), HEALED_S)
    finally:
        mark.touch()
    print(f"{'-'.join(kinds)}: {time.monotonic() - killed_at:.1f} s")
    for result in (tasks, balanced):
        with suppress(ipp.error.RemoteError):  # those of the dead
            result.get(timeout=ANSWER_S)
    assert len(set(client[:].apply_async(os.getpid).get(timeout=ANSWER_S))) == N
    with profile.client() as another:
        assert another.ids == client.ids


@pytest.mark.parametrize(
    "kind",
    variants_but(["supervisor", "controller"], ["supervisor", "guard", "helper", "controller"]),
)
def test_what_is_stopped_goes_on(cluster: tuple[Profile, Any], kind: str) -> None:
    profile, client = cluster
    wait_for(lambda: is_healthy(profile, client), HEALED_S)
    before = client.ids
    pid = getattr(Processes(profile), kind)()
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: psutil.Process(pid).status() != psutil.STATUS_STOPPED, HEALED_S)
    assert client[:].apply_async(abs, -7).get(timeout=ANSWER_S) == [7] * N
    assert client.ids == before


@pytest.mark.parametrize(
    "channel",
    ["task", *(pytest.param(name, marks=variant) for name in ("mux", "broadcast", "iopub"))],
)
def test_a_part_of_the_controller_is_killed(profile: Profile, channel: str) -> None:
    profile.ipcluster("start", "-n", "2", "--daemonize")
    waiting = waiting_client(profile, 10)
    since = time.monotonic()
    os.kill(Processes(profile).scheduler(channel), signal.SIGKILL)
    for error in told(waiting, VIEWS, since).values():
        assert "The controller of cluster" in error
    waiting.communicate(timeout=60)
    wait_for(lambda: "Azure has accepted the deletion" in link_log(profile), 20)
    (log,) = (profile.folder / "log").glob("azure--ipcontroller-*.log")
    assert "of ipcontroller has ended, so all of it was ended" in log.read_text()
    profile.ipcluster("stop", expect=None)
    profile.assert_nothing_left()


@pytest.mark.parametrize("other", one_in(2, ["link", "guard"]))
def test_the_controller_and_another_are_killed(profile: Profile, other: str) -> None:
    profile.ipcluster("start", "-n", "2", "--daemonize")
    waiting = waiting_client(profile, 10)
    processes = Processes(profile)
    since = time.monotonic()
    kill_together([processes.controller(), getattr(processes, other)()])
    for error in told(waiting, VIEWS, since).values():
        assert "EngineError" in error
    waiting.communicate(timeout=60)
    wait_for(lambda: not profile.left_on_azure()["resource_groups"], 30)
    profile.ipcluster("stop", expect=None)
    profile.assert_nothing_left()

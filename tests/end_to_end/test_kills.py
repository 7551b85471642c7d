"""Every way to die, at every HTTP exchange of a start and of a stop: nothing may be left.

A proxy counts the exchanges. The k-th is the moment of death, for k = 1, 2, 3... up to the first
that isn't reached any more: so no step is left out, however the code changes. `make kills` does
that for every way to die; `make test` dies once at each kind of exchange.
"""

import itertools
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from azure_emulator import client, testing
from azure_emulator.client import EmulatorInfo
from tests.forked_client import Client, Server

from ..complete import COMPLETE, long_series
from .conftest import IMAGE, TWO_LINES, Profile, wait_for
from .kill_proxy import AFTER, BEFORE, MOMENTS, KillProxy
from .test_reap import SOMEBODY, TEAM, Azure, tags

STOP_S = 30.0  # accepted within 15 s; then up to 5 s to see the group gone, and Python's own end
START_S = 60.0
REAP_S = 30.0
SERIES_S = 900
NO_CLUSTER = 11  # what `ipcluster stop` exits with
UNREACHABLE_S = 90.0  # the SDK tries again for a while, and then once more to undo
LEAST_EXCHANGES = 4  # of a stop; else a series has ended too early
# asked of what takes a while: in a quick start perhaps not at all
POLLED = "GET Microsoft.Compute/locations/operations"
# of the kinds of exchange of `create` and `deploy` the one that most starts do not have
SCHEDULED = "POST Microsoft.ComputeSchedule/locations/virtualMachinesSubmitDeallocate"
CONFIG = f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\nc.Cluster.delay = 0\n{IMAGE}'
PROGRAM = """
import signal, sys
import ipyparallel as ipp

signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
cluster = ipp.Cluster(profile="azure", cluster_id="", n=1)
cluster.start_cluster_sync()
print("1 of 1 engines are registered", flush=True)
signal.pause()
"""

DYING_PROGRAM = """
import os, signal
import ipyparallel as ipp
from ipcluster_azure.record.file import RecordFile

create = RecordFile.create

def fail(file, record):
    if {written}:
        create(file, record)
    {failure}

RecordFile.create = fail
ipp.Cluster(profile="azure", cluster_id="", n=1).start_cluster_sync()
"""
DYING_EARLY_PROGRAM = """
import os, signal
import ipyparallel as ipp
from ipcluster_azure.launchers import cluster_file

write = cluster_file.write_private

def die(path, text):
    os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
    write(path, text)

cluster_file.write_private = die
ipp.Cluster(profile="azure", cluster_id="", n=1).start_cluster_sync()
"""
NEEDED = {
    "PUT resourceGroups",
    "PUT Microsoft.Network/networkSecurityGroups",
    "PUT Microsoft.Network/publicIPAddresses",
    "PUT Microsoft.Network/virtualNetworks",
    "PUT Microsoft.Network/networkInterfaces",
    "PUT Microsoft.Compute/virtualMachines",
    "PUT Microsoft.Compute/virtualMachineScaleSets",
}


@dataclass
class Stage:
    """A profile whose Azure is behind the proxy, and clients that can be killed."""

    emulator: EmulatorInfo
    profile: Profile
    proxy: KillProxy
    server: Server

    def run(self, *command: str, traceback_because: str = "") -> Client:
        environment = {
            "IPYTHONDIR": str(self.profile.ipython_dir),
            "XDG_DATA_HOME": str(self.profile.data_dir),
            client.STATE_DIR_VARIABLE: self.proxy.info.state_dir,
        }
        running = self.server.run(list(command), environment, self.profile.ipython_dir)
        said = partial(getattr, running, "output")
        self.profile.outputs.keep(said, traceback_because=traceback_because)
        return running

    def ipcluster(self, command: str, *args: str) -> Client:
        return self.run("ipcluster", command, "--profile=azure", *args)

    def step(self, command: str, *args: str) -> Client:
        return self.run("ipcluster-azure", command, "--profile=azure", *args)

    def start(self, *args: str) -> Client:
        return self.ipcluster("start", "-n=1", *args)

    def stop(self) -> None:
        """As a user does after a death; there may be nothing that ipcluster knows to stop."""
        self.proxy.watch()
        stopping = self.ipcluster("stop")
        assert stopping.wait(STOP_S) in (0, NO_CLUSTER), stopping.output

    def kinds_of_start(self) -> list[str]:
        return self._kinds(lambda: self.start("--daemonize"))

    def writes_of_start(self) -> list[str]:
        kinds = [kind for kind in self.kinds_of_start() if kind.startswith("PUT")]
        self.stop()
        return kinds

    def half_started(self) -> None:
        """Leave all that a cluster has at Azure; if COMPLETE, with its machines' processes."""
        if COMPLETE:
            self.proxy.watch()
            assert self.start("--daemonize").wait(START_S) == 0
        else:
            last = Death(1, BEFORE, "GET Microsoft.Network/networkInterfaces")
            die_in(self, last, self.start, Client.kill, closes=True)

    def kinds_of_stop(self) -> list[str]:
        self.half_started()
        return self._kinds(lambda: self.ipcluster("stop"))

    def _kinds(self, command: Callable[[], Client]) -> list[str]:
        self.proxy.watch()
        running = command()
        assert running.wait(START_S) == 0, running.output
        return list(self.proxy.kinds)


@pytest.fixture
def azure(emulator: EmulatorInfo) -> Iterator[Azure]:
    azure = Azure(emulator)
    yield azure
    for name in azure.groups:
        azure.api.delete_group(name)
    azure.api.__exit__()


@pytest.fixture
def stage(tmp_path: Path, emulator: EmulatorInfo, server: Server) -> Iterator[Stage]:
    with KillProxy(emulator, tmp_path / "proxy").running() as proxy:
        profile = Profile(tmp_path / "ipython", proxy.info)
        profile.configure(CONFIG)
        yield Stage(emulator, profile, proxy, server)
        for process in profile.processes():
            process.kill()
        proxy.watch()
        if profile.left_on_azure()["resource_groups"]:
            client.reset(emulator.state_dir)
        for log in (profile.folder / "log").glob("*-link.log"):
            profile.outputs.keep_file(log)
        profile.outputs.check()


@dataclass(frozen=True)
class Death:
    """One point of one series: at the number-th exchange, of that kind if there is one."""

    number: int
    moment: str
    kind: str = ""


def deaths(kinds: list[str], moments: tuple[str, ...] = ()) -> Iterator[Death]:
    """Once at each kind of exchange; if COMPLETE, at every exchange, without end.

    Without `moments` after a write, of which only Azure knows then, and before anything else.
    """
    if COMPLETE:
        for number in itertools.count(1):
            yield from (Death(number, moment) for moment in MOMENTS)
    for kind in dict.fromkeys(kinds):
        usual = BEFORE if kind.startswith("GET") else AFTER
        yield from (Death(1, moment, kind) for moment in moments or (usual,))


def die_each(
    stage: Stage, series: Iterator[Death], die: Callable[[Death], bool], *, clean: bool = True
) -> None:
    """Die each death, up to the first that isn't reached; after each nothing may be left.

    `die` says whether it was reached; `clean`: nothing else was there either.
    """
    for count, death in enumerate(series):
        since = time.monotonic()
        try:
            reached = die(death)
            if clean:
                stage.profile.assert_nothing_left()
        except BaseException:
            print(f"{death}; exchanges: {stage.proxy.kinds}")
            raise
        print(f"{death}: {time.monotonic() - since:.1f} s")
        if not reached and COMPLETE:
            assert count >= 2 * LEAST_EXCHANGES
            break
        assert reached or death.kind == POLLED, f"{death} is not reached"


def fault_at(death: Death) -> dict[str, object]:
    """Which request the emulator's fault meets."""
    if not death.kind:
        return {"skip": death.number - 1}
    method, _, kind = death.kind.partition(" ")
    if kind == "resourceGroups":
        kind = "Microsoft.Resources/subscriptions/resourceGroups"
    return {"method": method, "type": kind}


def die_in(
    stage: Stage,
    death: Death,
    command: Callable[[], Client],
    act: Callable[[Client], None],
    *,
    closes: bool = False,
) -> tuple[Client, bool]:
    """Run a client up to its death, or until it is through; and whether it died."""
    doomed: list[Client] = []
    started, struck = threading.Event(), threading.Event()

    def strike() -> None:
        started.wait(START_S)
        struck.set()
        act(doomed[0])

    stage.proxy.act_at(death.number, death.moment, strike, kind=death.kind, closes=closes)
    doomed.append(command())
    started.set()
    wait_for(lambda: stage.proxy.acted or _through(doomed[0]), START_S)
    if struck.is_set():  # a client can be dead before the proxy knows that it has killed it
        wait_for(lambda: stage.proxy.acted, START_S)
    return doomed[0], stage.proxy.acted


def _through(running: Client) -> bool:
    return running.status() is not None or "engines are registered" in running.output


@pytest.mark.timeout(SERIES_S)
def test_a_start_killed_at_any_exchange_is_deleted_by_stop(stage: Stage) -> None:
    def die(death: Death) -> bool:
        client, died = die_in(
            stage, death, lambda: stage.start("--daemonize"), Client.kill, closes=True
        )
        assert client.wait(START_S) == (-signal.SIGKILL if died else 0), client.output
        stage.stop()
        return died

    kinds = stage.kinds_of_start()
    stage.stop()
    die_each(stage, deaths(kinds), die)


@pytest.mark.timeout(SERIES_S)
def test_a_creation_killed_at_any_exchange_is_deleted(stage: Stage) -> None:
    """By `ipcluster-azure delete` and by `ipcluster stop`, in turn."""
    ends = itertools.cycle([partial(stage.step, "delete"), partial(stage.ipcluster, "stop")])

    def die(death: Death) -> bool:
        client, died = die_in(
            stage, death, lambda: stage.step("create", "-n=1"), Client.kill, closes=True
        )
        assert client.wait(START_S) == (-signal.SIGKILL if died else 0), client.output
        stage.proxy.watch()
        ending = next(ends)()
        assert ending.wait(STOP_S) in (0, NO_CLUSTER), ending.output
        return died

    die_each(stage, deaths([SCHEDULED]), die)


@pytest.mark.timeout(SERIES_S)
def test_a_deployment_killed_at_any_exchange_can_be_repeated(stage: Stage) -> None:
    """The machines stay, and the next one starts on them whatever the killed one had begun."""
    assert stage.step("create", "-n=1").wait(START_S) == 0

    def die(death: Death) -> bool:
        client, died = die_in(stage, death, lambda: stage.step("deploy"), Client.kill, closes=True)
        assert client.wait(START_S) == (-signal.SIGKILL if died else 0), client.output
        stage.proxy.watch()
        again = stage.step("deploy")
        assert again.wait(START_S) == 0, again.output
        assert "1 of 1 engines are registered" in again.output
        return died

    die_each(stage, deaths([SCHEDULED]), die, clean=False)
    assert len(stage.profile.left_on_azure()["virtual_machines"]) == 2
    stage.stop()
    stage.profile.assert_nothing_left()


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
def test_a_start_killed_as_it_writes_its_record_leaves_nothing(stage: Stage, written: bool) -> None:
    failure = "os.kill(os.getpid(), signal.SIGKILL)"
    dying = stage.run("python", "-c", DYING_PROGRAM.format(written=written, failure=failure))
    assert dying.wait(START_S) == -signal.SIGKILL, dying.output
    assert "azure-.json" in stage.profile.files() or not written
    stage.stop()
    stage.profile.assert_nothing_left()


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="leaves a hidden file on this system")
def test_a_start_killed_as_it_writes_its_first_file_leaves_nothing(stage: Stage) -> None:
    """There is no cluster that `ipcluster stop` or `reap` could find: nobody would remove it."""
    dying = stage.run("python", "-c", DYING_EARLY_PROGRAM)
    assert dying.wait(START_S) == -signal.SIGKILL, dying.output
    stage.profile.assert_nothing_left()


def test_a_start_that_cannot_write_its_record_leaves_nothing(stage: Stage) -> None:
    failure = "raise OSError(28, 'No space left on device')"
    code = DYING_PROGRAM.format(written=False, failure=failure)
    failing = stage.run("python", "-c", code, traceback_because="it does not handle the OSError")
    assert failing.wait(START_S) == 1, failing.output
    assert "No space left on device" in failing.output
    stage.profile.assert_nothing_left()


@pytest.mark.timeout(SERIES_S)
def test_a_stop_killed_at_any_exchange_is_ended_by_the_next(stage: Stage) -> None:
    def die(death: Death) -> bool:
        stage.half_started()
        client, died = die_in(
            stage, death, lambda: stage.ipcluster("stop"), Client.kill, closes=True
        )
        assert client.wait(START_S) == (-signal.SIGKILL if died else 0), client.output
        stage.stop()
        return died

    die_each(stage, deaths(stage.kinds_of_stop()), die)


def decoys(azure: Azure) -> Callable[[], object]:
    """What looks like a cluster of ours and is none; returns how to see that all of it is there."""
    azure.group("ipp-azure-0ther001", tags("ipp-azure-0ther001", owner=SOMEBODY))
    azure.group("ipp-azure-00000000")
    azure.group("ipp-azure-renamed1", tags("ipp-azure-0riginal", owner=SOMEBODY))
    azure.group(TEAM, {"team": "ours"})
    foreign = [
        azure.resource(TEAM, "office-nsg"),
        azure.resource(TEAM, "ipp-azure-0ther002-nsg", tags("ipp-azure-0ther002", owner=SOMEBODY)),
    ]

    def seen() -> object:
        path = f"resourceGroups/{TEAM}/resources"
        inside = azure.api.listed(path, "2021-04-01", doing="looking at the group")
        return [azure.api.exists(item) for item in foreign], sorted(item["name"] for item in inside)

    return seen


@pytest.mark.timeout(SERIES_S)
@pytest.mark.parametrize(
    "group",
    [pytest.param("", id="own group"), pytest.param(TEAM, id="shared group", marks=long_series)],
)
def test_a_start_killed_and_its_files_erased_is_deleted_by_reap(
    stage: Stage, azure: Azure, group: str
) -> None:
    kinds = stage.writes_of_start()
    intact = decoys(azure)
    before = intact(), stage.profile.left_on_azure()
    stage.profile.configure(f"{CONFIG}c.AzureVMLauncher.resource_group = {group!r}\n")

    def die(death: Death) -> bool:
        doomed, died = die_in(
            stage, death, lambda: stage.start("--daemonize"), Client.kill, closes=True
        )
        doomed.wait(START_S)
        shutil.rmtree(stage.profile.folder.parent)
        stage.profile.configure(f"{CONFIG}c.AzureVMLauncher.resource_group = {group!r}\n")
        stage.proxy.watch()
        reaping = stage.run("ipcluster-azure", "reap", "--yes")
        assert reaping.wait(REAP_S) == 0, reaping.output
        wait_for(lambda: not stage.profile.processes())
        wait_for(lambda: (intact(), stage.profile.left_on_azure()) == before)
        return died

    written = kinds[2:] if group else kinds
    die_each(stage, deaths(written[:: 3 if group else 2], (AFTER,)), die, clean=False)


@dataclass(frozen=True)
class Way:
    """A signal to ipcluster, or to a program with `ipp.Cluster`, and how it ends by it.

    `deletes`: the dying process deletes everything; else `ipcluster stop` does it afterwards.
    """

    signum: signal.Signals
    statuses: tuple[int, ...]
    deletes: bool = True
    program: bool = False


WAYS = {
    "Ctrl-C": Way(signal.SIGINT, (0,)),
    "SIGTERM": Way(signal.SIGTERM, (0,)),
    "SIGHUP": Way(signal.SIGHUP, (-signal.SIGHUP,), deletes=False),
    "Ctrl-C in a program": Way(signal.SIGINT, (-signal.SIGINT, 1), program=True),
    "exit of a program": Way(signal.SIGTERM, (3,), program=True),
    "kill of a program": Way(signal.SIGKILL, (-signal.SIGKILL,), deletes=False, program=True),
}


@pytest.mark.timeout(SERIES_S)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[long_series] if number else []) for number, name in enumerate(WAYS)],
)
def test_a_signal_at_any_exchange_of_a_start_leaves_nothing(stage: Stage, name: str) -> None:
    way = WAYS[name]

    def start() -> Client:
        return stage.run("python", "-c", PROGRAM) if way.program else stage.start()

    def die(death: Death) -> bool:
        client, died = die_in(stage, death, start, lambda client: client.signal(way.signum))
        if not died:
            client.signal(way.signum)
        assert client.wait(STOP_S) in way.statuses, client.output
        assert died or way.deletes or stage.profile.left_on_azure()["resource_groups"]
        if not way.deletes:
            stage.stop()
        return died

    die_each(stage, deaths(stage.writes_of_start()[::2], (AFTER,)), die)


@pytest.mark.timeout(SERIES_S)
def test_a_stop_elsewhere_at_any_exchange_of_a_start_ends_both(stage: Stage) -> None:
    def die(death: Death) -> bool:
        stopping: list[Client] = []
        client, died = die_in(
            stage, death, stage.start, lambda _: stopping.append(stage.ipcluster("stop"))
        )
        if not died:
            stopping.append(stage.ipcluster("stop"))
        if stopping[0].wait(STOP_S) == NO_CLUSTER:  # it came before there was anything to stop
            wait_for(lambda: _through(client), START_S)
            assert stage.ipcluster("stop").wait(STOP_S) == 0
        client.wait(STOP_S)
        return died

    die_each(stage, deaths(stage.writes_of_start()[1::2]), die)


@long_series
@pytest.mark.timeout(SERIES_S)
def test_a_refusal_at_any_exchange_of_a_start_leaves_nothing(stage: Stage) -> None:
    def die(death: Death) -> bool:
        refuse = testing.fault("refuse", status=409, code="Conflict", message="Not now.")
        stage.proxy.watch()
        with testing.faults(stage.emulator, {**refuse, **fault_at(death)}) as met:
            client = stage.start("--daemonize")
            status = client.wait(START_S)
        if status == 0:  # not reached, or borne: without its right to delete itself
            assert not met.fired[0] or death.kind not in NEEDED, client.output
            stage.stop()
        else:
            assert status == 1
            assert "Not now." in client.output
        return bool(met.fired[0])

    die_each(stage, deaths(stage.writes_of_start(), (BEFORE,)), die)


@long_series
@pytest.mark.timeout(SERIES_S)
def test_azure_out_of_reach_from_any_exchange_of_a_start_on(stage: Stage) -> None:
    """The start gives up; once Azure is back, `ipcluster stop` deletes what there is."""

    def die(death: Death) -> bool:
        client, died = die_in(
            stage,
            death,
            lambda: stage.start("--daemonize"),
            lambda _: stage.proxy.cut_off(),
            closes=True,
        )
        status = client.wait(UNREACHABLE_S)
        assert status == (1 if died else 0), client.output
        if died:
            assert "does not answer" in client.output, client.output
        stage.stop()
        return died

    die_each(stage, deaths(stage.writes_of_start()[::3], (AFTER,)), die)


@long_series
@pytest.mark.timeout(SERIES_S)
def test_azure_out_of_reach_from_any_exchange_of_a_stop_on(stage: Stage) -> None:
    def die(death: Death) -> bool:
        stage.half_started()
        client, died = die_in(
            stage,
            death,
            lambda: stage.ipcluster("stop"),
            lambda _: stage.proxy.cut_off(),
            closes=True,
        )
        # what a stop has not seen gone is looked after by the next start
        assert client.wait(UNREACHABLE_S) == (1 if died else 0), client.output
        assert died == ("run `ipcluster stop` again" in client.output), client.output
        stage.stop()
        return died

    kinds = [kind for kind in stage.kinds_of_stop() if kind.startswith("DELETE")]
    die_each(stage, deaths(kinds[-1:], (BEFORE,)), die)

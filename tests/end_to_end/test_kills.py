"""Every way to die, at every HTTP exchange of a start and of a stop: nothing may be left.

`make kills` does each series to its end (kill_series.py), for every way to die; `make test` dies
once at each kind of exchange.
"""

import itertools
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from azure_emulator import client, testing
from azure_emulator.client import EmulatorInfo
from tests.forked_client import Client, Server

from ..complete import long_series
from .conftest import IMAGE, TWO_LINES, Profile, wait_for
from .kill_proxy import AFTER, BEFORE, KillProxy
from .kill_series import (
    NO_CLUSTER,
    START_S,
    STOP_S,
    Death,
    Stage,
    deaths,
    die_each,
    die_in,
    fault_at,
    through,
)
from .test_reap import SOMEBODY, TEAM, Azure, tags

REAP_S = 30.0
SERIES_S = 900
UNREACHABLE_S = 90.0  # the SDK tries again for a while, and then once more to undo
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
            wait_for(lambda: through(client), START_S)
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

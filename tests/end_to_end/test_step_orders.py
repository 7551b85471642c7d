"""Every order of three commands out of create, deploy, start, stop, delete and `ipcluster engines`.

Most on an emulator without machines: all that is asked of Azure is asked, and all that is kept on
record is kept, in this process. What goes over SSH, and the processes here that outlive a command,
have no other side there, so they are left out. A dozen have them.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ipyparallel import Cluster

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from ipcluster_azure.clusters import steps
from ipcluster_azure.errors import AzureLauncherError
from ipcluster_azure.record.contents import READY
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.ssh import keys
from ipcluster_azure.start import bring_up, machines_alone
from ipcluster_azure.start.request import EngineSetSpec, StartContext
from ipcluster_azure.stop import teardown, wind_down

from ..complete import variant
from .conftest import ON_EMULATOR, Profile, wait_for

COMMANDS = ("create", "deploy", "start", "stop", "delete", "engines")
NONE, CREATED, RUNNING = "none", "created", "running"
# what a command makes of each state; None: it is refused, and changes nothing
BECOMES: dict[str, dict[str, str | None]] = {
    "create": {NONE: CREATED, CREATED: None, RUNNING: None},
    "deploy": {NONE: None, CREATED: RUNNING, RUNNING: RUNNING},
    "start": {NONE: RUNNING, CREATED: RUNNING, RUNNING: None},
    "stop": {NONE: None, CREATED: NONE, RUNNING: NONE},
    "delete": {NONE: NONE, CREATED: NONE, RUNNING: NONE},
    "engines": {NONE: None, CREATED: None, RUNNING: RUNNING},
}
ORDERS = list(itertools.product(COMMANDS, repeat=3))
# in which each command meets each state
FEW = [
    ("create", "create", "deploy"),
    ("create", "start", "engines"),
    ("create", "engines", "stop"),
    ("start", "deploy", "stop"),
    ("start", "create", "delete"),
    ("deploy", "create", "delete"),
    ("stop", "start", "start"),
    ("engines", "delete", "create"),
]
AT_ONCE = 12
SERIES_S, LOOK_LIMIT_S = 900, 60.0
LOG = logging.getLogger("test")


@dataclass
class Table:
    """One row: a profile of its own, and what its commands are expected to have left."""

    folder: Path
    state: str = NONE
    sets: int = 0
    deployments: int = 0

    @property
    def file(self) -> RecordFile:
        return RecordFile.of(str(self.folder), "")

    def cluster(self) -> Any:
        return Cluster(
            profile_dir=str(self.folder), cluster_id="", shutdown_atexit=False, log=LOG, parent=None
        )

    def saved(self) -> Any:
        """The Cluster that ipyparallel makes of the file, as `ipcluster stop` and `list` do."""
        return Cluster.from_file(str(self.file.cluster_file), log=LOG, parent=None)

    def run(self, command: str) -> Awaitable[object]:
        runs: dict[str, Callable[[], Awaitable[object]]] = {
            "create": lambda: steps.create(self.file, 2, LOG),
            "deploy": lambda: steps.deploy(self.file, LOG, force=False),
            "delete": lambda: steps.delete(self.file, LOG),
            "start": lambda: self.cluster().start_cluster(2),
            "stop": lambda: self.saved().stop_cluster(),
            "engines": lambda: self.cluster().start_engines(1),
        }
        return runs[command]()

    def expect(self, command: str) -> bool:
        """Note what the command should leave; returns whether it should succeed."""
        becomes = BECOMES[command][self.state]
        if becomes is None:
            return False
        if command == "engines" or becomes == NONE or self.state == NONE:
            self.sets = 0 if becomes == NONE else self.sets + 1
        if self.state == NONE or becomes == NONE:
            self.deployments = 0
        elif command in ("deploy", "start"):
            self.deployments += 1
        self.state = becomes
        return True

    async def check(self, info: EmulatorInfo) -> None:
        """Compare with what is on record, in ipyparallel's file, and at Azure."""
        record = self.file.read()
        if self.state == NONE:
            assert record is None
            assert {path.name for path in self.file.path.parent.glob("*")} <= {".azure.lock"}
            return
        assert record is not None
        assert record.in_word == self.state
        assert len(record.engine_sets) == self.sets
        assert record.deployments == self.deployments
        saved = self.saved()
        assert bool(saved.controller) == (self.state == RUNNING)
        assert len(saved.engines) == (self.sets if self.state == RUNNING else 0)
        name, deadline = record.plan.names.base, time.monotonic() + LOOK_LIMIT_S
        while len(machines_of(info, name)) != 1 + self.sets:
            assert time.monotonic() < deadline, machines_of(info, name)
            await asyncio.sleep(0.1)


def machines_of(info: EmulatorInfo, cluster: str) -> list[str]:
    machines = client.status(info.state_dir)["virtual_machines"]
    return [one for one in machines if cluster in one]


async def started(context: StartContext, spec: EngineSetSpec, requesting: Any, **_: Any) -> int:
    """Do for bring_up what it does to the record once Azure has accepted the controller."""
    await requesting
    with context.file.edit() as record:
        record.controller.state = READY
        engine_set = record.engine_sets[spec.set_id]
        engine_set.state = READY
        return engine_set.n


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorInfo]:
    state_dir = tmp_path_factory.mktemp("orders")
    yield client.start(state_dir, machines="none")
    client.stop(state_dir)


@pytest.fixture
def bare(info: EmulatorInfo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> EmulatorInfo:
    monkeypatch.setenv(client.STATE_DIR_VARIABLE, info.state_dir)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    async def nothing(*_: Any, **__: Any) -> None:
        """There is no machine to do it on."""

    pair = keys.make_login_key()  # hundreds of them would be the greatest part of the CPU used
    monkeypatch.setattr(keys, "make_login_key", lambda: pair)
    monkeypatch.setattr(bring_up, "bring_up", started)
    monkeypatch.setattr(wind_down, "_end_processes", nothing)
    monkeypatch.setattr(wind_down, "require_idle_engines", nothing)
    monkeypatch.setattr(wind_down, "start_keeper", lambda file: None)
    monkeypatch.setattr(machines_alone, "start_keeper", lambda file: None)
    monkeypatch.setattr(teardown, "_fetch_logs", lambda file: True)
    return info


async def walk(row: Table, order: tuple[str, ...], info: EmulatorInfo) -> None:
    for command in order:
        if row.expect(command):
            await row.run(command)
        else:
            with pytest.raises((AzureLauncherError, FileNotFoundError)) as refused:
                await row.run(command)
            assert "\n" not in str(refused.value)
        await row.check(info)
    if row.expect("stop"):
        await row.run("stop")
    await row.check(info)


@pytest.mark.timeout(SERIES_S)
@pytest.mark.parametrize(
    "orders",
    [
        pytest.param(FEW, id="few"),
        *(
            pytest.param([order for order in ORDERS if order[0] == first], id=first, marks=variant)
            for first in COMMANDS
        ),
    ],
)
def test_orders_of_three_commands(
    bare: EmulatorInfo, tmp_path: Path, orders: list[tuple[str, ...]]
) -> None:
    async def all_orders() -> None:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(number: int, order: tuple[str, ...]) -> None:
            folder = tmp_path / f"profile_{number}"
            folder.mkdir()
            (folder / "ipcluster_config.py").write_text(f"{ON_EMULATOR}c.Cluster.delay = 0\n")
            async with slots:
                try:
                    await walk(Table(folder), order, bare)
                except BaseException as error:
                    raise AssertionError(f"{' '.join(order)}: {error!r}") from error

        await asyncio.gather(*(one(*item) for item in enumerate(orders)))

    asyncio.run(all_orders())
    wait_for(lambda: not client.status(bare.state_dir)["virtual_machines"], LOOK_LIMIT_S)


FOR_REAL = [
    *FEW,
    ("create", "deploy", "deploy"),
    ("create", "deploy", "engines"),
    ("start", "engines", "deploy"),
    ("create", "stop", "create"),
]
TYPED = {
    "create": ("ipcluster-azure", "create", "-n", "2"),
    "deploy": ("ipcluster-azure", "deploy"),
    "delete": ("ipcluster-azure", "delete"),
    "start": ("ipcluster", "start", "-n", "2", "--daemonize"),
    "stop": ("ipcluster", "stop"),
    "engines": ("ipcluster", "engines", "-n", "1", "--daemonize"),
}


@variant
@pytest.mark.timeout(SERIES_S)
@pytest.mark.parametrize("order", FOR_REAL, ids=" ".join)
def test_orders_with_machines(profile: Profile, order: tuple[str, ...]) -> None:
    """As a user types them, each in a process of its own, with engines that answer."""
    row = Table(profile.folder)
    for command in order:
        program, *words = TYPED[command]
        done = profile.run(program, *words, f"--profile={profile.name}", expect=None)
        assert (done.returncode == 0) == row.expect(command), done.stdout
        record = row.file.read()
        assert (NONE if record is None else record.in_word) == row.state
        if row.state == RUNNING:
            assert len(profile.engine_ids()) == 1 + row.sets
    profile.ipcluster("stop", expect=None)
    profile.assert_nothing_left()


def test_the_few_meet_every_state() -> None:
    met = set()
    for order in FEW:
        state = NONE
        for command in order:
            met.add((command, state))
            state = BECOMES[command][state] or state
    assert met == set(itertools.product(COMMANDS, (NONE, CREATED, RUNNING)))

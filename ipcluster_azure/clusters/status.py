"""`ipcluster-azure status`: the parts of each cluster of a profile, and the state of each part."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from ..errors import AzureLauncherError, BootTimeout
from ..formatting import counted, duration
from ..private_files import files_in
from ..record.contents import CREATED, CREATING, KEPT, READY, EngineSet, Record
from ..record.file import RecordFile
from ..record.spending import ClusterCost, cost_of, in_words
from ..resource_manager.answers import GONE, MachineState
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.azure_time import azure_now
from ..resource_manager.power import emulator_is_gone
from ..start.link_process import is_link
from .load import Sums, load_of
from .load_table import load_rows, time_rows

UNREADABLE = "unreadable"


@dataclass
class EngineSetStatus:
    """An engine set as it is on record, and its machines as Azure sees them.

    `engines`: how many were asked for; `placed`: how many of them the `vms` on record run, `lost`:
    how many were on machines that died and are to be replaced, `joining`: how many join by
    themselves after the start, as their machines boot; `problem` says why some did not. While the
    set is being made, `vms` are those asked for, and run all.
    `machines`: provisioning state in Azure, or GONE -> number of those VMs; `idle_machines`: the
    same of VMs that are not on record, and run no engine. None: Azure could not be asked.
    """

    engines: int
    vms: int
    state: str
    placed: int
    lost: int = 0
    joining: int = 0
    problem: str = ""
    machines: dict[str, int] | None = None
    idle_machines: dict[str, int] | None = None

    @classmethod
    def of(cls, item: EngineSet) -> "EngineSetStatus":
        if item.state == CREATING:
            vms = -(-item.n // item.engines_per_vm)
            return cls(item.n, vms, item.state, item.n)
        placed = sum(machine.engines for machine in item.machines)
        return cls(
            item.n,
            len(item.machines),
            item.state,
            placed,
            item.lost_engines,
            item.yet_to_join,
            item.joining.problem,
        )

    def see(self, on_record: Iterable[str], found: Iterable[MachineState]) -> None:
        """Note what Azure says; `on_record`: names of the machines that are."""
        states = {machine.name: machine.provisioning_state for machine in found}
        names = list(states) if self.state == CREATING else list(on_record)
        self.machines = dict(Counter(states.pop(name, GONE) for name in names))
        self.idle_machines = dict(Counter(states.values()))


@dataclass
class ClusterStatus:
    """What `status` shows of one cluster.

    `registered`: how many engines the controller knows, None if it doesn't answer; `load` and the
    times are those of ClusterLoad, likewise; `unheard` says why there are none.
    `foreign_client`: what a client of this Python would do to engines of another minor version.
    `controller_exists`: None if Azure could not be asked; `problem` then says why.
    """

    cluster_id: str
    state: str
    resource_group: str = ""
    location: str = ""
    subscription_id: str = ""
    age_s: float = 0.0
    controller: str = ""
    python: str = ""
    foreign_client: str = ""
    controller_exists: bool | None = None
    tunnels_open: bool = False
    registered: int | None = None
    load: Sums | None = None
    idle_s: float | None = None
    idle_left_s: float | None = None
    time_left_s: float | None = None
    unheard: str = ""
    engine_sets: dict[str, EngineSetStatus] = field(default_factory=dict)
    problem: str = ""
    cost: ClusterCost | None = None

    @property
    def engines(self) -> int:
        """How many engines there should be: those of sets that are not stopped."""
        sets = self.engine_sets.values()
        return sum(item.engines for item in sets if item.state in (CREATING, READY))


def clusters(profile_dir: Path) -> list[ClusterStatus]:
    """Return the clusters on record in a profile, as Azure and their controllers see them now.

    `problem` of a cluster says what couldn't be asked or read.
    """
    files = files_in(profile_dir / "security", "azure-*.json")
    return asyncio.run(_all_seen([RecordFile(path) for path in files]))


async def _all_seen(files: Iterable[RecordFile]) -> list[ClusterStatus]:
    found = await asyncio.gather(*map(_seen, files))
    return [status for status in found if status is not None]


async def _seen(file: RecordFile) -> ClusterStatus | None:
    try:
        record = file.read()
    except AzureLauncherError as error:
        return ClusterStatus(cluster_id=file.cluster_id, state=UNREADABLE, problem=str(error))
    return None if record is None else await _status(file, record)


async def _status(file: RecordFile, record: Record) -> ClusterStatus:
    status = ClusterStatus(
        cluster_id=record.cluster_id,
        state=record.in_word,
        resource_group=record.plan.resource_group,
        location=record.plan.location,
        subscription_id=record.plan.subscription_id,
        controller=CREATED if record.is_created else record.controller.state,
        python=record.environment.python,
        foreign_client=record.environment.foreign_client,
        tunnels_open=is_link(record.link_pid, file),
        engine_sets={key: EngineSetStatus.of(item) for key, item in record.engine_sets.items()},
    )
    if record.is_created:
        for item in status.engine_sets.values():
            item.state = CREATED
    # at once: where one of both does not answer, the other's answer is there
    await asyncio.gather(bridge(_note_azure, record, status), _note_load(file, record, status))
    age = azure_now(record.endpoint) - datetime.fromisoformat(record.created)
    status.age_s = age.total_seconds()
    status.cost = cost_of(record, azure_now(record.endpoint))
    if (limit_h := record.limits.max_lifetime_h) > 0:
        status.time_left_s = max(0.0, limit_h * 3600 - status.age_s)
    return status


def _note_azure(record: Record, status: ClusterStatus) -> None:
    try:
        _ask_azure(record, status)
    except AzureLauncherError as error:
        status.problem = str(error)


def _ask_azure(record: Record, status: ClusterStatus) -> None:
    if emulator_is_gone(record.endpoint):
        status.problem = "The emulator that ran it has ended, and its machines with it."
        return
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        vm_id = record.controller.vm_id
        status.controller_exists = bool(vm_id) and api.exists(vm_id)
        for set_id, item in record.engine_sets.items():
            names = [machine.name for machine in item.machines]
            status.engine_sets[set_id].see(names, api.machines(item.scale_set_id))


async def _note_load(file: RecordFile, record: Record, status: ClusterStatus) -> None:
    """Ask the controller's machine, if it is set up, how busy the cluster is."""
    if record.controller.state != READY or record.deleting:
        return
    from .guard_news import ask_load  # with asyncssh

    try:
        if emulator_is_gone(record.endpoint):
            return
        load = load_of(record, await ask_load(file, record))
    except AzureLauncherError as error:
        status.unheard = error.message if isinstance(error, BootTimeout) else str(error)
        return
    status.registered, status.load = load.registered, load.sums if load.machines else None
    status.idle_s, status.idle_left_s = load.idle_s, load.idle_left_s


def as_json(found: list[ClusterStatus]) -> str:
    return json.dumps([asdict(status) for status in found])


def as_text(profile: str, found: list[ClusterStatus]) -> str:
    if not found:
        return (
            f"No cluster on Azure is on record in profile {profile}; `ipcluster-azure list` shows "
            "all there are."
        )
    return "\n".join(line for status in found for line in _lines(status))


def _lines(status: ClusterStatus) -> list[str]:
    name = f"Cluster {status.cluster_id!r}" if status.cluster_id else "Cluster"
    if status.state == UNREADABLE:
        return [f"{name}: {status.problem}"]
    if status.state == CREATED:
        return _lines_of_machines(name, status)
    known = "?" if status.registered is None else status.registered
    lines = [
        f"{name}: {status.state}, {known} of {status.engines} engines registered, "
        f"started {duration(status.age_s)} ago",
        _place(status),
        f"  controller: {status.controller}"
        + ("; its machine is not there" if status.controller_exists is False else ""),
    ]
    lines += [f"  engine set {key}: {_in_words(item)}" for key, item in status.engine_sets.items()]
    lines += [f"  {item.problem}" for item in status.engine_sets.values() if item.problem]
    lines += [f"  cost: {in_words(status.cost)}"] if status.cost else []
    lines.append(f"  tunnels for clients: {'open' if status.tunnels_open else 'closed'}")
    lines += load_rows(status.load, status.unheard)
    lines += time_rows(status.idle_s, status.idle_left_s, status.time_left_s)
    lines += [f"  warning: {status.foreign_client}"] if status.foreign_client else []
    return lines + ([f"  problem: {status.problem}"] if status.problem else [])


def _lines_of_machines(name: str, status: ClusterStatus) -> list[str]:
    """Tell of machines on which nothing runs."""
    there = "; its machine is not there" if status.controller_exists is False else ""
    lines = [
        f"{name}: created, nothing runs on its machines, made {duration(status.age_s)} ago",
        _place(status),
        f"  controller: created{there}",
        *(f"  engine set {key}: {_in_words(item)}" for key, item in status.engine_sets.items()),
        "  `ipcluster-azure deploy` starts controller and engines on them",
    ]
    return lines + ([f"  problem: {status.problem}"] if status.problem else [])


def _place(status: ClusterStatus) -> str:
    return (
        f"  resource group {status.resource_group} in {status.location}, subscription "
        f"{status.subscription_id}"
    )


def _in_words(item: EngineSetStatus) -> str:
    vms = f"{counted(item.vms, 'VM')} ({_states(item.machines)})"
    idle = f"; {_states(item.idle_machines)} without engines" if item.idle_machines else ""
    if item.state == KEPT:
        return f"{KEPT}: its engines are stopped, and {vms} wait for their restart{idle}"
    engines = counted(item.engines, "engine")
    if item.state == CREATED:
        return f"{CREATED}, {vms} for {engines}{idle}"
    if item.placed < item.engines:
        engines = f"{item.placed} of {engines}"
    missing = item.engines - item.placed - item.lost
    parts = [f"{item.state}, {vms} for {engines}"]
    if missing > 0:
        parts.append(f"{counted(missing, 'engine')} did not start")
    if item.joining:
        parts.append(f"{counted(item.joining, 'engine')} yet to join as their machines boot")
    if item.lost:
        parts.append(f"{counted(item.lost, 'engine')} lost with a machine, to be replaced")
    return "; ".join(parts) + idle


def _states(machines: dict[str, int] | None) -> str:
    if machines is None:
        return "unknown"
    return ", ".join(f"{n} {state}" for state, n in sorted(machines.items())) or "none is there"

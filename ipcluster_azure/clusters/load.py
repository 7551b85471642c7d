"""How busy a cluster is: what its guard tells, beside the names that are on record. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..record.contents import Machine, Record
from ..record.spending import ClusterCost, cost_of

CONTROLLER = "controller"


@dataclass(frozen=True)
class EngineLoad:
    """One engine. `cpu_percent`: of one processor; the numbers of tasks are since its start, and
    `done_per_s` is over the last seconds. None: not known yet."""

    id: int
    cpu_percent: float | None
    memory_bytes: int | None
    begun: int
    running: int
    done: int
    done_per_s: float | None

    @classmethod
    def of(cls, told: dict[str, Any]) -> "EngineLoad":
        running = max(0, told["begun"] - told["done"])
        return cls(running=running, **told)


@dataclass(frozen=True)
class MachineLoad:
    """One machine. `engine_set` is empty for the controller's, `cpu_percent` is of all processors,
    `silent`: the guard does not hear it at the moment, so that the numbers are its last."""

    name: str
    engine_set: str
    address: str
    silent: bool
    cpus: int | None = None
    cpu_percent: float | None = None
    memory_bytes: int | None = None
    memory_total_bytes: int | None = None
    engines: list[EngineLoad] = field(default_factory=list)


@dataclass(frozen=True)
class Sums:
    """Of all engines; `busy` are those that run a task, `cpu_percent` 100 for one processor."""

    engines: int
    busy: int
    cpu_percent: float
    memory_bytes: int
    begun: int
    running: int
    done: int
    done_per_s: float

    @classmethod
    def of(cls, engines: Iterable[EngineLoad]) -> "Sums":
        all_ = list(engines)
        return cls(
            engines=len(all_),
            busy=sum(engine.running > 0 for engine in all_),
            cpu_percent=round(sum(engine.cpu_percent or 0.0 for engine in all_), 1),
            memory_bytes=sum(engine.memory_bytes or 0 for engine in all_),
            begun=sum(engine.begun for engine in all_),
            running=sum(engine.running for engine in all_),
            done=sum(engine.done for engine in all_),
            done_per_s=round(sum(engine.done_per_s or 0.0 for engine in all_), 2),
        )


@dataclass(frozen=True)
class ClusterLoad:
    """`registered`: engines that the hub knows, None if it was not asked or did not answer.
    `time_left_s`: until max_lifetime_h is over, None if it has no limit; `idle_left_s` likewise
    until idle_timeout_min is. `machines` is empty for a cluster that another version has started:
    its guard tells `idle_s` and `age_s` alone. All their names begin with `prefix`. `cost`: None
    if nothing of it is on record."""

    cluster_id: str
    prefix: str
    registered: int | None
    age_s: float
    idle_s: float
    time_left_s: float | None
    idle_left_s: float | None
    machines: list[MachineLoad]
    sums: Sums
    cost: ClusterCost | None


def load_of(record: Record, told: dict[str, Any]) -> ClusterLoad:
    """From the event "load" of vm_guard.py, or "state" where the guard is of a version before it
    (on_vm/agent/guard.py)."""
    limits, age_s, idle_s = record.limits, float(told["age_s"]), float(told["idle_s"])
    created = datetime.fromisoformat(record.created)
    machines = list(_machines(record, told)) if told["event"] == "load" else []
    registered = told.get("registered")
    if told["event"] == "state":
        heard = [machine for machine in told["machines"].values() if not machine["silent"]]
        registered = sum(len(machine["ids"]) for machine in heard)
    return ClusterLoad(
        cluster_id=record.cluster_id,
        prefix=prefix_of(record),
        registered=registered,
        age_s=age_s,
        idle_s=idle_s,
        time_left_s=_left(limits.max_lifetime_h * 3600, age_s),
        idle_left_s=_left(limits.idle_timeout_min * 60, idle_s),
        machines=machines,
        sums=Sums.of(engine for machine in machines for engine in machine.engines),
        cost=cost_of(record, created + timedelta(seconds=age_s)),
    )


def _left(limit_s: float, passed_s: float) -> float | None:
    return max(0.0, round(limit_s - passed_s, 1)) if limit_s > 0 else None


def _machines(record: Record, told: dict[str, Any]) -> Iterator[MachineLoad]:
    """Yield the controller's machine, then the others; addresses that are not on record any more
    are those of machines that were lost."""
    name, address = record.plan.names.controller, record.controller.address
    yield MachineLoad(name, "", address, silent=False, **told["controller"])
    for set_id, machine in machines_of(record):
        known = told["machines"].get(machine.address)
        if known is None:
            yield MachineLoad(machine.name, set_id, machine.address, silent=True)
            continue
        load = {key: value for key, value in known.items() if key not in ("ids", "engines")}
        engines = [EngineLoad.of(engine) for engine in known.get("engines", ())]
        yield MachineLoad(machine.name, set_id, machine.address, **load, engines=engines)


def prefix_of(record: Record) -> str:
    """Return what the names of all machines of a cluster begin with; what `top` shows of them is
    the rest."""
    return record.plan.names.controller.removesuffix(CONTROLLER)


def machines_of(record: Record) -> Iterator[tuple[str, Machine]]:
    """Yield the engines' machines on record, each with its engine set's id."""
    for set_id, engine_set in record.engine_sets.items():
        for machine in engine_set.machines:
            yield set_id, machine

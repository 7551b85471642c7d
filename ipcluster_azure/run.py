"""The remote processes of a cluster: engines started, counted and signalled."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from . import bootstrap
from .connect import Connection, connect, controller_target, engine_target
from .errors import EnginesMissing, MachineFailed
from .order import Order
from .progress import Counter
from .provision import require_alive
from .record import Machine, Record
from .record_file import RecordFile

CONCURRENT_MACHINES = 256  # of an engine set, being set up at the same time
GATE_TIMEOUT_S = 30.0  # for a controller that was reached before
SIGNAL_TIMEOUT_S = 10.0


async def start_engine_set(
    order: Order,
    set_id: str,
    deadline: float,
    gate: "asyncio.Future[Connection]",
    exist: "asyncio.Future[None]",
    running: "asyncio.Future[None]",
    *,
    min_engines: int,
) -> int:
    """Start the engines on all machines of the set at once; a slow one delays no other.

    The machines are logged in to as soon as they `exist`, through `gate`, and given their engines
    once the controller is `running`. `deadline`, in the loop's time, is when they must answer.
    Returns how many engines registered; raises EnginesMissing if that is fewer than min_engines
    (0: all).
    """
    await asyncio.shield(exist)
    connection = await asyncio.shield(gate)
    engine_set = require_alive(order.file, set_id).engine_sets[set_id]
    prepared = asyncio.ensure_future(_prepare(order, set_id, running))
    with order.progress.counting("engines registered", engine_set.n) as counter:
        start = _EngineStarts(order, set_id, connection, deadline, prepared, counter)
        starts = bootstrap.gather_limited(
            CONCURRENT_MACHINES, [partial(start, machine) for machine in engine_set.machines]
        )
        try:
            outcomes = await starts
            await prepared
        finally:
            prepared.cancel()
            await asyncio.gather(prepared, return_exceptions=True)
    failures = {
        machine.name: outcome
        for machine, outcome in zip(engine_set.machines, outcomes, strict=True)
        if isinstance(outcome, BaseException)
    }
    require_alive(order.file, set_id)
    return _count(order, engine_set.n, sum(start.registered.values()), failures, min_engines)


async def _prepare(
    order: Order, set_id: str, running: "asyncio.Future[None]"
) -> tuple[Record, bytes]:
    """The record and the engines' payload, which are complete once the controller runs."""
    await asyncio.shield(running)
    record = require_alive(order.file, set_id)
    info = json.loads(order.client_files["engine"].read_text(encoding="utf-8"))
    return record, bootstrap.engine_payload(info, order.file.profile_dir, order.variables)


@dataclass
class _EngineStarts:
    """Starts the engines of one machine when called; `registered` counts those of each."""

    order: Order
    set_id: str
    gate: Connection
    deadline: float
    prepared: "asyncio.Future[tuple[Record, bytes]]"
    counter: Counter
    registered: dict[str, int] = field(default_factory=dict)

    async def __call__(self, machine: Machine) -> None:
        file = self.order.file
        timeout_s = max(5.0, self.deadline - asyncio.get_running_loop().time())
        target = engine_target(file, require_alive(file), self.set_id, machine)
        async with await connect(target, timeout_s=timeout_s, through=self.gate) as connection:
            record, data = await asyncio.shield(self.prepared)
            await bootstrap.start_engines(
                connection,
                record,
                set_id=self.set_id,
                count=machine.engines,
                data=data,
                args=self.order.args,
                on_registered=partial(self._note, machine),
            )

    def _note(self, machine: Machine, count: int) -> None:
        self.registered[machine.name] = count
        self.counter.set(sum(self.registered.values()))


def _count(
    order: Order,
    n: int,
    registered: int,
    failures: Mapping[str, BaseException],
    min_engines: int,
) -> int:
    """Say how many of the engines there are, and what is wrong with the others."""
    order.progress.say(f"{registered} of {n} engines are registered")
    if not failures:
        return registered
    reasons = "; ".join(f"{name}: {error}" for name, error in sorted(failures.items()))
    message = f"{registered} of {n} engines registered; missing because: {reasons}"
    if registered < (min_engines or n):
        raise EnginesMissing(message)
    order.progress.log.warning(message)
    return registered


async def signal_engine_set(file: RecordFile, set_id: str, signum: int) -> None:
    """Send a signal to every engine of a set. Raises MachineFailed naming what can't be reached."""
    record = require_alive(file)
    machines = record.engine_sets[set_id].machines
    async with await connect(controller_target(file, record), timeout_s=GATE_TIMEOUT_S) as gate:
        command = bootstrap.agent_command(
            record.environment, "signal", f"--set={set_id}", f"--signum={signum}"
        )

        async def signal_one(machine: Machine) -> None:
            target = engine_target(file, record, set_id, machine)
            async with await connect(target, timeout_s=SIGNAL_TIMEOUT_S, through=gate) as engine:
                await engine.events(command, timeout_s=SIGNAL_TIMEOUT_S)

        outcomes = await asyncio.gather(*map(signal_one, machines), return_exceptions=True)
    if failures := [str(outcome) for outcome in outcomes if isinstance(outcome, BaseException)]:
        raise MachineFailed(f"Signal {signum} did not reach: {'; '.join(failures)}")


async def signal_controller(file: RecordFile, signum: int) -> None:
    """Send a signal to the controller's process."""
    record = require_alive(file)
    async with await connect(controller_target(file, record), timeout_s=GATE_TIMEOUT_S) as gate:
        done = '{"event": "signalled"}'
        command = f"kill -{int(signum)} {record.controller.pid} && echo '{done}'"
        await gate.events(command, timeout_s=SIGNAL_TIMEOUT_S)

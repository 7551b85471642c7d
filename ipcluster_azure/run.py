"""The remote processes of a cluster: engines started, counted and signalled."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

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


async def start_engine_set(order: Order, set_id: str, deadline: float, *, min_engines: int) -> int:
    """Start the engines on all machines of the set at once; a slow one delays no other.

    `deadline`, in the loop's time, is when the machines must answer. Returns how many engines
    registered; raises EnginesMissing if that is fewer than min_engines (0: all).
    """
    file = order.file
    record = require_alive(file, set_id)
    engine_set = record.engine_sets[set_id]
    info = json.loads(order.client_files["engine"].read_text(encoding="utf-8"))
    data = bootstrap.engine_payload(info, file.profile_dir, order.variables)
    registered: dict[str, int] = {}
    target = controller_target(file, record)
    with order.progress.counting("engines registered", engine_set.n) as counter:
        async with await connect(target, timeout_s=GATE_TIMEOUT_S) as gate:
            starts = [
                _EngineStart(
                    order, record, set_id, machine, gate, data, deadline, registered, counter
                )
                for machine in engine_set.machines
            ]
            outcomes = await bootstrap.gather_limited(CONCURRENT_MACHINES, starts)
    failures = {
        machine.name: outcome
        for machine, outcome in zip(engine_set.machines, outcomes, strict=True)
        if isinstance(outcome, BaseException)
    }
    require_alive(file, set_id)
    return _count(order, engine_set.n, sum(registered.values()), failures, min_engines)


@dataclass
class _EngineStart:
    """Starts the engines of one machine when called."""

    order: Order
    record: Record
    set_id: str
    machine: Machine
    gate: Connection
    data: bytes
    deadline: float
    registered: dict[str, int]
    counter: Counter

    async def __call__(self) -> None:
        timeout_s = max(5.0, self.deadline - asyncio.get_running_loop().time())
        target = engine_target(self.order.file, self.record, self.set_id, self.machine)
        async with await connect(target, timeout_s=timeout_s, through=self.gate) as connection:
            await bootstrap.start_engines(
                connection,
                self.record,
                set_id=self.set_id,
                count=self.machine.engines,
                data=self.data,
                args=self.order.args,
                on_registered=self._note,
            )

    def _note(self, count: int) -> None:
        self.registered[self.machine.name] = count
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

"""The engine processes of a cluster: started and counted."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from ..errors import BootTimeout
from ..progress import Counter
from ..record.abort import require_alive
from ..record.contents import Machine, Record
from ..resource_manager.waiting import all_or_none
from ..ssh import bootstrap
from ..ssh.bundle import Bundle, bundle_of, engine_upload
from ..ssh.connect import Target, connect, engine_target
from ..ssh.connection import Connection
from .request import Order

# open at a time through the controller: its sshd may have no more than 1,024 files open, and each
# takes one there. Machines that have not booted take none, so the slow delay nobody.
CONNECTIONS = 500


@dataclass(frozen=True)
class Started:
    """How many engines registered on each machine, by its name, and what is wrong with others."""

    registered: Mapping[str, int]
    failures: Mapping[str, BaseException]


async def start_engine_set(
    order: Order,
    set_id: str,
    machines: Sequence[Machine],
    deadline: float,
    gate: "asyncio.Future[Connection]",
    running: "asyncio.Future[None]",
    booted: "Booted",
) -> Started:
    """Start the engines on machines of the set, on all at once; a slow one delays no other.

    The machines are logged in to through `gate`, and given their engines once the controller is
    `running`. `deadline`, in the loop's time, is when they must answer.
    """
    connection = await asyncio.shield(gate)
    record = require_alive(order.file, set_id)
    looking = asyncio.ensure_future(_look(connection, record, machines, booted, deadline))
    prepared = asyncio.ensure_future(_prepare(order, set_id, connection, running))
    n = sum(machine.engines for machine in machines)
    with order.progress.counting("engines registered", n) as counter:
        start = _EngineStarts(order, set_id, connection, deadline, booted, prepared, counter)
        starting = asyncio.gather(*map(start, machines), return_exceptions=True)
        await all_or_none(looking, prepared, starting)
    failures = {
        machine.name: outcome
        for machine, outcome in zip(machines, starting.result(), strict=True)
        if isinstance(outcome, BaseException)
    }
    require_alive(order.file, set_id)
    return Started(start.registered, failures)


async def _look(
    gate: Connection,
    record: Record,
    machines: Sequence[Machine],
    booted: "Booted",
    deadline: float,
) -> None:
    addresses = [machine.address for machine in machines]
    timeout_s = max(0.0, deadline - asyncio.get_running_loop().time())
    await bootstrap.see_booted(gate, record, addresses, timeout_s=timeout_s, on_answer=booted.note)


async def _prepare(
    order: Order, set_id: str, gate: Connection, running: "asyncio.Future[None]"
) -> tuple[Record, Bundle, bytes]:
    """What the engines' machines are given, once the controller runs; the bundle is there."""
    await asyncio.shield(running)
    record = require_alive(order.file, set_id)
    info = json.loads(order.client_files["engine"].read_text(encoding="utf-8"))
    bundle = bundle_of(order.file.profile_dir)
    if bundle.sha256 != record.controller.bundle_sha256:
        await bootstrap.add_bundle(gate, bundle)
    return record, bundle, engine_upload(info, order.variables)


class Booted:
    """Which machines answer over SSH, as the controller's machine sees them."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._seen = {address: asyncio.Event() for address in addresses}
        self._given_up: dict[str, BaseException] = {}

    def note(self, address: str) -> None:
        self._seen[address].set()

    def give_up(self, address: str, why: BaseException) -> None:
        """Wait no longer for a machine that has not answered so far."""
        if not self._seen[address].is_set():
            self._given_up[address] = why
            self._seen[address].set()

    async def wait_for(self, target: Target, deadline: float) -> None:
        """Raise BootTimeout if the machine does not answer by `deadline`, in the loop's time."""
        timeout_s = deadline - asyncio.get_running_loop().time()
        try:
            await asyncio.wait_for(self._seen[target.host].wait(), timeout_s)
        except asyncio.TimeoutError:
            raise BootTimeout(
                f"{target.name} did not answer over SSH at {target.host}:{target.port} within "
                "boot_timeout_s."
            ) from None
        if target.host in self._given_up:
            raise self._given_up[target.host]


@dataclass
class _EngineStarts:
    """Starts the engines of one machine when called; `registered` counts those of each."""

    order: Order
    set_id: str
    gate: Connection
    deadline: float
    booted: Booted
    prepared: "asyncio.Future[tuple[Record, Bundle, bytes]]"
    counter: Counter
    registered: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(CONNECTIONS)

    async def __call__(self, machine: Machine) -> None:
        file = self.order.file
        target = engine_target(file, require_alive(file), self.set_id, machine)
        await self.booted.wait_for(target, self.deadline)
        timeout_s = max(5.0, self.deadline - asyncio.get_running_loop().time())
        async with (
            self._slots,
            await connect(target, timeout_s=timeout_s, through=self.gate) as connection,
        ):
            record, bundle, data = await asyncio.shield(self.prepared)
            await bootstrap.start_engines(
                connection,
                record,
                set_id=self.set_id,
                count=machine.engines,
                bundle=bundle,
                data=data,
                args=self.order.args,
                on_registered=partial(self._note, machine),
            )

    def _note(self, machine: Machine, count: int) -> None:
        self.registered[machine.name] = count
        self.counter.set(sum(self.registered.values()))

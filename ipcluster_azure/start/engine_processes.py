"""Engine processes: started on the machines of a set through the controller's, and counted."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..errors import ClusterStopped
from ..formatting import counted
from ..progress import Progress
from ..record.abort import require_alive
from ..record.contents import KEPT, READY, Machine, Record
from ..resource_manager.waiting import all_or_none
from ..ssh import bootstrap
from ..ssh.bundle import Bundle, bundle_of, engine_upload
from ..ssh.connect import Target, boot_timeout, connect, engine_target
from ..ssh.connection import Connection
from .request import ProcessSpec, StartContext

# open at a time through the controller: its sshd may have no more than 1,024 files open, and each
# takes one there. Machines that have not booted take none, so the slow delay nobody.
CONNECTIONS = 500
PROGRESS_S = 4.0
SHORTEST_LOGIN_S = 5.0  # for a machine that answers just before the deadline


@dataclass(frozen=True)
class Started:
    """How many engines registered on each machine, by its name, and what is wrong with others.

    `faults` are those in what prepares engines, with the number of engines that have each.
    """

    registered: Mapping[str, int]
    failures: Mapping[str, BaseException]
    faults: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class EngineKit:
    """What each of the machines is given: the bundle from the controller, `data` from here.

    `record` says where the controller offers it; `args` are those of ipengine, `cmd` is what runs
    it.
    """

    record: Record
    bundle: Bundle
    data: bytes
    args: Sequence[str]
    cmd: Sequence[str] = ()


async def prepare_kit(
    context: StartContext, set_id: str, process: ProcessSpec, gate: Connection
) -> EngineKit:
    """Put the bundle on offer at the controller's machine, once ipcontroller runs there.

    The bundle is there already unless files of the profile were changed; who offers it may have
    died if the cluster has run for a while.
    """
    record = require_alive(context.file)
    info = json.loads(context.file.connection_files["engine"].read_text(encoding="utf-8"))
    info["environment"] = record.environment.kind  # what to advise when a module is missing
    info["gpus"] = record.engine_sets[set_id].gpus
    bundle = bundle_of(context.file.profile_dir, process.files)
    if any(engine_set.state in (READY, KEPT) for engine_set in record.engine_sets.values()):
        await bootstrap.keep_offering(gate, record)
    if bundle.sha256 != record.controller.bundle_sha256:
        await bootstrap.add_bundle(gate, bundle)
    data = engine_upload(info, process.variables)
    return EngineKit(record, bundle, data, process.args, process.cmd)


class BootingMachines:
    """Machines of an engine set, and which of them answer over SSH as the controller's sees them.

    `deadline`, in the loop's time, is when they must.
    """

    def __init__(self, machines: Sequence[Machine], deadline: float) -> None:
        self.machines, self._deadline = machines, deadline
        self._settled = {machine.address: asyncio.Event() for machine in machines}
        self._given_up: dict[str, BaseException] = {}

    @property
    def engine_count(self) -> int:
        return sum(machine.engines for machine in self.machines)

    def left_s(self) -> float:
        """Return how many seconds there are until the deadline, at least 0."""
        return max(0.0, self._deadline - asyncio.get_running_loop().time())

    async def look(self, gate: Connection, record: Record) -> None:
        """Have the controller's machine look until all of them answer, or the deadline is over."""
        addresses = list(self._settled)
        await bootstrap.see_booted(
            gate, record, addresses, timeout_s=self.left_s(), on_answer=self._note
        )

    def _note(self, address: str) -> None:
        self._settled[address].set()

    def give_up(self, address: str, why: BaseException) -> None:
        """Wait no longer for the machine at this address, if it has not answered so far."""
        settled = self._settled.get(address)
        if settled is not None and not settled.is_set():
            self._given_up[address] = why
            settled.set()

    async def wait_for(self, target: Target) -> None:
        """Return once the machine answers; raises BootTimeout, or why it was given up."""
        try:
            await asyncio.wait_for(self._settled[target.host].wait(), self.left_s())
        except asyncio.TimeoutError:
            raise boot_timeout(target, "boot_timeout_s") from None
        if target.host in self._given_up:
            raise self._given_up[target.host]


async def start_engine_processes(
    context: StartContext,
    set_id: str,
    booting: BootingMachines,
    gate: Connection,
    kit: Awaitable[EngineKit],
) -> Started:
    """Log in to the machines through `gate` as they boot, and start their engines with the `kit`.

    All are started at once: a slow machine delays no other. Returns once each engine is registered,
    or can't be. What `kit` raises is raised, what a single machine raises is returned.
    """
    preparing = asyncio.ensure_future(kit)
    try:
        record = require_alive(context.file, set_id)
    except ClusterStopped:  # else asyncio would print, later, what the kit fails with
        preparing.cancel()
        await asyncio.gather(preparing, return_exceptions=True)
        raise
    looking = asyncio.ensure_future(booting.look(gate, record))
    slots, registered = asyncio.Semaphore(CONNECTIONS), dict[str, int]()
    faults, warned = Counter[str](), set[str]()
    teller = Teller(context.progress)
    with context.progress.counting("engines registered", booting.engine_count) as counter:

        def note(machine: Machine, count: int) -> None:
            registered[machine.name] = count
            counter.set(sum(registered.values()))

        async def start(machine: Machine) -> None:
            target = engine_target(context.file, record, set_id, machine)
            await booting.wait_for(target)
            timeout_s = max(SHORTEST_LOGIN_S, booting.left_s())
            async with slots, await connect(target, timeout_s=timeout_s, through=gate) as ssh:
                kit = await asyncio.shield(preparing)
                ready = await _start_on(ssh, set_id, machine, kit, note, teller.tell)
                faults.update({text: len(ids) for text, ids in ready.get("faults", {}).items()})
                for warning in {*ready["warnings"]} - warned:  # machines are mostly alike
                    context.progress.log.warning(warning)
                    warned.add(warning)

        starting = asyncio.gather(*map(start, booting.machines), return_exceptions=True)
        await all_or_none(looking, preparing, starting)
    require_alive(context.file, set_id)
    outcomes = zip(booting.machines, starting.result(), strict=True)
    failures = {machine.name: it for machine, it in outcomes if isinstance(it, BaseException)}
    return Started(registered, failures, faults)


class Teller:
    """Says what machines do, of all that tell it one line every PROGRESS_S."""

    def __init__(self, progress: Progress, who: str = "An engines' machine") -> None:
        self._progress, self._who, self._said_at = progress, who, 0.0

    def tell(self, doing: str) -> None:
        if time.monotonic() - self._said_at >= PROGRESS_S:
            self._said_at = time.monotonic()
            self._progress.say(f"{self._who}: {doing}")


async def _start_on(
    ssh: Connection,
    set_id: str,
    machine: Machine,
    kit: EngineKit,
    on_registered: Callable[[Machine, int], None],
    on_progress: Callable[[str], None],
) -> Mapping[str, Any]:
    """Start the engines of one machine; returns the event "ready"."""
    return await bootstrap.start_engines(
        ssh,
        kit.record,
        set_id=set_id,
        count=machine.engines,
        bundle=kit.bundle,
        data=kit.data,
        args=kit.args,
        cmd=kit.cmd,
        on_registered=partial(on_registered, machine),
        on_progress=on_progress,
    )


def tell_of_faults(started: Started, set_id: str, log: Any) -> None:
    """Warn of what went wrong in the preparation of engines that run all the same."""
    for text, count in started.faults.items():
        log.warning("The preparation of %s failed: %s", counted(count, "engine"), text)
    if started.faults:
        log.warning(
            "They run without that. More is in ipengine-%s-*.log: in .ipcluster-azure/log "
            "on the machines, after the stop in log/ of the profile",
            set_id,
        )

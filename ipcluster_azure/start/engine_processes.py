"""Engine processes: started on the machines of a set through the controller's, and counted."""

import asyncio
import json
import time
from collections import Counter as CounterOfAll
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..errors import ClusterStopped
from ..formatting import counted
from ..progress import Counter, Progress
from ..record.abort import require_alive
from ..record.contents import KEPT, READY, Machine, Record
from ..resource_manager.waiting import all_or_none
from ..ssh import bootstrap
from ..ssh.bundle import Bundle, bundle_of, engine_upload
from ..ssh.connect import connect, engine_target
from ..ssh.connection import Connection
from .booting import BootingMachines
from .enough import ALL, Enough, unless
from .request import ProcessSpec, StartContext

# open at a time through the controller: its sshd may have no more than 1,024 files open, and each
# takes one there. Machines that have not booted take none, so the slow delay nobody.
CONNECTIONS = 500
PROGRESS_S = 4.0
SHORTEST_LOGIN_S = 5.0  # for a machine that answers just before the deadline


@dataclass(frozen=True)
class Started:
    """How many engines registered on each machine, by its name, and what is wrong with others.

    `faults` are those in what prepares engines, with the number of engines that have each;
    `pending` are machines that were not waited for, as enough engines were registered.
    """

    registered: Mapping[str, int]
    failures: Mapping[str, BaseException]
    faults: Mapping[str, int] = field(default_factory=dict)
    pending: Set[str] = frozenset()


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


async def start_engine_processes(
    context: StartContext,
    set_id: str,
    booting: BootingMachines,
    gate: Connection,
    kit: Awaitable[EngineKit],
    *,
    enough: Enough = ALL,
    on_done: Callable[[Machine], None] = lambda machine: None,
) -> Started:
    """Log in to the machines through `gate` as they boot, and start their engines with the `kit`.

    All are started at once: a slow machine delays no other. Returns once each engine is registered,
    or can't be; or `enough` are. `on_done` hears of each machine whose engines all are registered.
    What `kit` raises is raised, what a single machine raises is returned.
    """
    preparing, over = asyncio.ensure_future(kit), asyncio.Event()
    try:
        record = require_alive(context.file, set_id)
    except ClusterStopped:  # else asyncio would print, later, what the kit fails with
        preparing.cancel()
        await asyncio.gather(preparing, return_exceptions=True)
        raise
    looking = asyncio.ensure_future(unless(over, booting.look(gate, record)))
    with context.progress.counting("engines registered", booting.engine_count) as counter:
        machines = _Machines(context, record, set_id, booting, enough, counter, on_done)
        starting = asyncio.ensure_future(machines.start(gate, preparing, over))
        await all_or_none(looking, preparing, starting)
    require_alive(context.file, set_id)
    return machines.outcome()


class _Machines:
    """The machines of one call of start_engine_processes, and what has become of each."""

    def __init__(
        self,
        context: StartContext,
        record: Record,
        set_id: str,
        booting: BootingMachines,
        enough: Enough,
        counter: Counter,
        on_done: Callable[[Machine], None],
    ) -> None:
        self._context, self._record, self._set_id = context, record, set_id
        self._booting, self._enough, self._counter = booting, enough, counter
        self._on_done = on_done
        self._slots, self._changed = asyncio.Semaphore(CONNECTIONS), asyncio.Event()
        self._registered, self._faults = dict[str, int](), CounterOfAll[str]()
        self._failures: dict[str, BaseException] = {}
        self._warned, self._teller = set[str](), Teller(context.progress)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._settled = set[str]()  # complete, with all engines listed by the hub, or given up

    async def start(
        self, gate: Connection, kit: "asyncio.Future[EngineKit]", over: asyncio.Event
    ) -> None:
        """Start all; sets `over` at the end, when those that are not done are cancelled."""
        self._tasks = {
            machine.name: asyncio.ensure_future(self._outcome(machine, gate, kit))
            for machine in self._booting.machines
        }
        try:
            while not self._is_over():
                self._changed.clear()
                await self._changed.wait()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            over.set()

    def _is_over(self) -> bool:
        left = len(self._tasks) - len(self._settled)
        if not left or not self._enough.ready:
            return not left
        settled = [one for one in self._booting.machines if one.name in self._settled]
        registered = sum(self._registered.get(one.name, 0) for one in settled)
        failed = sum(one.engines for one in settled) - registered
        return self._enough.is_met(registered, failed, self._booting.engine_count)

    def outcome(self) -> Started:
        pending = {name for name, task in self._tasks.items() if task.cancelled()}
        return Started(self._registered, self._failures, self._faults, pending)

    async def _outcome(
        self, machine: Machine, gate: Connection, kit: "asyncio.Future[EngineKit]"
    ) -> None:
        try:
            await self._start(machine, gate, kit)
        except Exception as error:
            self._failures[machine.name] = error
        self._settled.add(machine.name)
        self._changed.set()

    async def _start(
        self, machine: Machine, gate: Connection, kit: "asyncio.Future[EngineKit]"
    ) -> None:
        target = engine_target(self._context.file, self._record, self._set_id, machine)
        await self._booting.wait_for(target)
        timeout_s = max(SHORTEST_LOGIN_S, self._booting.left_s())
        async with self._slots, await connect(target, timeout_s=timeout_s, through=gate) as ssh:
            given = await asyncio.shield(kit)
            ready = await _start_on(
                ssh, self._set_id, machine, given, self._note, self._teller.tell
            )
        self._faults.update({text: len(ids) for text, ids in ready.get("faults", {}).items()})
        for warning in {*ready["warnings"]} - self._warned:  # machines are mostly alike
            self._context.progress.log.warning(warning)
            self._warned.add(warning)
        self._on_done(machine)

    def _note(self, machine: Machine, count: int) -> None:
        self._registered[machine.name] = count
        self._counter.set(sum(self._registered.values()))


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

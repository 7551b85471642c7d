"""Engines that their start did not wait for: as their machines boot they are started from here.

What would have failed the start fails nobody any more, as the cluster is in use. Machines that
don't come are let go where `min_engines` allows it; else others are asked for in their place.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

from ..errors import BootTimeout
from ..progress import Progress
from ..record.abort import edited, edited_set, require_alive
from ..record.contents import EngineSet, Machine
from ..record.file import RecordFile
from ..resource_manager.answers import MachineState
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.azure_time import azure_now
from ..resource_manager.waiting import while_watching
from ..ssh.connection import Connection
from ..start.boot_logs import Silent, keep_boot_logs
from ..start.booting import BootingMachines
from ..start.engine_processes import (
    Started,
    prepare_kit,
    start_engine_processes,
    tell_of_faults,
)
from ..start.machine_creation import watch_machines
from ..start.missing import missing_because
from ..start.request import StartContext, process_on_record
from .refill import machine_id
from .replacements import Replacements

REACHED_S = 30.0  # for machines that may have booted long ago, while nobody looked
OTHERS = "Other machines are asked for in their place."
NOTE_S = 1.0  # at most once in this time the record says who has joined: it may be long

log = logging.getLogger(__name__)


async def join(file: RecordFile, set_id: str, gate: Connection, replacements: Replacements) -> None:
    """Start the engines of the set's machines that have not joined, and act on those that can't.

    Raises ClusterStopped once the set is deleted, or what keeps all of them from being started.
    """
    record = require_alive(file, set_id)
    joining = _Joining(file, set_id, gate, record.engine_sets[set_id])
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        started = await joining.start(api)
        await joining.keep_boot_logs(api, started)
        await joining.let_go(api, started)
    if lost := joining.conclude(started):
        replacements.replace(set_id, lost)


class _Joining:
    """The machines of one engine set that are still to join."""

    def __init__(
        self, file: RecordFile, set_id: str, gate: Connection, engine_set: EngineSet
    ) -> None:
        self._file, self._set_id, self._gate, self._set = file, set_id, gate, engine_set
        self._context = StartContext(file, Progress(log))
        names = engine_set.joining.machines
        self._machines = [one for one in engine_set.machines if one.name in names]
        left_s = max(REACHED_S, engine_set.joining.until - time.time())
        self._booting = BootingMachines(self._machines, asyncio.get_running_loop().time() + left_s)
        self._joined: set[str] = set()

    async def start(self, api: AzureApi) -> Started:
        """Start the engines on all machines that come; notes on record which have joined."""
        context, process = self._context, process_on_record(self._set)
        kit = prepare_kit(context, self._set_id, process, self._gate)

        def give_up(machine: MachineState, why: Exception) -> None:
            self._booting.give_up(machine.address, why)

        watch = watch_machines(
            api,
            self._file,
            self._set_id,
            dispensable=len(self._set.machines),
            on_failed=give_up,
        )
        work = start_engine_processes(
            context,
            self._set_id,
            self._booting,
            self._gate,
            kit,
            on_done=lambda machine: self._joined.add(machine.name),
        )
        noting = asyncio.ensure_future(self._keep_noting())
        try:
            return await while_watching(watch, work)
        finally:
            noting.cancel()
            await asyncio.gather(noting, return_exceptions=True)

    async def _keep_noting(self) -> None:
        noted = 0
        while True:
            await asyncio.sleep(NOTE_S)
            if len(self._joined) > noted:
                noted = len(self._joined)
                with edited_set(self._file, self._set_id) as engine_set:
                    _forget(engine_set, self._joined)

    async def keep_boot_logs(self, api: AzureApi, started: Started) -> None:
        """Keep what machines printed that never answered, before they are deleted."""
        record = require_alive(self._file, self._set_id)
        silent = [
            Silent(name, machine_id(record, self._set_id, name), why)
            for name, why in started.failures.items()
            if isinstance(why, BootTimeout)
        ]
        await keep_boot_logs(api, self._context, record, silent)

    async def let_go(self, api: AzureApi, started: Started) -> None:
        """Delete machines that run no engine, if nobody needs them: they would only cost."""
        engine_set = require_alive(self._file, self._set_id).engine_sets[self._set_id]
        if not _are_enough(engine_set, started):
            return
        for machine in _useless(engine_set, started):
            record = require_alive(self._file, self._set_id)
            await bridge(api.delete, machine_id(record, self._set_id, machine.name))

    def conclude(self, started: Started) -> Sequence[Machine]:
        """Say, and write on record, what has become of the machines.

        Returns those that count as lost, in whose place others are needed.
        """
        tell_of_faults(started, self._set_id, log)
        with edited(self._file) as record:
            engine_set = record.engine_sets[self._set_id]
            n, registered = engine_set.n, _registered(engine_set, started)
            problem, useless = "", _useless(engine_set, started)
            if started.failures:
                problem = missing_because(registered, n, started.failures)
            engine_set.machines = [one for one in engine_set.machines if one not in useless]
            enough = _are_enough(engine_set, started)
            if enough and useless:
                now = azure_now(record.endpoint)
                record.cost.have_machines(now, self._set_id, len(engine_set.machines))
            elif useless:
                engine_set.lost_engines += sum(machine.engines for machine in useless)
                problem += f" {OTHERS}"
            engine_set.joining.machines = []
            engine_set.joining.problem = problem = " ".join(problem.split())
        if problem:
            log.warning("%s", problem)
        else:
            log.info("%d of %d engines are registered", registered, n)
        return [] if enough else useless


def _useless(engine_set: EngineSet, started: Started) -> list[Machine]:
    """Return the machines that have failed without any engine."""
    failed = [name for name in started.failures if not started.registered.get(name)]
    return [machine for machine in engine_set.machines if machine.name in failed]


def _are_enough(engine_set: EngineSet, started: Started) -> bool:
    wanted = engine_set.joining.min_engines or engine_set.n
    return _registered(engine_set, started) >= wanted


def _forget(engine_set: EngineSet, joined: set[str]) -> None:
    left = [name for name in engine_set.joining.machines if name not in joined]
    engine_set.joining.machines = left


def _registered(engine_set: EngineSet, started: Started) -> int:
    """Return how many engines of the set are registered: what `started` says of the machines that
    came after the start, and all of the others."""
    late = {*engine_set.joining.machines, *started.registered, *started.failures}
    before = sum(one.engines for one in engine_set.machines if one.name not in late)
    return before + sum(started.registered.values())

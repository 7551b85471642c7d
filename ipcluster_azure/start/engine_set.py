"""An engine set: machines that were requested -> engines that are registered."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ..errors import AzureLauncherError, BootTimeout, EnginesMissing
from ..plan.cluster_plan import EngineSetPlan
from ..record.abort import edited, edited_set, require_alive
from ..record.contents import READY, Machine, Record
from ..record.file import RecordFile
from ..record.joining import Joining
from ..resource_manager.answers import MachineState
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.azure_time import azure_now
from ..resource_manager.waiting import all_or_none, until, while_watching
from ..ssh.bootstrap import instruct_guard
from ..ssh.connection import Connection
from ..ssh.guard_settings import guard_settings
from . import scheduled_end
from .boot_logs import Silent, keep_boot_logs
from .booting import BootingMachines
from .controller_wait import controller_requested
from .engine_processes import (
    EngineKit,
    Started,
    prepare_kit,
    start_engine_processes,
    tell_of_faults,
)
from .enough import Enough
from .left_to_link import leave_to_link
from .machine_creation import Fleet, dispensable, machines_made, watch_machines
from .machine_requests import request_machines
from .missing import missing_because
from .next_place import first_with_room, next_plan
from .request import EngineSetSpec, JobFile, StartContext
from .self_deletion import allow_self_deletion

T = TypeVar("T")
MAKING = "creating the engines' machines"


@dataclass(frozen=True)
class ControllerTasks:
    """The controller's side of a start, which goes on beside the engines'.

    `requesting` is done once Azure has accepted the controller's machine, `running` once
    ipcontroller runs there; `gate` is the connection to it.
    """

    requesting: "asyncio.Future[None]"
    gate: "asyncio.Future[Connection]"
    running: "asyncio.Future[None]"


@dataclass(frozen=True)
class EngineSetStart:
    """One start of an engine set whose machines were requested."""

    api: AzureApi
    context: StartContext
    spec: EngineSetSpec
    controller: ControllerTasks

    async def run(self, others: Sequence[EngineSetPlan], job: JobFile) -> int:
        """Start the engines, and return how many of them registered.

        When there is no room for the machines, those of the `others` are asked for.
        Raises EnginesMissing, BootTimeout, or what Azure said of the machines.
        """
        return await self._placed(self._start, others, job)

    async def make(self, others: Sequence[EngineSetPlan], job: JobFile) -> None:
        """Wait until Azure has made the machines, all but those that min_engines can spare.

        When there is no room for them, those of the `others` are asked for. Raises BootTimeout, or
        what Azure said of the machines.
        """
        await self._placed(self._make, others, job)

    async def _placed(
        self, work: Callable[[], Awaitable[T]], others: Sequence[EngineSetPlan], job: JobFile
    ) -> T:
        """Do the work with the machines that were asked for, or in the next place with room."""
        left = list(others)

        async def attempt(refusal: AzureLauncherError | None) -> T:
            if refusal is not None:
                plan = next_plan(self.context, left, refusal)
                record = require_alive(self.context.file, self.spec.set_id)
                await bridge(self.api.delete, record.engine_sets[self.spec.set_id].scale_set_id)
                await request_machines(self.context, plan, job)
            return await work()

        return await first_with_room(attempt)

    async def _make(self) -> None:
        file, set_id, settings = self.context.file, self.spec.set_id, self.spec.settings
        deadline = asyncio.get_running_loop().time() + settings.boot_timeout_s
        engine_set = require_alive(file, set_id).engine_sets[set_id]
        counts = [machine.engines for machine in engine_set.machines]
        spare = dispensable(counts, settings.min_engines)
        self._note_machines(await self._made(counts, spare, deadline), counts)

        async def made() -> bool:
            url = require_alive(file, set_id).engine_sets[set_id].operation
            return bool(await bridge(self.api.has_succeeded, url, MAKING))

        try:
            await until(made, settings.boot_timeout_s)
        except AzureLauncherError as error:
            if not spare:
                raise
            self.context.progress.log.warning("%s", error)  # a deployment deletes what is of no use

    async def _start(self) -> int:
        file, set_id, settings = self.context.file, self.spec.set_id, self.spec.settings
        deadline = asyncio.get_running_loop().time() + settings.boot_timeout_s
        expected = require_alive(file, set_id).engine_sets[set_id].machines
        counts = [machine.engines for machine in expected]
        spare = dispensable(counts, settings.min_engines)
        fleet = await self._made(counts, spare, deadline)
        booting = BootingMachines(self._note_machines(fleet, counts), deadline)

        def give_up(machine: MachineState, why: AzureLauncherError) -> None:
            booting.give_up(machine.address, why)

        watch = watch_machines(self.api, file, set_id, dispensable=spare, on_failed=give_up)
        starting = asyncio.ensure_future(self._start_processes(booting))
        limiting = asyncio.ensure_future(self._limit(fleet))
        await while_watching(watch, all_or_none(starting, limiting))
        started = starting.result()
        if started.pending:
            await self._let_go(replace(started, failures={}), fleet)
            return leave_to_link(self.context, self.spec, started, booting)
        await self._keep_boot_logs(started, fleet)
        registered = self._count(sum(counts), started, fleet)
        await self._let_go(started, fleet)
        return registered

    async def _made(self, counts: Sequence[int], spare: int, deadline: float) -> Fleet:
        """Wait until the machines have addresses, all but those that can be `spare`d."""
        with self.context.progress.counting("machines", len(counts)) as counter:
            return await machines_made(
                self.api,
                self.context.file,
                self.spec.set_id,
                len(counts),
                dispensable=spare,
                deadline=deadline,
                on_progress=counter.set,
            )

    def _note_machines(self, fleet: Fleet, counts: Sequence[int]) -> Sequence[Machine]:
        """Write on record which machine runs how many engines."""
        machines = [
            Machine(machine.name, machine.address, count)
            for machine, count in zip(fleet.ready, counts, strict=False)
        ]
        with edited_set(self.context.file, self.spec.set_id) as engine_set:
            engine_set.machines, engine_set.joining = machines, Joining()
        return machines

    async def _start_processes(self, booting: BootingMachines) -> Started:
        gate = await asyncio.shield(self.controller.gate)
        kit = self._kit(gate)
        settings, n = self.spec.settings, booting.engine_count
        enough = Enough(settings.ready_engines, settings.min_engines or n)
        return await start_engine_processes(
            self.context, self.spec.set_id, booting, gate, kit, enough=enough
        )

    async def _kit(self, gate: Connection) -> EngineKit:
        await asyncio.shield(self.controller.running)
        return await prepare_kit(self.context, self.spec.set_id, self.spec.process, gate)

    async def _keep_boot_logs(self, started: Started, fleet: Fleet) -> None:
        """Keep what machines printed that never answered, before they are deleted."""
        failed = [(machine, started.failures.get(machine.name)) for machine in fleet.ready]
        silent = [
            Silent(machine.name, machine.id, why)
            for machine, why in failed
            if isinstance(why, BootTimeout)
        ]
        record = require_alive(self.context.file, self.spec.set_id)
        await keep_boot_logs(self.api, self.context, record, silent)

    async def _limit(self, fleet: Fleet) -> None:
        """See to the end of these machines, should nobody else be there to."""
        file, progress = self.context.file, self.context.progress
        await asyncio.shield(self.controller.requesting)
        record = await controller_requested(file, require_alive(file))
        if not record.plan.owns_resource_group:
            record = await allow_self_deletion(self.api, file, progress)
        machines = [record.controller.vm_id, *(machine.id for machine in fleet.ready)]
        if record.cost.max_cost:  # the others may have to end sooner, too
            machines += await bridge(self._other_machines, record)
        await scheduled_end.schedule(self.api, record, machines, progress)
        is_told = record.plan.owns_resource_group and record.limits.self_deletion
        if is_told and not record.cost.max_cost:
            return  # the guard was told so when it was started
        await asyncio.shield(self.controller.running)
        settings = guard_settings(require_alive(file))
        await instruct_guard(await asyncio.shield(self.controller.gate), settings)

    def _other_machines(self, record: Record) -> list[str]:
        """The ids of the machines of the cluster's other engine sets. Blocking."""
        sets = [item for key, item in record.engine_sets.items() if key != self.spec.set_id]
        return [machine.id for item in sets for machine in self.api.machines(item.scale_set_id)]

    def _count(self, n: int, started: Started, fleet: Fleet) -> int:
        """Return how many of the engines there are, and tell what is wrong with the others.

        Raises EnginesMissing if there are fewer than min_engines.
        """
        registered = sum(started.registered.values())
        self.context.progress.say(f"{registered} of {n} engines are registered")
        tell_of_faults(started, self.spec.set_id, self.context.progress.log)
        failures: Mapping[str, BaseException] = {**fleet.failures, **started.failures}
        if not failures:
            return registered
        message = missing_because(registered, n, failures)
        if registered < (self.spec.settings.min_engines or n):
            raise EnginesMissing(message)
        self.context.progress.log.warning(message)
        return registered

    async def _let_go(self, started: Started, fleet: Fleet) -> None:
        """Delete machines that run no engine: they would only cost."""
        useless = [name for name in started.failures if not started.registered.get(name)]
        if not useless and not fleet.failures:
            return
        record = require_alive(self.context.file, self.spec.set_id)
        engine_set = record.engine_sets[self.spec.set_id]
        used = [machine for machine in engine_set.machines if machine.name not in useless]
        names = {machine.name for machine in used}
        for machine in await bridge(self.api.machines, engine_set.scale_set_id):
            if machine.name not in names:
                await bridge(self.api.delete, machine.id)
        with edited(self.context.file) as record:
            record.engine_sets[self.spec.set_id].machines = used
            record.cost.have_machines(azure_now(record.endpoint), self.spec.set_id, len(used))


def note_ready(file: RecordFile, spec: EngineSetSpec) -> None:
    """Write on record that the engines of a set run, and how to start others in their place."""
    with edited_set(file, spec.set_id) as engine_set:
        process = spec.process
        engine_set.args, engine_set.variables = list(process.args), dict(process.variables)
        engine_set.files, engine_set.cmd = list(process.files), list(process.cmd)
        engine_set.boot_timeout_s = spec.settings.boot_timeout_s
        engine_set.state = READY

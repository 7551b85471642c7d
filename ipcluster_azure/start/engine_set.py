"""An engine set: machines that were requested -> engines that are registered."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import NO_ROOM, AzureLauncherError, EnginesMissing
from ..plan.cluster_plan import EngineSetPlan
from ..record.abort import edited_set, require_alive
from ..record.contents import Machine
from ..resource_manager.answers import MachineState
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.waiting import all_or_none, while_watching
from ..settings.values import Settings
from ..ssh.bootstrap import instruct_guard
from ..ssh.connection import Connection
from ..ssh.guard_settings import guard_settings
from . import scheduled_end
from .engine_processes import Booted, Started, start_engine_set
from .machine_creation import Fleet, dispensable, machines_made, watch_machines
from .request import Order
from .self_deletion import allow_self_deletion
from .start_controller import controller_requested

Plans = Sequence[EngineSetPlan]


@dataclass(frozen=True)
class EngineSide:
    """One engine set while it starts. `requesting` is done when the controller is requested, `gate`
    is the way to the machines, once it is open; `running` is done when the controller runs."""

    api: AzureApi
    order: Order
    settings: Settings
    set_id: str
    requesting: "asyncio.Future[None]"
    gate: "asyncio.Future[Connection]"
    running: "asyncio.Future[None]"

    async def up(self, others: Plans, request: Callable[[Plans], Awaitable[Plans]]) -> int:
        """Returns how many engines registered.

        When there is no room for the machines, `request` asks for those of the `others`.
        Raises EnginesMissing, BootTimeout, or what Azure said of the machines.
        """
        while True:
            try:
                return await self._up()
            except NO_ROOM as error:
                if not others:
                    raise
                self.order.progress.log.warning("%s", error)
                engine_set = require_alive(self.order.file, self.set_id).engine_sets[self.set_id]
                await bridge(self.api.delete, engine_set.scale_set_id)
                others = await request(others)

    async def _up(self) -> int:
        file, set_id = self.order.file, self.set_id
        deadline = asyncio.get_running_loop().time() + self.settings.boot_timeout_s
        counts = self._engine_counts()
        spare = dispensable(counts, self.settings.min_engines)
        fleet = await self._made(counts, spare, deadline)
        booted = Booted([machine.address for machine in fleet.ready])

        def give_up(machine: MachineState, why: AzureLauncherError) -> None:
            if machine.address in {item.address for item in fleet.ready}:
                booted.give_up(machine.address, why)

        watch = watch_machines(self.api, file, set_id, dispensable=spare, on_failed=give_up)
        machines = require_alive(file, set_id).engine_sets[set_id].machines
        work = start_engine_set(
            self.order, set_id, machines, deadline, self.gate, self.running, booted
        )
        starting = asyncio.ensure_future(work)
        limiting = asyncio.ensure_future(self._limit(fleet))
        await while_watching(watch, all_or_none(starting, limiting))
        started = starting.result()
        registered = self._count(sum(counts), started, fleet)
        await self._let_go(started, fleet)
        return registered

    def _engine_counts(self) -> list[int]:
        record = require_alive(self.order.file, self.set_id)
        return [machine.engines for machine in record.engine_sets[self.set_id].machines]

    async def _made(self, counts: list[int], spare: int, deadline: float) -> Fleet:
        """Wait until the machines have addresses; note which runs how many engines."""
        with self.order.progress.counting("machines", len(counts)) as counter:
            fleet = await machines_made(
                self.api,
                self.order.file,
                self.set_id,
                len(counts),
                dispensable=spare,
                deadline=deadline,
                on_progress=counter.set,
            )
        with edited_set(self.order.file, self.set_id) as engine_set:
            engine_set.machines = [
                Machine(machine.name, machine.address, count)
                for machine, count in zip(fleet.ready, counts, strict=False)
            ]
        return fleet

    async def _limit(self, fleet: Fleet) -> None:
        """See to the end of these machines, should nobody else be there to."""
        file, progress = self.order.file, self.order.progress
        await asyncio.shield(self.requesting)
        if not require_alive(file).plan.owns_resource_group:
            await allow_self_deletion(self.api, file, progress)
        record = await controller_requested(file)
        machines = [record.controller.vm_id, *(machine.id for machine in fleet.ready)]
        await scheduled_end.schedule(self.api, record, machines, progress)
        if record.plan.owns_resource_group and record.limits.self_deletion:
            return  # the guard was told so when it was started
        await asyncio.shield(self.running)
        settings = guard_settings(require_alive(file))
        await instruct_guard(await asyncio.shield(self.gate), settings)

    def _count(self, n: int, started: Started, fleet: Fleet) -> int:
        """Say how many of the engines there are, and what is wrong with the others."""
        registered = sum(started.registered.values())
        self.order.progress.say(f"{registered} of {n} engines are registered")
        failures: Mapping[str, BaseException] = {**fleet.failures, **started.failures}
        if not failures:
            return registered
        reasons = "; ".join(f"{name}: {error}" for name, error in sorted(failures.items()))
        message = f"{registered} of {n} engines registered; missing because: {reasons}"
        if registered < (self.settings.min_engines or n):
            raise EnginesMissing(message)
        self.order.progress.log.warning(message)
        return registered

    async def _let_go(self, started: Started, fleet: Fleet) -> None:
        """Delete machines that run no engine: they would only cost."""
        useless = [name for name in started.failures if not started.registered.get(name)]
        if not useless and not fleet.failures:
            return
        record = require_alive(self.order.file, self.set_id)
        scale_set = record.engine_sets[self.set_id].scale_set_id
        used = {machine.name for machine in record.engine_sets[self.set_id].machines}
        found = await bridge(self.api.machines, record.plan.resource_group, scale_set)
        for machine in found:
            if machine.name in useless or machine.name not in used:
                await bridge(self.api.delete, machine.id)
        with edited_set(self.order.file, self.set_id) as engine_set:
            engine_set.machines = [
                machine for machine in engine_set.machines if machine.name not in useless
            ]

"""An engine set that has lost machines -> as many engines as it had.

Its capacity is patched, never put: a PATCH of a scale set that is being deleted is refused, so that
this can't bring one back.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from ..errors import AzureLauncherError, BootTimeout, ClusterStopped, MachineFailed
from ..plan.arm_template import VIRTUAL_MACHINE
from ..progress import Progress
from ..record.abort import edited_set, require_alive
from ..record.contents import DELETING, READY, EngineSet, Machine, Record
from ..record.file import RecordFile
from ..resource_ids import group_scope, parse_id, resource_id
from ..resource_manager.answers import MachineState
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.waiting import OPERATION_LOOK_S, Looks
from ..ssh.connection import Connection
from ..start import scheduled_end
from ..start.engine_processes import Booted, start_engine_set
from ..start.provision import create
from ..start.request import Order

T = TypeVar("T")
DELETION_TIMEOUT_S = 300.0

log = logging.getLogger(__name__)


def machine_id(record: Record, set_id: str, name: str) -> str:
    scale_set = parse_id(record.engine_sets[set_id].scale_set_id)
    group = group_scope(scale_set.subscription_id, scale_set.resource_group)
    return resource_id(group, VIRTUAL_MACHINE, name)


def delete_machine(record: Record, set_id: str, name: str) -> None:
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        api.delete(machine_id(record, set_id, name))


async def refill(file: RecordFile, set_id: str, gate: Connection) -> None:
    """Ask for machines in the place of those that were lost, and start their engines.

    Raises ClusterStopped once the set is deleted or its engines are stopped, or what Azure or the
    machines say.
    """
    record = require_alive(file, set_id)
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        refilling = _Refill(api, file, set_id, gate)
        kept = await refilling.tidy()
        counts = refilling.missing()
        log.info("Requesting %d machines in the place of those that were lost", len(counts))
        try:
            made = await refilling.make(kept, len(counts))
            await scheduled_end.schedule(
                api, record, [machine.id for machine in made], Progress(log)
            )
            machines = [
                Machine(machine.name, machine.address, count)
                for machine, count in zip(made, counts, strict=True)
            ]
            await refilling.start(machines)
        except AzureLauncherError:
            await refilling.clear(record.engine_sets[set_id].scale_set_id)
            raise
    log.info("%d engines are back, on %s", sum(counts), ", ".join(item.name for item in machines))


class _Refill:
    def __init__(self, api: AzureApi, file: RecordFile, set_id: str, gate: Connection) -> None:
        self._api, self._file, self._set_id, self._gate = api, file, set_id, gate
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + self._engine_set().boot_timeout_s

    def _engine_set(self) -> EngineSet:
        engine_set = require_alive(self._file, self._set_id).engine_sets[self._set_id]
        if engine_set.state != READY:
            raise ClusterStopped("The engines were stopped while machines were replaced.")
        return engine_set

    async def _found(self) -> list[MachineState]:
        engine_set = self._engine_set()
        group = parse_id(engine_set.scale_set_id).resource_group
        found: list[MachineState] = await bridge(self._api.machines, group, engine_set.scale_set_id)
        return found

    def missing(self) -> list[int]:
        """How many engines each of the new machines is to run."""
        engine_set = self._engine_set()
        full, rest = divmod(engine_set.lost_engines, engine_set.engines_per_vm)
        return [engine_set.engines_per_vm] * full + ([rest] if rest else [])

    async def tidy(self) -> set[str]:
        """Delete what is not on record, such as the dead; returns the names of the others.

        Waits until Azure no longer counts them, lest it make fewer machines, or delete others.
        """
        looks, asked = Looks(), set()
        deadline = asyncio.get_running_loop().time() + DELETION_TIMEOUT_S
        while True:
            found = await self._found()
            ours = {machine.name for machine in self._engine_set().machines}
            others = [machine for machine in found if machine.name not in ours]
            if not others:
                return {machine.name for machine in found}
            for machine in others:
                if machine.name not in asked:
                    await bridge(self._api.delete, machine.id)
                    asked.add(machine.name)
            if asyncio.get_running_loop().time() > deadline:
                raise MachineFailed(
                    f"Azure has not deleted {', '.join(asked)} in {DELETION_TIMEOUT_S:.0f} s"
                )
            await looks.pause()

    async def clear(self, scale_set_id: str) -> None:
        """After a failure: delete what is not on record, as it would only cost."""
        record = self._file.read()
        engine_set = record.engine_sets.get(self._set_id) if record is not None else None
        if engine_set is None or engine_set.state == DELETING:
            # once more: what was made meanwhile may have come after its deletion
            await bridge(self._api.delete, scale_set_id)
            return
        ours = {machine.name for machine in engine_set.machines}
        group = parse_id(scale_set_id).resource_group
        for machine in await bridge(self._api.machines, group, scale_set_id):
            if machine.name not in ours:
                await bridge(self._api.delete, machine.id)

    async def make(self, kept: set[str], count: int) -> Sequence[MachineState]:
        """`count` machines more than the `kept` ones, once they have addresses."""
        scale_set = self._engine_set().scale_set_id
        operation = await create(
            self._file,
            lambda: self._api.scale(scale_set, len(kept) + count),
            lambda: self._api.delete(scale_set),
        )
        loop, looks = asyncio.get_running_loop(), Looks()
        asked_at = loop.time()
        while True:
            new = [item for item in await self._found() if item.name not in kept]
            if operation and loop.time() - asked_at > OPERATION_LOOK_S:
                asked_at = loop.time()
                await bridge(self._api.has_succeeded, operation, "creating machines")
            failed = [item.name for item in new if item.provisioning_state == "Failed"]
            if failed:
                raise MachineFailed(f"Azure failed at creating {', '.join(failed)}")
            ready = [item for item in new if item.address]
            if len(ready) >= count:
                return ready[:count]
            if loop.time() > self._deadline:
                raise BootTimeout(f"Only {len(ready)} of {count} machines exist in time")
            await looks.pause()

    async def start(self, machines: Sequence[Machine]) -> None:
        """Start their engines; on record is what runs."""
        engine_set, record = self._engine_set(), require_alive(self._file)
        order = Order(
            file=self._file,
            cluster_id=record.cluster_id,
            profile=self._file.profile_dir.name.removeprefix("profile_"),
            job_file=Path(),  # there is none: nothing is submitted
            progress=Progress(log),
            args=engine_set.args,
            variables=engine_set.variables,
        )
        started = await start_engine_set(
            order,
            self._set_id,
            machines,
            self._deadline,
            _done(self._gate),
            _done(None),
            Booted([machine.address for machine in machines]),
        )
        with edited_set(self._file, self._set_id) as found:
            if found.state != READY:
                raise ClusterStopped("The engines were stopped while machines were replaced.")
            for machine in machines:
                if machine.name not in started.failures:
                    found.machines.append(machine)
                    found.lost_engines = max(0, found.lost_engines - machine.engines)
        for error in started.failures.values():
            raise error


def _done(result: T) -> "asyncio.Future[T]":
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    future.set_result(result)
    return future

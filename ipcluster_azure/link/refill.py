"""An engine set that has lost machines -> as many engines as it had.

Its capacity is patched, never put: a PATCH of a scale set that is being deleted is refused, so that
this can't bring one back.
"""

import asyncio
import logging
from collections.abc import Sequence

from ..errors import AzureLauncherError, BootTimeout, ClusterStopped, MachineFailed
from ..formatting import counted
from ..plan.resource_types import VIRTUAL_MACHINE
from ..progress import Progress
from ..record.abort import edited_set, require_alive
from ..record.contents import DELETING, READY, EngineSet, Machine, Record
from ..record.file import RecordFile
from ..resource_ids import group_scope, parse_id, resource_id
from ..resource_manager.answers import MachineState
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.waiting import OPERATION_LOOK_S, until
from ..ssh.connection import Connection
from ..start import scheduled_end
from ..start.booting import BootingMachines
from ..start.engine_processes import prepare_kit, start_engine_processes, tell_of_faults
from ..start.provision import create
from ..start.request import StartContext, process_on_record

DELETION_TIMEOUT_S = 300.0

log = logging.getLogger(__name__)


def machine_id(record: Record, set_id: str, name: str) -> str:
    """Return the resource id of a machine of the set, which lies in the scale set's group."""
    scale_set = parse_id(record.engine_sets[set_id].scale_set_id)
    group = group_scope(scale_set.subscription_id, scale_set.resource_group)
    return resource_id(group, VIRTUAL_MACHINE, name)


def delete_machine(record: Record, set_id: str, name: str) -> None:
    """Ask Azure to delete a machine of the set. Blocking."""
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
        log.info("Requesting %s in the place of those lost", counted(len(counts), "machine"))
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
    names = ", ".join(machine.name for machine in machines)
    log.info("%s back, on %s", counted(sum(counts), "engine"), names)


class _Refill:
    """One attempt to bring the set back to its size, within its boot_timeout_s."""

    def __init__(self, api: AzureApi, file: RecordFile, set_id: str, gate: Connection) -> None:
        self._api, self._file, self._set_id, self._gate = api, file, set_id, gate
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + self._engine_set().boot_timeout_s

    def _engine_set(self) -> EngineSet:
        """Return the set as it is on record; raises ClusterStopped unless its engines run."""
        engine_set = require_alive(self._file, self._set_id).engine_sets[self._set_id]
        _require_ready(engine_set)
        return engine_set

    async def _found(self, engine_set: EngineSet) -> list[MachineState]:
        found: list[MachineState] = await bridge(self._api.machines, engine_set.scale_set_id)
        return found

    def missing(self) -> list[int]:
        """Return how many engines each of the new machines is to run."""
        engine_set = self._engine_set()
        full, rest = divmod(engine_set.lost_engines, engine_set.engines_per_vm)
        return [engine_set.engines_per_vm] * full + ([rest] if rest else [])

    async def tidy(self) -> set[str]:
        """Delete machines that are not on record, such as the dead; returns the others' names.

        Waits until Azure no longer counts them, lest it make fewer machines, or delete others.
        """
        ours, asked = set[str](), set[str]()

        async def only_ours() -> bool:
            nonlocal ours
            found = await self._found(self._engine_set())
            on_record = {machine.name for machine in self._engine_set().machines}
            others = [machine for machine in found if machine.name not in on_record]
            for machine in others:
                if machine.name not in asked:
                    await bridge(self._api.delete, machine.id)
                    asked.add(machine.name)
            ours = {machine.name for machine in found}
            return not others

        if not await until(only_ours, DELETION_TIMEOUT_S):
            raise MachineFailed(
                f"Azure has not deleted {', '.join(sorted(asked))} within "
                f"{DELETION_TIMEOUT_S:.0f} s"
            )
        return ours

    async def clear(self, scale_set_id: str) -> None:
        """After a failure: delete what is not on record, as it would only cost."""
        record = self._file.read()
        engine_set = record.engine_sets.get(self._set_id) if record is not None else None
        if engine_set is None or engine_set.state == DELETING:
            # once more: what was made meanwhile may have come after its deletion
            await bridge(self._api.delete, scale_set_id)
            return
        ours = {machine.name for machine in engine_set.machines}
        for machine in await self._found(engine_set):
            if machine.name not in ours:
                await bridge(self._api.delete, machine.id)

    async def make(self, kept: set[str], count: int) -> Sequence[MachineState]:
        """Ask for `count` machines more than those `kept`; returns them once they have addresses.

        Raises MachineFailed, BootTimeout, or what Azure says.
        """
        scale_set = self._engine_set().scale_set_id
        operation = await create(
            self._file,
            lambda: self._api.scale(scale_set, len(kept) + count),
            lambda: self._api.delete(scale_set),
        )
        loop = asyncio.get_running_loop()
        asked_at, ready = loop.time(), list[MachineState]()

        async def all_have_addresses() -> bool:
            nonlocal asked_at, ready
            new = [item for item in await self._found(self._engine_set()) if item.name not in kept]
            if operation and loop.time() - asked_at > OPERATION_LOOK_S:
                asked_at = loop.time()
                await bridge(self._api.has_succeeded, operation, "creating machines")
            failed = [item.name for item in new if item.provisioning_state == "Failed"]
            if failed:
                raise MachineFailed(f"Azure failed at creating {', '.join(failed)}")
            ready = [item for item in new if item.address]
            return len(ready) >= count

        if not await until(all_have_addresses, self._deadline - loop.time()):
            raise BootTimeout(
                f"Only {len(ready)} of {counted(count, 'new machine')} exist within boot_timeout_s"
            )
        return ready[:count]

    async def start(self, machines: Sequence[Machine]) -> None:
        """Start engines on the new machines, and put those that run on record.

        Raises what is wrong with the first machine that does not.
        """
        engine_set = self._engine_set()
        context = StartContext(self._file, Progress(log))
        process = process_on_record(engine_set)
        booting = BootingMachines(machines, self._deadline)
        kit = prepare_kit(context, self._set_id, process, self._gate)
        started = await start_engine_processes(context, self._set_id, booting, self._gate, kit)
        tell_of_faults(started, self._set_id, log)
        with edited_set(self._file, self._set_id) as found:
            _require_ready(found)
            for machine in machines:
                if machine.name not in started.failures:
                    found.machines.append(machine)
                    found.lost_engines = max(0, found.lost_engines - machine.engines)
            if not found.lost_engines:
                found.joining.problem = ""
        for error in started.failures.values():
            raise error


def _require_ready(engine_set: EngineSet) -> None:
    if engine_set.state != READY:
        raise ClusterStopped("The engines were stopped while machines were replaced.")

"""As many engines as before: other machines for those that died, and other engines."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress

from ..errors import AzureLauncherError, ClusterStopped
from ..formatting import counted
from ..record.abort import edited_set, require_alive
from ..record.contents import CREATING, READY, Machine
from ..record.file import RecordFile
from ..resource_manager.api import bridge
from ..resource_manager.power import NOT_RUNNING, RUNNING, power_of
from ..resource_manager.waiting import Looks
from ..ssh.commands import guard_command
from ..ssh.connection import Connection
from .engine_restart import restart_engines
from .refill import delete_machine, machine_id, refill

LONGEST_ASK_S = 15.0
UNREGISTER_TIMEOUT_S = 10.0
NONE_TO_BE_HAD = "No machines can be had in the place of those that were lost"
PAUSES_S = (0.0, 10.0, 30.0, 60.0, 120.0, 300.0)  # before each attempt; then it goes on with fewer

log = logging.getLogger(__name__)


class Replacements:
    """Keeps the engine sets of a cluster as large as they were.

    `gate` gives the connection to the controller while there is one. Sets that are starting,
    stopped for a restart, or being deleted are left alone.
    """

    def __init__(self, file: RecordFile, gate: Callable[[], Connection | None]) -> None:
        self._file, self._gate = file, gate
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._refilling: set[str] = set()
        self._restarting: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def suspect(self, addresses: Sequence[str]) -> None:
        """Ask Azure about machines of which nothing is heard, or that it is about to take back."""
        for address in addresses:
            if address not in self._asking:
                self._asking[address] = self._begin(self._ask(address))

    def trust(self, addresses: Sequence[str]) -> None:
        """Ask no more about machines that are heard again."""
        for address in addresses:
            if (asking := self._asking.pop(address, None)) is not None:
                asking.cancel()

    def go_on(self) -> None:
        """Replace the machines whose loss an earlier link of this cluster has put on record."""
        for set_id, engine_set in self._file.require().engine_sets.items():
            if engine_set.lost_engines:
                self._begin(self._refill(set_id))

    def replace(self, set_id: str, machines: Sequence[Machine]) -> None:
        """Have others take the place of machines that never ran an engine, and count as lost."""
        self._begin(self._replace(set_id, machines))

    async def _replace(self, set_id: str, machines: Sequence[Machine]) -> None:
        record = require_alive(self._file, set_id)
        for machine in machines:
            with suppress(AzureLauncherError):  # refill deletes whatever is not on record
                await bridge(delete_machine, record, set_id, machine.name)
        await self._refill(set_id)

    async def close(self) -> None:
        """Cancel whatever is under way; what is left to do is on record."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(self._logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _logged(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except ClusterStopped:
            pass
        except Exception:
            log.exception("A machine could not be replaced")

    async def _ask(self, address: str) -> None:
        """Ask Azure until the machine at this address is lost for certain, and replace it then.

        If it runs, have it see to its engines meanwhile: their supervisor may have died. Returns
        without that once the machine is none of the cluster's any more.
        """
        looks = Looks(LONGEST_ASK_S)
        while (found := self._find(address)) is not None:
            set_id, machine, state = found
            if state != CREATING:  # else the launcher has an eye on it
                vm_id = machine_id(require_alive(self._file), set_id, machine.name)
                power = await power_of(self._file, vm_id)
                if power in NOT_RUNNING and state == READY:
                    self._asking.pop(address, None)
                    engines = counted(machine.engines, "engine")
                    log.warning("%s is %s, and its %s with it", machine.name, power, engines)
                    await self._lose(set_id, machine)
                    await self._refill(set_id)
                    return
                if power == RUNNING and state == READY and address not in self._restarting:
                    self._restarting.add(address)  # beside this: nobody may answer there
                    self._begin(self._restart(set_id, machine))
            await looks.pause()
        self._asking.pop(address, None)

    async def _restart(self, set_id: str, machine: Machine) -> None:
        try:
            if (gate := self._gate()) is not None:
                await restart_engines(self._file, set_id, machine, gate)
        except AzureLauncherError as error:
            require_alive(self._file, set_id)
            log.warning("%s: its engines can't be seen to: %s", machine.name, error)
        finally:
            self._restarting.discard(machine.address)

    def _find(self, address: str) -> tuple[str, Machine, str] | None:
        for set_id, engine_set in require_alive(self._file).engine_sets.items():
            for machine in engine_set.machines:
                if machine.address == address:
                    return set_id, machine, engine_set.state
        return None

    async def _lose(self, set_id: str, machine: Machine) -> None:
        """Have the hub forget the machine's engines, note what is missing, delete what is left."""
        record = require_alive(self._file, set_id)
        with edited_set(self._file, set_id) as engine_set:
            if machine not in engine_set.machines:
                return
            engine_set.machines.remove(machine)
            engine_set.lost_engines += machine.engines
            if machine.name in engine_set.joining.machines:
                engine_set.joining.machines.remove(machine.name)
        unregister = guard_command(record.environment, "unregister", f"--machine={machine.address}")
        try:
            if (gate := self._gate()) is not None:
                await gate.events(unregister, timeout_s=UNREGISTER_TIMEOUT_S)
        except AzureLauncherError as error:  # the hub misses their heartbeats by and by
            log.warning("%s's engines could not be signed off: %s", machine.name, error)
        with suppress(AzureLauncherError):  # refill deletes whatever is not on record
            await bridge(delete_machine, record, set_id, machine.name)

    async def _refill(self, set_id: str) -> None:
        """Bring the set back to its size, with pauses; one at a time for each set."""
        if set_id in self._refilling:
            return
        self._refilling.add(set_id)
        try:
            for pause_s in PAUSES_S:
                await asyncio.sleep(pause_s)
                while (missing := self._missing(set_id)) and (gate := self._gate()) is not None:
                    try:
                        await refill(self._file, set_id, gate)
                    except AzureLauncherError as error:
                        require_alive(self._file, set_id)
                        log.warning("Still missing %s: %s", counted(missing, "engine"), error)
                        break
                if not self._missing(set_id):
                    return
            without = counted(self._missing(set_id), "engine")
            self._give_up(set_id, f"{NONE_TO_BE_HAD}; the cluster goes on without {without}.")
        finally:
            self._refilling.discard(set_id)

    def _give_up(self, set_id: str, why: str) -> None:
        log.error("%s", why)
        with edited_set(self._file, set_id) as engine_set:  # for launchers and `status` to say
            engine_set.joining.problem = why

    def _missing(self, set_id: str) -> int:
        engine_set = require_alive(self._file, set_id).engine_sets[set_id]
        return engine_set.lost_engines if engine_set.state == READY else 0

"""The machines of an engine set: made by Azure, some perhaps not, and which can be done without."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..errors import AzureLauncherError, BootTimeout, MachineFailed
from ..formatting import counted
from ..record.abort import require_alive
from ..record.file import RecordFile
from ..resource_manager.answers import MachineState
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.waiting import OPERATION_LOOK_S, Looks

WHY_LOOKS, WHY_LOOK_S = 5, 1.0


def dispensable(counts: Sequence[int], min_engines: int) -> int:
    """Return how many machines may be missing so that min_engines (0: all) are still there.

    `counts` are the engines of each machine. It is those with the fewest that may be missing.
    """
    spare, missing = sum(counts) - (min_engines or sum(counts)), 0
    for number, count in enumerate(sorted(counts), start=1):
        spare -= count
        if spare >= 0:
            missing = number
    return missing


@dataclass
class Fleet:
    """The machines of a set as Azure made them: `ready` are those that have an address.

    `failures` says of the others, by their names, why they are not to be had.
    """

    ready: list[MachineState] = field(default_factory=list)
    failures: dict[str, AzureLauncherError] = field(default_factory=dict)


async def machines_made(
    api: AzureApi,
    file: RecordFile,
    set_id: str,
    count: int,
    *,
    dispensable: int,
    deadline: float,
    on_progress: Callable[[int], None],
) -> Fleet:
    """Wait until each of `count` machines has an address or is lost; `deadline` is the loop's time.

    Calls `on_progress` with the number of those that have one.

    Raises what Azure says, or BootTimeout, as soon as more than `dispensable` are lost.
    """
    loop, looks = asyncio.get_running_loop(), Looks()
    making = _Making(api, file, set_id, loop.time())
    while True:
        ready, failed = await making.look()
        on_progress(len(ready))
        missing, late = count - len(ready), loop.time() > deadline
        lost = missing if making.refusal or late else len(failed)
        if lost > dispensable:
            raise await making.why(failed) or _late(ready, count)
        if lost >= missing:
            why = (await making.why(failed) or _late(ready, count)) if lost else None
            return Fleet(ready, _blame(failed, lost, why))
        await looks.pause()


def _late(ready: list[MachineState], count: int) -> BootTimeout:
    return BootTimeout(
        f"Only {len(ready)} of {counted(count, 'machine')} exist within boot_timeout_s. Run "
        "`ipcluster start` again, set boot_timeout_s higher, or min_engines to go on with fewer."
    )


def _blame(
    failed: list[str], lost: int, why: AzureLauncherError | None
) -> dict[str, AzureLauncherError]:
    if why is None:
        return {}
    nameless = lost - len(failed)
    names = [*failed, *([f"{nameless} of the machines"] if nameless > 0 else [])]
    return dict.fromkeys(names, why)


@dataclass
class _Making:
    """Looks at the machines of a set, and at the `operation` that makes them: Azure's report of it.

    `refusal` is how that ended, if Azure makes no more of them.
    """

    api: AzureApi
    file: RecordFile
    set_id: str
    asked_at: float
    operation: str = ""
    refusal: AzureLauncherError | None = None

    async def look(self) -> tuple[list[MachineState], list[str]]:
        """Return the machines that have an address, and the names of those that failed."""
        record = require_alive(self.file, self.set_id)
        engine_set = record.engine_sets[self.set_id]
        self.operation = engine_set.operation
        now = asyncio.get_running_loop().time()
        if self.refusal is None and now - self.asked_at > OPERATION_LOOK_S:
            self.asked_at, self.refusal = now, await self._refused()
        found = await bridge(self.api.machines, engine_set.scale_set_id)
        failed = [item.name for item in found if item.provisioning_state == "Failed"]
        return [item for item in found if item.address and item.name not in failed], failed

    async def _refused(self) -> AzureLauncherError | None:
        try:
            if self.operation:
                await bridge(
                    self.api.has_succeeded, self.operation, "creating the engines' machines"
                )
        except AzureLauncherError as error:
            return error
        return None

    async def why(self, failed: list[str]) -> AzureLauncherError | None:
        """Return Azure's reason, which the operation gives a moment after its machines failed."""
        require_alive(self.file, self.set_id)
        for _ in range(WHY_LOOKS if failed and self.operation else 0):
            if self.refusal is not None:
                break
            self.refusal = await self._refused()
            await asyncio.sleep(WHY_LOOK_S)
        if self.refusal is None and failed:
            return MachineFailed(
                f"Azure failed at creating {', '.join(failed)} and gave no reason; the activity "
                "log of the resource group in the portal may. Run `ipcluster start` again."
            )
        return self.refusal


async def watch_machines(
    api: AzureApi,
    file: RecordFile,
    set_id: str,
    *,
    dispensable: int,
    on_failed: Callable[[MachineState, AzureLauncherError], None],
) -> None:
    """Return never; call `on_failed` with each machine that Azure gives up while it boots, and why.

    Raises the reason as soon as more than `dispensable` of them are lost.
    """
    record = require_alive(file, set_id)
    engine_set = record.engine_sets[set_id]
    over = not engine_set.operation
    while True:
        await asyncio.sleep(OPERATION_LOOK_S)
        require_alive(file, set_id)
        if over:
            continue
        try:
            doing = "creating the engines' machines"
            over = await bridge(api.has_succeeded, engine_set.operation, doing)
        except AzureLauncherError as why:
            found = await bridge(api.machines, engine_set.scale_set_id)
            failed = [item for item in found if item.provisioning_state == "Failed"]
            if len(failed) > dispensable:
                raise
            for machine in failed:
                on_failed(machine, why)
            over = True

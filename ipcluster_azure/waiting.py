"""Waiting: for machines, for failures, for several things at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from .alive import require_alive
from .azure_api import AzureApi, MachineState, bridge
from .errors import AzureLauncherError, BootTimeout, MachineFailed
from .record_file import RecordFile

T = TypeVar("T")
FIRST_LOOK_S, LAST_LOOK_S = 0.1, 3.0
OPERATION_LOOK_S = 5.0
WHY_LOOKS = 5


class Looks:
    """The pauses between looks at something: short at first, then longer and longer."""

    def __init__(self, last_s: float = LAST_LOOK_S) -> None:
        self._pause_s, self._last_s = FIRST_LOOK_S, last_s

    async def pause(self) -> None:
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(self._last_s, self._pause_s * 1.5)


async def watch_operation(api: AzureApi, file: RecordFile, url: str, what: str) -> None:
    """Return never; raise as soon as Azure reports that creating `what` failed."""
    succeeded = not url
    while True:
        await asyncio.sleep(OPERATION_LOOK_S)
        require_alive(file)
        succeeded = succeeded or await bridge(api.has_succeeded, url, f"creating {what}")


async def wait_for_machines(
    api: AzureApi,
    file: RecordFile,
    set_id: str,
    count: int,
    *,
    deadline: float,
    on_progress: Callable[[int], None],
) -> list[MachineState]:
    """The machines of an engine set, once all have an address; `deadline` is the loop's time.

    Raises BootTimeout with the number that are there, MachineFailed if Azure gave one up.
    """
    group = file.require().plan.resource_group
    loop = asyncio.get_running_loop()
    looks = Looks()
    while True:
        record = require_alive(file, set_id)
        machines = await bridge(api.machines, group, record.engine_sets[set_id].scale_set_id)
        if failed := [
            machine.name for machine in machines if machine.provisioning_state == "Failed"
        ]:
            raise await _why_failed(api, record.engine_sets[set_id].operation, failed)
        ready = [machine for machine in machines if machine.address]
        on_progress(len(ready))
        if len(ready) >= count:
            return ready
        if loop.time() > deadline:
            raise BootTimeout(f"Only {len(ready)} of {count} machines exist within boot_timeout_s.")
        await looks.pause()


async def _why_failed(api: AzureApi, operation: str, names: list[str]) -> AzureLauncherError:
    """Azure's reason, which the operation gives; it may end a moment after its machines failed."""
    what = f"creating {', '.join(names)}"
    for _ in range(WHY_LOOKS if operation else 0):
        try:
            await bridge(api.has_succeeded, operation, what)
        except AzureLauncherError as error:
            return error
        await asyncio.sleep(1.0)
    return MachineFailed(
        f"Azure failed at {what} and gave no reason. The activity log of the resource group in "
        "the portal may. Next: `ipcluster start` again."
    )


async def all_or_none(*tasks: "asyncio.Future[Any]") -> None:
    """Wait for all of them; when one fails, cancel the others, wait for their end, and raise it."""
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def while_watching(watch: Awaitable[None], work: Awaitable[T]) -> T:
    """The result of `work`, unless `watch`, which never returns, raises before."""
    watcher, worker = asyncio.ensure_future(watch), asyncio.ensure_future(work)
    try:
        await asyncio.wait((watcher, worker), return_when=asyncio.FIRST_COMPLETED)
        return await worker if worker.done() else await _raise(watcher)
    finally:
        for task in (watcher, worker):
            task.cancel()
        await asyncio.gather(watcher, worker, return_exceptions=True)


async def _raise(watcher: "asyncio.Future[None]") -> Any:
    await watcher

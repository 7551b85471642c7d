"""Plan -> machines: every request made as soon as what it depends on is there."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from .azure_api import AzureApi, MachineState, bridge, nic_address
from .errors import (
    AzureLauncherError,
    BootTimeout,
    ClusterStopped,
    MachineFailed,
    RequestRefused,
)
from .plan import ClusterPlan
from .record import DELETING, EngineSet, Record
from .record_file import RecordFile
from .template import NIC, PUBLIC_IP, Json, ResourceRequest

T = TypeVar("T")
FIRST_LOOK_S, LAST_LOOK_S = 0.1, 3.0
OPERATION_LOOK_S = 5.0
IN_FLIGHT_TIMEOUT_S = 60.0
WHY_LOOKS = 5
UNSEEN_S = 30.0  # a GET may not see for a while what a PUT has made


class CreatesInFlight:
    """Counts the create calls of this process for each cluster.

    A deletion must wait for them: a DELETE that overtakes a PUT finds nothing, and then the PUT
    lands. Threads count, not tasks, since a cancelled task leaves its thread running.
    """

    def __init__(self) -> None:
        self._counts: Counter[Path] = Counter()
        self._changed = threading.Condition()

    def call(self, path: Path, function: Callable[[], T]) -> T:
        with self._changed:
            self._counts[path] += 1
        try:
            return function()
        finally:
            with self._changed:
                self._counts[path] -= 1
                self._changed.notify_all()

    def wait(self, path: Path) -> bool:
        """Block until none is left; False if that takes longer than IN_FLIGHT_TIMEOUT_S."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._counts[path], IN_FLIGHT_TIMEOUT_S)


creates_in_flight = CreatesInFlight()


def require_alive(file: RecordFile, set_id: str = "") -> Record:
    """The record; raises ClusterStopped once the cluster, or that engine set, is being deleted."""
    record = file.read()
    if record is None or record.deleting:
        raise ClusterStopped("The cluster was stopped while it was starting.")
    _require_set(record, set_id)
    return record


def _require_set(record: Record, set_id: str) -> None:
    if set_id and (
        set_id not in record.engine_sets or record.engine_sets[set_id].state == DELETING
    ):
        raise ClusterStopped("The engines were stopped while they were starting.")


@contextmanager
def edited_set(file: RecordFile, set_id: str) -> Iterator[EngineSet]:
    """An engine set of the record, to be changed. Raises ClusterStopped if it is gone."""
    with file.edit() as record:
        _require_set(record, set_id)
        yield record.engine_sets[set_id]


async def create(file: RecordFile, function: Callable[[], T], undo: Callable[[], object]) -> T:
    """One create call, unless the cluster was stopped; raises ClusterStopped then.

    If another process stopped it while the call was under way, that process may have looked for
    the resource before it was there: so it is deleted here.
    """
    require_alive(file)
    result: T = await bridge(creates_in_flight.call, file.path, function)
    try:
        require_alive(file)
    except ClusterStopped:
        await bridge(undo)
        raise
    return result


class Looks:
    """The pauses between looks at something: short at first, then longer and longer."""

    def __init__(self, last_s: float = LAST_LOOK_S) -> None:
        self._pause_s, self._last_s = FIRST_LOOK_S, last_s

    async def pause(self) -> None:
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(self._last_s, self._pause_s * 1.5)


async def create_all(
    api: AzureApi, file: RecordFile, plan: ClusterPlan, requests: list[ResourceRequest]
) -> dict[str, Json]:
    """Create the resources in the order that they depend on each other, else at once.

    Returns what Azure answered for each id, once others could rely on it; the operation's URL of
    the last request, the machine itself, is added to it under "operation".
    """
    if plan.owns_resource_group:
        await create(
            file,
            lambda: api.put_group(plan.resource_group, plan.location, dict(plan.tags)),
            lambda: api.delete_group(plan.resource_group),
        )
    needed = {dependency for request in requests for dependency in request.depends_on}
    tasks: dict[str, asyncio.Task[Json]] = {}

    async def create_one(request: ResourceRequest) -> Json:
        for dependency in request.depends_on:
            await tasks[dependency]
        body, operation = await create(
            file,
            lambda: api.put(request),
            lambda: api.delete(request.id),
        )
        if request.id in needed:
            body = await _settled(api, file, request, body)
        return {**body, "operation": operation}

    async with _cancelling(tasks):
        for request in requests:
            tasks[request.id] = asyncio.ensure_future(create_one(request))
        await asyncio.gather(*tasks.values())
    return {identity: task.result() for identity, task in tasks.items()}


@asynccontextmanager
async def _cancelling(tasks: dict[str, asyncio.Task[Json]]) -> AsyncIterator[None]:
    """Leave no task behind when one of them fails."""
    try:
        yield
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _settled(api: AzureApi, file: RecordFile, request: ResourceRequest, body: Json) -> Json:
    """The resource once it can be referred to. A NIC can at once (azure-mgmt answers Succeeded)."""
    looks = Looks()
    unseen_until = asyncio.get_running_loop().time() + UNSEEN_S
    while True:
        state = body.get("properties", {}).get("provisioningState")
        if state == "Succeeded" and (
            request.type != PUBLIC_IP or body["properties"].get("ipAddress")
        ):
            return body
        if state in ("Failed", "Canceled"):
            raise AzureLauncherError(f"Azure could not create {request.name}: it is {state}.")
        await looks.pause()
        require_alive(file)
        try:
            body = await bridge(api.get, request)
        except RequestRefused as error:
            if error.code != "ResourceNotFound" or asyncio.get_running_loop().time() > unseen_until:
                raise


def controller_addresses(plan: ClusterPlan, answers: dict[str, Json]) -> tuple[str, str]:
    """(where SSH reaches the controller, its private address) from Azure's answers."""
    bodies = {identity.split("/")[-2]: body for identity, body in answers.items()}
    private = nic_address(bodies[NIC.split("/")[1]])
    if not plan.public_ip:
        return private, private
    return str(bodies[PUBLIC_IP.split("/")[1]]["properties"]["ipAddress"]), private


async def watch_operation(api: AzureApi, file: RecordFile, url: str, what: str) -> None:
    """Return never; raise as soon as Azure reports that creating `what` failed."""
    while True:
        await asyncio.sleep(OPERATION_LOOK_S)
        require_alive(file)
        if url and (error := await bridge(api.operation_error, url, f"creating {what}")):
            raise error


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
    for _ in range(WHY_LOOKS):
        if operation and (error := await bridge(api.operation_error, operation, what)):
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

"""Plan -> machines: every request made as soon as what it depends on is there."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from ..errors import AzureLauncherError, ClusterStopped, RequestRefused
from ..plan.cluster_plan import ClusterPlan
from ..plan.requests import ResourceRequest
from ..plan.resource_types import NIC, PUBLIC_IP, VIRTUAL_NETWORK, Json
from ..progress import Progress
from ..record.abort import STOPPED, is_alive, require_alive
from ..record.file import RecordFile
from ..resource_ids import parse_id
from ..resource_manager.answers import nic_address
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.waiting import Looks, until

T = TypeVar("T")
SETTLING_LOOK_S = 0.5  # the rest of the start waits for the network, which takes some seconds
IN_FLIGHT_TIMEOUT_S = 60.0
SETTLING_TIMEOUT_S = 120.0  # recorded networks took 3 s in the median, nine of ten less than 11 s
REGISTERING_TIMEOUT_S = 300.0
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


async def create(file: RecordFile, function: Callable[[], T], undo: Callable[[], object]) -> T:
    """Make one create call, `function`, unless the cluster was stopped; returns its result.

    If another process stops the cluster while the call is under way, that process may have looked
    for the resource before it was there. So `undo` deletes it here, in the thread of the call: this
    task may have been cancelled meanwhile. Raises ClusterStopped in either case.
    """

    def create_or_undo() -> tuple[T, bool]:
        try:
            result = function()
        finally:
            if not (alive := is_alive(file)):
                undo()
        return result, alive

    require_alive(file)
    result, alive = await bridge(creates_in_flight.call, file.path, create_or_undo)
    if not alive:
        raise ClusterStopped(STOPPED)
    created: T = result
    return created


async def create_resource(
    api: AzureApi, file: RecordFile, request: ResourceRequest, progress: Progress
) -> tuple[Json, str]:
    """Ask for a resource; returns what `AzureApi.put` does.

    Registers the resource's provider with the subscription first if Azure says that it is not.
    """

    async def ask() -> tuple[Json, str]:
        return await create(file, lambda: api.put(request), lambda: api.delete(request.id))

    try:
        return await ask()
    except RequestRefused as error:
        if error.code != "MissingSubscriptionRegistration":
            raise
    await _register(api, file, request.type.split("/")[0], progress)
    return await ask()


async def _register(api: AzureApi, file: RecordFile, namespace: str, progress: Progress) -> None:
    async def registered() -> bool:
        require_alive(file)
        return bool(await bridge(api.register, namespace))

    progress.say(f"Registering {namespace} with the subscription, once and for all")
    if not await until(registered, REGISTERING_TIMEOUT_S):
        raise AzureLauncherError(
            f"{namespace} is not registered after {REGISTERING_TIMEOUT_S:.0f} s. `az provider "
            f"show -n {namespace}` shows how far it is; then run `ipcluster start` again."
        )


async def create_group(api: AzureApi, file: RecordFile, plan: ClusterPlan) -> None:
    """Create the cluster's resource group, unless the cluster goes into one that exists."""
    if plan.owns_resource_group:
        await create(
            file,
            lambda: api.put_group(plan.resource_group, plan.location, dict(plan.tags)),
            lambda: api.delete_group(plan.resource_group),
        )


async def create_all(
    api: AzureApi,
    file: RecordFile,
    requests: Sequence[ResourceRequest],
    on_network: Callable[[], None],
    progress: Progress,
) -> dict[str, Json]:
    """Create resources: each as soon as those that it depends on are there, all others at once.

    Calls `on_network` as soon as other machines can be requested in the network. What a request
    depends on and isn't among `requests` is there already.

    Returns, by resource id, the body that Azure answered with; of a resource that others depend on
    the body once they could. The URL of Azure's report on the creation is added as "operation".
    """
    if all(request.type != VIRTUAL_NETWORK for request in requests):
        on_network()
    needed = {dependency for request in requests for dependency in request.depends_on}
    tasks: dict[str, asyncio.Task[Json]] = {}

    async def create_one(request: ResourceRequest) -> Json:
        for dependency in tasks.keys() & set(request.depends_on):
            await tasks[dependency]
        body, operation = await create_resource(api, file, request, progress)
        if request.id in needed:
            body = await _settled(api, file, request, body)
        if request.type == VIRTUAL_NETWORK:
            on_network()
        return {**body, "operation": operation}

    async with _cancelling(tasks):
        for request in requests:
            tasks[request.id] = asyncio.ensure_future(create_one(request))
        await asyncio.gather(*tasks.values())
    return {identity: task.result() for identity, task in tasks.items()}


@asynccontextmanager
async def _cancelling(tasks: dict[str, asyncio.Task[Json]]) -> AsyncIterator[None]:
    """Cancel the tasks at the end, and wait for theirs: none is left behind when one fails."""
    try:
        yield
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _settled(api: AzureApi, file: RecordFile, request: ResourceRequest, body: Json) -> Json:
    """Return the resource's body once other resources can refer to it; `body` is the PUT's answer.

    A network interface can be referred to at once: Azure answers Succeeded.
    """
    looks = Looks(SETTLING_LOOK_S)
    began = asyncio.get_running_loop().time()
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
        waited_s = asyncio.get_running_loop().time() - began
        if waited_s > SETTLING_TIMEOUT_S:
            raise AzureLauncherError(
                f"Azure has not finished {request.name} within {SETTLING_TIMEOUT_S:.0f} s; it is "
                f"still {state}. Run `ipcluster start` again, or try another location."
            )
        try:
            body = await bridge(api.get, request)
        except RequestRefused as error:
            if error.code != "ResourceNotFound" or waited_s > UNSEEN_S:
                raise


def controller_addresses(plan: ClusterPlan, answers: Mapping[str, Json]) -> tuple[str, str]:
    """(where SSH reaches the controller, its private address) from create_all's answers."""
    bodies = {parse_id(identity).type: body for identity, body in answers.items()}
    private = nic_address(bodies[NIC])
    if not plan.public_ip:
        return private, private
    return str(bodies[PUBLIC_IP]["properties"]["ipAddress"]), private


def note_controller(
    file: RecordFile, plan: ClusterPlan, vm: ResourceRequest, answers: Mapping[str, Json]
) -> str:
    """Write on record where Azure has put the controller's machine; returns where SSH reaches it.

    `answers` are those of create_all.
    """
    host, address = controller_addresses(plan, answers)
    with file.edit() as record:
        controller = record.controller
        controller.vm_id, controller.host, controller.address = vm.id, host, address
        controller.operation = answers[vm.id]["operation"]
        controller.principal_id = (answers[vm.id].get("identity") or {}).get("principalId", "")
    return host

"""Plan -> machines: every request made as soon as what it depends on is there."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from ..errors import AzureLauncherError, RequestRefused
from ..plan.arm_template import NIC, PUBLIC_IP, VIRTUAL_NETWORK, Json
from ..plan.cluster_plan import ClusterPlan
from ..plan.requests import ResourceRequest
from ..progress import Progress
from ..record.abort import is_alive, require_alive
from ..record.file import RecordFile
from ..resource_ids import parse_id
from ..resource_manager.answers import nic_address
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.waiting import Looks

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
    """One create call, unless the cluster was stopped; raises ClusterStopped then.

    If another process stopped it while the call was under way, that process may have looked for
    the resource before it was there. So it is deleted here, in the thread of the call: this task
    may have been cancelled meanwhile.
    """

    def create_or_undo() -> T:
        try:
            return function()
        finally:
            if not is_alive(file):
                undo()

    require_alive(file)
    result: T = await bridge(creates_in_flight.call, file.path, create_or_undo)
    require_alive(file)
    return result


async def create_resource(
    api: AzureApi, file: RecordFile, request: ResourceRequest, progress: Progress
) -> tuple[Json, str]:
    """Ask for a resource, as `AzureApi.put`; registers its provider first if that is missing."""

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
    progress.say(f"Registering {namespace} with the subscription, once and for all")
    looks, deadline = Looks(), asyncio.get_running_loop().time() + REGISTERING_TIMEOUT_S
    while not await bridge(api.register, namespace):
        require_alive(file)
        if asyncio.get_running_loop().time() > deadline:
            raise AzureLauncherError(
                f"{namespace} is not registered after {REGISTERING_TIMEOUT_S:.0f} s. `az provider "
                f"show -n {namespace}` shows how far it is; then run `ipcluster start` again."
            )
        await looks.pause()


async def create_group(api: AzureApi, file: RecordFile, plan: ClusterPlan) -> None:
    """The cluster's resource group, unless it goes into one that exists."""
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
    """Create the resources in the order that they depend on each other, else at once.

    Calls `on_network` as soon as other machines can be requested in the network. What isn't among
    `requests` is there already.

    Returns what Azure answered for each id, once others could rely on it; the operation's URL of
    the last request, the machine itself, is added to it under "operation".
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
    """Leave no task behind when one of them fails."""
    try:
        yield
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _settled(api: AzureApi, file: RecordFile, request: ResourceRequest, body: Json) -> Json:
    """The resource once it can be referred to. A NIC can at once (azure-mgmt answers Succeeded)."""
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
    """(where SSH reaches the controller, its private address) from Azure's answers."""
    bodies = {parse_id(identity).type: body for identity, body in answers.items()}
    private = nic_address(bodies[NIC])
    if not plan.public_ip:
        return private, private
    return str(bodies[PUBLIC_IP]["properties"]["ipAddress"]), private

"""The Resource Manager: with login.py and error_mapping.py all that imports azure.*.

Everything here blocks, and is called through `bridge`: asyncio-based clients can't delete anything
at the interpreter's exit, when executors and new threads are refused. Long-running operations are
never waited for (`polling=False`): the SDK would look every 30 s, provision.py looks more often.
"""

import asyncio
import functools
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from azure.core.exceptions import HttpResponseError, IncompleteReadError, ResourceNotFoundError
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.mgmt.resource.resources import ResourceManagementClient

from ..endpoint import Endpoint
from ..plan import arm_template
from ..plan.arm_template import Json
from ..plan.requests import ResourceRequest
from .answers import GONE, MachineState, machine_states, power_state
from .error_mapping import code_of, error_of_code, translated
from .login import credential_for, session_for

T = TypeVar("T")
BROKEN_ANSWERS = 3
QUICK = {"retry_total": 1, "connection_timeout": 3, "read_timeout": 8}
FORCE_DELETION_TYPES = f"{arm_template.VIRTUAL_MACHINE},{arm_template.SCALE_SET}"


async def bridge(function: Callable[..., T], *args: Any) -> T:
    """Run blocking `function` without blocking the loop; inline where no thread can be had."""
    loop = asyncio.get_running_loop()
    try:
        future = loop.run_in_executor(None, functools.partial(function, *args))
    except RuntimeError:  # the interpreter is exiting, and its executors refuse
        return function(*args)
    return await future


class AzureApi:
    """Blocking calls to one subscription; cheap to make, as all share their connections.

    Resources are addressed by id, with the API version that the job file gives: so what is
    submitted is what that says, and the clients of compute and network, which take 0.6 s to
    import, aren't needed.
    """

    def __init__(self, endpoint: Endpoint, subscription_id: str) -> None:
        self.endpoint, self.subscription_id = endpoint, subscription_id
        transport: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 60}
        if endpoint.ca_file:
            transport["connection_verify"] = endpoint.ca_file
        self._arm = ResourceManagementClient(
            credential_for(endpoint),
            subscription_id,
            base_url=endpoint.url,
            credential_scopes=[f"{endpoint.audience}/.default"],
            transport=RequestsTransport(
                session=session_for(endpoint), session_owner=False, **transport
            ),
        )

    def __enter__(self) -> "AzureApi":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._arm.close()

    def group_exists(self, name: str) -> bool:
        """Whether the resource group exists; also tells a wrong subscription by its error."""
        with translated(f"looking for resource group {name}"):
            try:
                self._arm.resource_groups.get(name, **QUICK)
            except ResourceNotFoundError as error:
                if code_of(error) == "ResourceGroupNotFound":
                    return False
                raise
        return True

    def put_group(self, name: str, location: str, tags: dict[str, str]) -> None:
        with translated(f"creating resource group {name}"):
            body: Any = {"location": location, "tags": tags}
            _whole(lambda: self._arm.resource_groups.create_or_update(name, body))

    def put(self, request: ResourceRequest) -> tuple[Json, str]:
        """Ask for a resource; returns its first form and the operation's URL, if there is one."""
        headers: dict[str, str] = {}

        def keep(response: Any) -> None:
            headers.update({k.lower(): v for k, v in response.http_response.headers.items()})

        with translated(f"creating {request.type.split('/')[-1]} {request.name}"):
            poller = _whole(
                lambda: self._arm.resources.begin_create_or_update_by_id(
                    request.id,
                    request.body,
                    api_version=request.api_version,
                    polling=False,
                    raw_response_hook=keep,
                )
            )
            return poller.result().as_dict(), headers.get("azure-asyncoperation", "")

    def get(self, request: ResourceRequest) -> Json:
        with translated(f"looking at {request.type.split('/')[-1]} {request.name}"):
            found = self._arm.resources.get_by_id(request.id, api_version=request.api_version)
            body: Json = found.as_dict()
            return body

    def has_succeeded(self, operation_url: str, doing: str) -> bool:
        """Whether an operation is through; raises the reason why it failed."""
        with translated(doing):
            body = self._get(operation_url)
        if body.get("status") in ("Failed", "Canceled"):
            error = body.get("error") or {}
            message = error.get("message", "no reason given")
            raise error_of_code(error.get("code", ""), message, doing)
        return bool(body.get("status") == "Succeeded")

    def machines(self, group: str, scale_set_id: str) -> list[MachineState]:
        """All machines of a scale set, by name: two lists, however many there are."""
        providers = f"/subscriptions/{self.subscription_id}/resourceGroups/{group}/providers"
        with translated("listing the machines"):
            found = self._list(
                f"{providers}/{arm_template.VIRTUAL_MACHINE}",
                arm_template.COMPUTE_API,
                f"'virtualMachineScaleSet/id' eq '{scale_set_id}'",
            )
            vms = list(found)
            nics = self._list(f"{providers}/{arm_template.NIC}", arm_template.NETWORK_API)
            return machine_states(vms, nics)

    def scale(self, scale_set_id: str, capacity: int) -> str:
        """Ask that a scale set have so many machines; returns the operation's URL."""
        headers: dict[str, str] = {}

        def keep(response: Any) -> None:
            headers.update({k.lower(): v for k, v in response.http_response.headers.items()})

        with translated(f"scaling {scale_set_id.rsplit('/', 1)[-1]} to {capacity} machines"):
            api = arm_template.COMPUTE_API
            sku = self._get(scale_set_id, {"api-version": api})["sku"]
            body: Any = {"sku": {**sku, "capacity": capacity}}
            self._arm.resources.begin_update_by_id(
                scale_set_id, body, api_version=api, polling=False, raw_response_hook=keep
            )
        return headers.get("azure-asyncoperation", "")

    def power_of(self, vm_id: str) -> str:
        """The power state of a machine, such as "running"; "gone" if it is not there any more."""
        query = {"api-version": arm_template.COMPUTE_API, "$expand": "instanceView"}
        with translated(f"looking at {vm_id.rsplit('/', 1)[-1]}"):
            try:
                properties = self._get(vm_id, query)["properties"]
            except HttpResponseError as error:
                if error.status_code == HTTPStatus.NOT_FOUND:
                    return GONE
                raise
        return power_state(properties)

    def register(self, namespace: str) -> bool:
        """Ask that the subscription may use a resource provider; whether it may by now."""
        with translated(f"registering {namespace} (`az provider register -n {namespace}`)"):
            return self._arm.providers.register(namespace).registration_state == "Registered"

    def delete(self, resource_id: str) -> bool:
        """Ask for the deletion of one resource; False if there is nothing to delete."""
        kind, name = kind_and_name(resource_id)
        forced = kind in (arm_template.VIRTUAL_MACHINE, arm_template.SCALE_SET)
        with translated(f"deleting {kind.split('/')[-1]} {name}"):
            try:
                self._arm.resources.begin_delete_by_id(
                    resource_id,
                    api_version=arm_template.api_version(kind),
                    params={"forceDeletion": "true"} if forced else {},
                    polling=False,
                )
            except ResourceNotFoundError:
                return False
        return True

    def exists(self, resource_id: str) -> bool:
        return bool(self.state_of(resource_id))

    def state_of(self, resource_id: str) -> str:
        """Its provisioning state, such as "Deleting"; empty if it is not there (any more)."""
        kind, name = kind_and_name(resource_id)
        api_version = arm_template.api_version(kind)
        with translated(f"looking for {kind.split('/')[-1]} {name}"):
            try:
                found = self._arm.resources.get_by_id(resource_id, api_version=api_version)
            except ResourceNotFoundError:
                return ""
        properties: Json = found.properties or {}
        return str(properties.get("provisioningState") or "unknown")

    def delete_group(self, name: str) -> bool:
        """Ask for the deletion of a group with all that is in it; False if there is none."""
        with translated(f"deleting resource group {name}"):
            try:
                self._arm.resource_groups.begin_delete(
                    name, force_deletion_types=FORCE_DELETION_TYPES, polling=False
                )
            except ResourceNotFoundError:
                return False
            except HttpResponseError as error:
                if code_of(error) != "ResourceGroupBeingDeleted":
                    raise
        return True

    def read(self, path: str, api_version: str, *, doing: str) -> Json:
        """What the subscription has at `path`, which is below it."""
        with translated(doing):
            whole = f"/subscriptions/{self.subscription_id}/{path}"
            return self._get(whole, {"api-version": api_version})

    def listed(self, path: str, api_version: str, filter_: str = "", *, doing: str) -> list[Json]:
        """What a list of the subscription has on all its pages; `path` is below the
        subscription."""
        with translated(doing):
            whole = f"/subscriptions/{self.subscription_id}/{path}"
            return list(self._list(whole, api_version, filter_, **QUICK))

    def act(self, path: str, api_version: str, body: Json, *, doing: str) -> Json:
        """POST to what the subscription has at `path`, which is below it."""
        with translated(doing):
            url = f"/subscriptions/{self.subscription_id}/{path}"
            query = {"api-version": api_version}
            request = HttpRequest("POST", url, params=query, json=body)
            response = self._arm.send_request(request)
            response.raise_for_status()
            answer: Json = response.json()
            return answer

    def _list(
        self, path: str, api_version: str, filter_: str = "", **options: Any
    ) -> Iterator[Json]:
        """What a list has on all its pages."""
        query = {"api-version": api_version, **({"$filter": filter_} if filter_ else {})}
        page = self._get(path, query, **options)
        yield from page["value"]
        while url := page.get("nextLink"):
            page = self._get(url, **options)
            yield from page["value"]

    def _get(self, url: str, query: Mapping[str, str] | None = None, **options: Any) -> Json:
        response = self._arm.send_request(HttpRequest("GET", url, params=query), **options)
        response.raise_for_status()
        body: Json = response.json()
        return body


def kind_and_name(resource_id: str) -> tuple[str, str]:
    """Type and name of what an id names."""
    parts = resource_id.split("/")
    return "/".join(parts[6:8]), parts[8]


def _whole(request: Callable[[], T]) -> T:
    """The answer to a PUT, asked again if it broke off: the SDK's own policies don't do that."""
    for _ in range(BROKEN_ANSWERS):
        try:
            return request()
        except IncompleteReadError:
            continue
    return request()

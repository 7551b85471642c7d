"""What is asked of Microsoft.Compute: machines, scale sets and disks, sizes and quotas.

It is asked through Azure's own client. Dictionaries go out as they are, so that what is submitted
is what the job file says. Every call names its API version: the one given to the client's
constructor is ignored without a word. Importing the client takes some 0.15 s and 15 MB, so it is
imported when it is first used, or a little before, beside something that is waited for: see
`import_beside`.
"""

import functools
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from azure.core.rest import HttpResponse

from ..plan.requests import ResourceRequest
from ..plan.resource_types import COMPUTE_API, DISK, SCALE_SET, VIRTUAL_MACHINE, Json
from ..process import importing
from ..resource_ids import collection_path, group_scope, parse_id, subscription_scope
from .calls import answer_to, items, send

if TYPE_CHECKING:
    from azure.mgmt.compute import ComputeManagementClient

SKUS_API = "2021-07-01"  # the only one that lists them
OPERATIONS = {
    VIRTUAL_MACHINE.lower(): "virtual_machines",
    SCALE_SET.lower(): "virtual_machine_scale_sets",
    DISK.lower(): "disks",
}
FORCED = (VIRTUAL_MACHINE.lower(), SCALE_SET.lower())


def import_beside() -> None:
    """Begin to import the client, in a thread, where something else is going to be waited for."""
    with suppress(RuntimeError):  # the interpreter is exiting, and refuses new threads
        threading.Thread(target=_client_class, name="import-compute", daemon=True).start()


def _client_class() -> "type[ComputeManagementClient]":
    with importing():
        from azure.mgmt.compute import ComputeManagementClient

    return ComputeManagementClient


class ComputeCalls:
    """Asks for machines, scale sets and disks, and for what a location offers."""

    def __init__(self, subscription_id: str, client_options: Mapping[str, Any]) -> None:
        self._subscription_id, self._options = subscription_id, client_options

    @functools.cached_property
    def _client(self) -> "ComputeManagementClient":
        return _client_class()(subscription_id=self._subscription_id, **self._options)

    def close(self) -> None:
        if "_client" in vars(self):
            self._client.close()

    def put(self, request: ResourceRequest) -> HttpResponse:
        return self._call(
            "begin_create_or_update", request.id, request.api_version, request.body, polling=False
        )

    def get(self, resource_id: str, api_version: str) -> HttpResponse:
        return self._call("get", resource_id, api_version)

    def delete(self, resource_id: str, api_version: str) -> None:
        is_forced = parse_id(resource_id).type.lower() in FORCED
        forced = {"force_deletion": True} if is_forced else {}
        self._call("begin_delete", resource_id, api_version, polling=False, **forced)

    def scale(self, scale_set_id: str, capacity: int) -> HttpResponse:
        sku = self.get(scale_set_id, COMPUTE_API).json()["sku"]
        body = {"sku": {**sku, "capacity": capacity}}
        return self._call("begin_update", scale_set_id, COMPUTE_API, body, polling=False)

    def with_instance_view(self, vm_id: str) -> HttpResponse:
        return self._call("get", vm_id, COMPUTE_API, expand="instanceView")

    def machines(self, scale_set_id: str) -> Iterator[Json]:
        """List the machines of a scale set, which lie in its resource group as others do."""
        group = group_scope(self._subscription_id, parse_id(scale_set_id).resource_group)
        path = collection_path(group, VIRTUAL_MACHINE)
        of_set = f"'virtualMachineScaleSet/id' eq '{scale_set_id}'"
        return items(self._client, path, COMPUTE_API, of_set)

    def read(self, path: str, api_version: str, query: Mapping[str, str], **options: Any) -> Any:
        """What there is at a path, as plain data; raises HttpResponseError."""
        return send(self._client, "GET", path, {"api-version": api_version, **query}, **options)

    def skus(self, location: str, **options: Any) -> Iterator[Json]:
        """List the virtual machines' sizes and other products that a location has."""
        only = f"location eq '{location}'"
        return items(self._client, self.path("skus"), SKUS_API, only, **options)

    def usages(self, location: str, **options: Any) -> Iterator[Json]:
        """List the subscription's quotas in a location, and how much of each is used."""
        path = self.path(f"locations/{location}/usages")
        return items(self._client, path, COMPUTE_API, **options)

    def path(self, rest: str) -> str:
        """The path of what Microsoft.Compute has for the subscription, and in no group."""
        scope = subscription_scope(self._subscription_id)
        return collection_path(scope, f"Microsoft.Compute/{rest}")

    def _call(
        self, name: str, resource_id: str, api_version: str, *body: Json, **options: Any
    ) -> HttpResponse:
        """Call an operation of the resource's type, which takes its group, its name and a body."""
        resource = parse_id(resource_id)
        operation = getattr(getattr(self._client, OPERATIONS[resource.type.lower()]), name)
        place = resource.resource_group, resource.name
        return answer_to(operation, *place, *body, api_version=api_version, **options)

"""What Azure's Resource Manager is asked, without changing anything there; api.py has the rest.

Everything here blocks.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.resource.resources import ResourceManagementClient

from ..endpoint import Endpoint
from ..plan import resource_types
from ..plan.requests import ResourceRequest
from ..plan.resource_types import Json
from ..resource_ids import collection_path, group_scope, parse_id, subscription_scope
from .answers import GONE, MachineState, machine_states, power_state
from .calls import CallsById, items, result_of_post, send
from .compute import OPERATIONS, ComputeCalls
from .error_mapping import code_of, error_of_operation, require_absence, translated
from .login import client_options
from .token_claims import login_of

T = TypeVar("T")


class Questions:
    """Blocking questions to one subscription; cheap to make, as all share their connections.

    What belongs to Microsoft.Compute is asked of Azure's own client of it, all else of the generic
    one, which takes resources by id. Every request has the API version that the job file gives.
    """

    def __init__(self, endpoint: Endpoint, subscription_id: str) -> None:
        self.endpoint, self.subscription_id = endpoint, subscription_id
        options = client_options(endpoint, subscription_id)
        self._credential, self._scopes = options["credential"], options["credential_scopes"]
        self._arm = ResourceManagementClient(subscription_id=subscription_id, **options)
        self._by_id = CallsById(self._arm)
        self._compute = ComputeCalls(subscription_id, options)

    def login(self) -> str:
        """Return object id@tenant of the login; empty if its token does not say."""
        with translated("logging in"):
            return login_of(self._credential.get_token(*self._scopes).token)

    def group_exists(self, name: str) -> bool:
        """Return whether a resource group exists. Raises AccessDenied for a wrong subscription, so
        that this is the first thing to ask."""
        with translated(f"looking for resource group {name}"):
            try:
                self._arm.resource_groups.get(name)
            except ResourceNotFoundError as error:
                if code_of(error) != "ResourceGroupNotFound":
                    raise
                return False
        return True

    def get(self, request: ResourceRequest) -> Json:
        """Return the resource that a request asked for, as it is by now."""
        with translated(f"looking at {in_words(request.id)}"):
            body: Json = self._calls(request.id).get(request.id, request.api_version).json()
        return body

    def has_succeeded(self, operation_url: str, doing: str) -> bool:
        """Return whether a long-running operation has ended well; raises why it has failed.

        `doing`: what the operation does, in words for the user, such as "creating machines".
        """
        with translated(doing):
            body = send(self._arm, "GET", operation_url)
        if body.get("status") in ("Failed", "Canceled"):
            raise error_of_operation(body.get("error") or {}, doing)
        return bool(body.get("status") == "Succeeded")

    def machines(self, scale_set_id: str) -> list[MachineState]:
        """List all machines of a scale set, by name, in two requests however many there are."""
        group = group_scope(self.subscription_id, parse_id(scale_set_id).resource_group)
        nics = collection_path(group, resource_types.NIC)
        with translated("listing the machines"):
            # in this order, so that a machine which is new has its interface among them
            found = list(self._compute.machines(scale_set_id))
            return machine_states(found, items(self._arm, nics, resource_types.NETWORK_API))

    def power_of(self, vm_id: str) -> str:
        """Return a machine's power state, such as "running"; "gone" if it isn't there any more."""
        with translated(f"looking at {in_words(vm_id)}"):
            found = _or_none(lambda: self._compute.with_instance_view(vm_id).json())
        return GONE if found is None else power_state(found["properties"])

    def skus(self, location: str) -> list[Json]:
        """List what Azure offers in a location: sizes of virtual machines, and other things."""
        with translated(f"listing the VM sizes of {location}"):
            return list(self._compute.skus(location))

    def compute_path(self, rest: str) -> str:
        """The path of something that Microsoft.Compute has for the subscription in no group."""
        return self._compute.path(rest)

    def compute_at(
        self, path: str, api_version: str, query: Mapping[str, str] | None = None, *, doing: str
    ) -> Any:
        """GET what Microsoft.Compute has at a path, an id among them; None if nothing is there."""
        with translated(doing):
            return _or_none(lambda: self._compute.read(path, api_version, query or {}))

    def usages(self, location: str) -> list[Json]:
        """List the subscription's quotas in a location, and how much of each is used."""
        with translated(f"reading the quotas of {location}"):
            return list(self._compute.usages(location))

    def exists(self, resource_id: str) -> bool:
        """Return whether a resource is there, in whatever state."""
        return bool(self.state_of(resource_id))

    def state_of(self, resource_id: str) -> str:
        """Return a resource's provisioning state, such as "Deleting"; empty if it isn't there."""
        version = resource_types.api_version(parse_id(resource_id).type)
        with translated(f"looking for {in_words(resource_id)}"):
            found = _or_none(lambda: self._calls(resource_id).get(resource_id, version).json())
        if found is None:
            return ""
        return str((found.get("properties") or {}).get("provisioningState") or "unknown")

    def read(self, path: str, api_version: str, *, doing: str) -> Json:
        """GET what the subscription has at `path`, which is relative to the subscription's."""
        with translated(doing):
            return send(self._arm, "GET", self._below(path), {"api-version": api_version})

    def find(self, resource_id: str, *, doing: str) -> Json | None:
        """GET a resource as it is, in short time; None if there is none."""
        query = {"api-version": resource_types.api_version(parse_id(resource_id).type)}
        with translated(doing):
            return _or_none(lambda: send(self._arm, "GET", resource_id, query, None))

    def effective_rules(self, nic_id: str, timeout_s: float) -> list[Json]:
        """List the security groups in effect on a network interface, with all their rules.

        Azure takes some seconds to put them together. Raises EndpointUnreachable after `timeout_s`.
        """
        url = f"{nic_id}/effectiveNetworkSecurityGroups"
        query = {"api-version": resource_types.NETWORK_API}
        with translated("reading the security rules in effect"):
            found: list[Json] = result_of_post(self._arm, url, query, timeout_s)["value"]
        return found

    def boot_log_url(self, vm_id: str, timeout_s: float) -> str:
        """Return where the serial log of a machine can be read for some minutes, without a login.

        Raises RequestRefused if the machine has no boot diagnostics.
        """
        query = {"api-version": resource_types.COMPUTE_API, "sasUriExpirationTimeInMinutes": "5"}
        options: Json = {"retry_total": 0, "connection_timeout": 3, "read_timeout": timeout_s}
        url = f"{vm_id}/retrieveBootDiagnosticsData"
        with translated(f"asking for the serial log of {in_words(vm_id)}"):
            return str(
                send(self._arm, "POST", url, query, None, **options)["serialConsoleLogBlobUri"]
            )

    def listed(
        self, path: str, api_version: str, filter_: str = "", expand: str = "", *, doing: str
    ) -> list[Json]:
        """GET all pages of a list; `path` is relative to the subscription's.

        `expand`: what its items are to say besides, such as "provisioningState".
        """
        with translated(doing):
            return list(items(self._arm, self._below(path), api_version, filter_, expand))

    def _below(self, path: str) -> str:
        return f"{subscription_scope(self.subscription_id)}/{path}"

    def _calls(self, resource_id: str) -> CallsById | ComputeCalls:
        is_of_compute = parse_id(resource_id).type.lower() in OPERATIONS
        return self._compute if is_of_compute else self._by_id


def _or_none(ask: Callable[[], T]) -> T | None:
    """Return what is answered, None if that is: there is no such resource."""
    try:
        return ask()
    except HttpResponseError as error:
        require_absence(error)
        return None


def in_words(resource_id: str) -> str:
    """Type and name, such as "virtualMachines ipp-azure-12ab34cd-controller"."""
    resource = parse_id(resource_id)
    return f"{resource.type.split('/')[-1]} {resource.name}"

"""The Resource Manager: with azure_errors.py the only module that imports azure.*.

Everything here blocks, and is called through `bridge`: asyncio-based clients can't delete anything
at the interpreter's exit, when executors and new threads are refused. Long-running operations are
never waited for (`polling=False`): the SDK would look every 30 s, provision.py looks more often.
"""

import asyncio
import atexit
import functools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from . import template
from .azure_errors import code_of, error_of_code, translate, translated
from .errors import AzureLauncherError, LoginError
from .record import Endpoint

T = TypeVar("T")
LOGIN_TIMEOUT_S = 8.0
CONNECTIONS = 16
BROKEN_ANSWERS = 3
QUICK = {"retry_total": 1, "connection_timeout": 3, "read_timeout": 8}
FORCE_DELETION_TYPES = f"{template.VIRTUAL_MACHINE},{template.SCALE_SET}"
AUTHORITIES = {  # of the sovereign clouds; everywhere else azure-identity's own default is right
    "https://management.usgovcloudapi.net": "https://login.microsoftonline.us",
    "https://management.chinacloudapi.cn": "https://login.chinacloudapi.cn",
}


async def bridge(function: Callable[..., T], *args: Any) -> T:
    """Run blocking `function` without blocking the loop; inline where no thread can be had."""
    loop = asyncio.get_running_loop()
    try:
        future = loop.run_in_executor(None, functools.partial(function, *args))
    except RuntimeError:  # the interpreter is exiting, and its executors refuse
        return function(*args)
    return await future


@dataclass(frozen=True)
class SizeOffer:
    """What the subscription may do with a VM size in a location; `refused` is empty if it may."""

    vcpus: int
    refused: str = ""


@dataclass(frozen=True)
class MachineState:
    """A machine of a scale set as Azure sees it; the address is empty until its NIC exists."""

    name: str
    address: str
    provisioning_state: str


class FileToken:
    """The emulator's credential: a bearer token in a file that only this user can read."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        try:
            token = self._path.read_text(encoding="ascii").strip()
        except OSError as error:
            raise ClientAuthenticationError(f"can't read the emulator's token: {error}") from error
        return AccessToken(token, 2**31)


@functools.lru_cache
def _credential(url: str, token_file: str) -> TokenCredential:
    """One for each endpoint and process: finding one may start `az`, which takes a second."""
    if token_file:
        return FileToken(token_file)
    from azure.identity import DefaultAzureCredential

    # a warning for each kind of login that isn't there would bury the one line that matters
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
    authority = {"authority": AUTHORITIES[url]} if url in AUTHORITIES else {}
    return DefaultAzureCredential(process_timeout=int(LOGIN_TIMEOUT_S), **authority)


@functools.lru_cache
def _session(url: str, *, trust_env: bool) -> requests.Session:
    """One for each endpoint and process: opening a TLS connection takes three round trips."""
    session = requests.Session()
    session.trust_env = trust_env
    # the SDK's own policies retry; create_all asks for several things at once
    never = Retry(total=False, redirect=False, raise_on_status=False)
    session.mount("https://", HTTPAdapter(max_retries=never, pool_maxsize=CONNECTIONS))
    atexit.register(session.close)
    return session


class AzureApi:
    """Blocking calls to one subscription; cheap to make, as all share their connections."""

    def __init__(self, endpoint: Endpoint, subscription_id: str) -> None:
        self.endpoint, self.subscription_id = endpoint, subscription_id
        transport: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 60}
        if endpoint.ca_file:
            transport["connection_verify"] = endpoint.ca_file
        # the emulator listens on the loopback, where no proxy leads
        session = _session(endpoint.url, trust_env=not endpoint.ca_file)
        options: dict[str, Any] = {
            "base_url": endpoint.url,
            "credential_scopes": [f"{endpoint.audience}/.default"],
            "transport": RequestsTransport(session=session, session_owner=False, **transport),
        }
        credential = _credential(endpoint.url, endpoint.token_file)
        self.resources = ResourceManagementClient(credential, subscription_id, **options)
        self.compute = ComputeManagementClient(credential, subscription_id, **options)
        self.network = NetworkManagementClient(credential, subscription_id, **options)
        self._operations: dict[str, Any] = {
            template.NSG: self.network.network_security_groups,
            template.PUBLIC_IP: self.network.public_ip_addresses,
            template.VIRTUAL_NETWORK: self.network.virtual_networks,
            template.NIC: self.network.network_interfaces,
            template.VIRTUAL_MACHINE: self.compute.virtual_machines,
            template.SCALE_SET: self.compute.virtual_machine_scale_sets,
        }

    def __enter__(self) -> "AzureApi":
        return self

    def __exit__(self, *exc_info: object) -> None:
        for client in (self.resources, self.compute, self.network):
            client.close()

    def check_login(self) -> None:
        """Raise LoginError within LOGIN_TIMEOUT_S seconds unless a token can be had."""
        scope = f"{self.endpoint.audience}/.default"
        credential = _credential(self.endpoint.url, self.endpoint.token_file)
        outcome: list[BaseException | None] = []

        def attempt() -> None:
            try:
                credential.get_token(scope)
                outcome.append(None)
            except BaseException as error:
                outcome.append(error)

        # some kinds of login wait for a network that isn't there, and have no time limit
        thread = threading.Thread(target=attempt, daemon=True, name="azure-login")
        thread.start()
        thread.join(LOGIN_TIMEOUT_S)
        if not outcome:
            raise LoginError(
                f"The login to Azure did not answer within {LOGIN_TIMEOUT_S:.0f} s. Run `az login`."
            )
        if outcome[0] is not None:
            raise translate(outcome[0], "logging in") from outcome[0]

    def group_exists(self, name: str) -> bool:
        """Whether the resource group exists; also tells a wrong subscription by its error."""
        with translated(f"looking for resource group {name}"):
            try:
                self.resources.resource_groups.get(name, **QUICK)
            except ResourceNotFoundError as error:
                if code_of(error) == "ResourceGroupNotFound":
                    return False
                raise
        return True

    def sizes(self, location: str) -> dict[str, SizeOffer]:
        """VM sizes of a location by lower-case name. Several MB from Azure: cache it."""
        with translated(f"listing the VM sizes of {location}"):
            skus = self.compute.resource_skus.list(filter=f"location eq '{location}'")
            return {
                sku["name"].lower(): _offer(sku)
                for sku in (item.as_dict() for item in skus)
                if sku.get("resourceType") == "virtualMachines"
            }

    def put_group(self, name: str, location: str, tags: dict[str, str]) -> None:
        with translated(f"creating resource group {name}"):
            body: Any = {"location": location, "tags": tags}
            _whole(lambda: self.resources.resource_groups.create_or_update(name, body))

    def put(self, group: str, request: template.ResourceRequest) -> tuple[template.Json, str]:
        """Ask for a resource; returns its first form and the operation's URL, if there is one."""
        headers: dict[str, str] = {}

        def keep(response: Any) -> None:
            headers.update({k.lower(): v for k, v in response.http_response.headers.items()})

        with translated(f"creating {request.type.split('/')[-1]} {request.name}"):
            create = self._operations[request.type].begin_create_or_update
            poller = _whole(
                lambda: create(
                    group, request.name, request.body, polling=False, raw_response_hook=keep
                )
            )
            return poller.result().as_dict(), headers.get("azure-asyncoperation", "")

    def get(self, group: str, request: template.ResourceRequest) -> template.Json:
        with translated(f"looking at {request.type.split('/')[-1]} {request.name}"):
            body: template.Json = self._operations[request.type].get(group, request.name).as_dict()
            return body

    def operation_error(self, url: str, doing: str) -> AzureLauncherError | None:
        """The reason why an operation failed, or None while it goes on or when it succeeded."""
        with translated(doing):
            response = self.resources.send_request(HttpRequest("GET", url))
            response.raise_for_status()
            body = response.json()
        if body.get("status") not in ("Failed", "Canceled"):
            return None
        error = body.get("error") or {}
        return error_of_code(error.get("code", ""), error.get("message", "no reason given"), doing)

    def machines(self, group: str, scale_set_id: str) -> list[MachineState]:
        """All machines of a scale set, by name: two calls, however many there are."""
        with translated("listing the machines"):
            vms = self.compute.virtual_machines.list(
                group, filter=f"'virtualMachineScaleSet/id' eq '{scale_set_id}'"
            )
            found = [vm.as_dict() for vm in vms]
            nics = [nic.as_dict() for nic in self.network.network_interfaces.list(group)]
        addresses = {nic["id"].lower(): nic_address(nic) for nic in nics}
        return sorted(
            (_machine_state(vm, addresses) for vm in found), key=lambda machine: machine.name
        )

    def delete(self, resource_id: str) -> bool:
        """Ask for the deletion of one resource; False if there is nothing to delete."""
        parts = resource_id.split("/")
        group, kind, name = parts[4], "/".join(parts[6:8]), parts[8]
        options: dict[str, Any] = {"polling": False}
        if kind in (template.VIRTUAL_MACHINE, template.SCALE_SET):
            options["force_deletion"] = True
        with translated(f"deleting {parts[7]} {name}"):
            try:
                self._operations[kind].begin_delete(group, name, **options)
            except ResourceNotFoundError:
                return False
        return True

    def exists(self, resource_id: str) -> bool:
        parts = resource_id.split("/")
        group, kind, name = parts[4], "/".join(parts[6:8]), parts[8]
        with translated(f"looking for {parts[7]} {name}"):
            try:
                self._operations[kind].get(group, name)
            except ResourceNotFoundError:
                return False
        return True

    def delete_group(self, name: str) -> bool:
        """Ask for the deletion of a group with all that is in it; False if there is none."""
        with translated(f"deleting resource group {name}"):
            try:
                self.resources.resource_groups.begin_delete(
                    name, force_deletion_types=FORCE_DELETION_TYPES, polling=False
                )
            except ResourceNotFoundError:
                return False
            except HttpResponseError as error:
                if code_of(error) != "ResourceGroupBeingDeleted":
                    raise
        return True


def _whole(request: Callable[[], T]) -> T:
    """The answer to a PUT, asked again if it broke off: the SDK's own policies don't do that."""
    for _ in range(BROKEN_ANSWERS):
        try:
            return request()
        except IncompleteReadError:
            continue
    return request()


def nic_address(nic: template.Json) -> str:
    """The private address of a network interface, or an empty string while it has none."""
    configurations = nic.get("properties", {}).get("ipConfigurations") or [{}]
    return str(configurations[0].get("properties", {}).get("privateIPAddress") or "")


def _machine_state(vm: template.Json, addresses: dict[str, str]) -> MachineState:
    properties = vm.get("properties", {})
    references = properties.get("networkProfile", {}).get("networkInterfaces") or []
    address = addresses.get(references[0]["id"].lower(), "") if references else ""
    return MachineState(vm["name"], address, properties.get("provisioningState", ""))


def _offer(sku: template.Json) -> SizeOffer:
    capabilities = {item["name"]: item["value"] for item in sku.get("capabilities", ())}
    refused = next(
        (
            item.get("reasonCode", "restricted")
            for item in sku.get("restrictions", ())
            if item.get("type") == "Location"
        ),
        "",
    )
    vcpus = capabilities.get("vCPUsAvailable") or capabilities.get("vCPUs") or 1
    return SizeOffer(int(vcpus), refused)

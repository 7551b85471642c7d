"""What is asked of Azure, read off the wire: the real SDK, with canned answers to its requests."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.errors import (
    AzureLauncherError,
    CapacityUnavailable,
    QuotaExceeded,
    RequestRefused,
)
from ipcluster_azure.plan.arm_template import controller_template, engine_set_template
from ipcluster_azure.plan.requests import ResourceRequest
from ipcluster_azure.plan.requests import requests as planned_requests
from ipcluster_azure.plan.resource_types import (
    COMPUTE_API,
    DISK,
    DISKS_API,
    NETWORK_API,
    NIC,
    SCALE_SET,
    VIRTUAL_MACHINE,
)
from ipcluster_azure.resource_ids import group_scope, resource_id
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.resource_manager.compute import SKUS_API
from ipcluster_azure.resource_manager.login import session_for

from ..plans import CLUSTER, ENGINES

URL = "https://management.test"
SUBSCRIPTION = f"/subscriptions/{CLUSTER.subscription_id}"
GROUP = group_scope(CLUSTER.subscription_id, "group")
VM = resource_id(GROUP, VIRTUAL_MACHINE, "vm")
SET = resource_id(GROUP, SCALE_SET, "set")
OPERATION = f"{URL}{SUBSCRIPTION}/providers/Microsoft.Compute/locations/eastus/operations/1"
COMPUTE_CLIENT, GENERIC_CLIENT = "azsdk-python-mgmt-compute/", "azsdk-python-mgmt-resource/"
IN_USE = {"code": "OperationNotAllowed", "message": "exceeding approved Cores quota."}


class Wire(HTTPAdapter):
    """Answers in Azure's place, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[requests.PreparedRequest] = []
        self.status, self.body, self.headers = 200, dict[str, Any](), dict[str, str]()

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        self.asked.append(request)
        headers = {"Content-Type": "application/json", **self.headers}
        body = io.BytesIO(json.dumps(self.body).encode())
        raw = HTTPResponse(body, headers, self.status, preload_content=False)
        return self.build_response(request, raw)

    def answer(self, status: int, body: dict[str, Any], **headers: str) -> None:
        self.status, self.body, self.headers = status, body, headers

    @property
    def seen(self) -> list[tuple[str, str, dict[str, str]]]:
        """Method, path and query of each request."""
        return [_seen(request) for request in self.asked]


def _seen(request: requests.PreparedRequest) -> tuple[str, str, dict[str, str]]:
    url = urlsplit(str(request.url))
    query = {name: value for name, (value,) in parse_qs(url.query).items()}
    return str(request.method), url.path, query


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    session, wire = session_for(_endpoint(tmp_path)), Wire()
    session.mount(URL, wire)
    yield wire
    del session.adapters[URL]


@pytest.fixture
def api(wire: Wire, tmp_path: Path) -> Iterator[AzureApi]:
    (tmp_path / "token").write_text("secret")
    with AzureApi(_endpoint(tmp_path), CLUSTER.subscription_id) as api:
        yield api


def _endpoint(folder: Path) -> Endpoint:
    return Endpoint(URL, "audience", token_file=str(folder / "token"))


def _machines_of_the_job_files() -> list[ResourceRequest]:
    templates = controller_template(CLUSTER), engine_set_template(CLUSTER, ENGINES)
    parameters = {"sshPublicKey": "ssh-ed25519 AAAA", "customData": "I2Nsb3Vk"}
    return [
        request
        for template in templates
        for request in planned_requests(template, parameters, CLUSTER)
        if request.type in (VIRTUAL_MACHINE, SCALE_SET)
    ]


@pytest.mark.parametrize("request_", _machines_of_the_job_files(), ids=lambda item: item.type)
def test_what_is_submitted_is_what_the_job_file_says(
    api: AzureApi, wire: Wire, request_: ResourceRequest
) -> None:
    first = {"id": request_.id, "properties": {"provisioningState": "Creating"}, "unknown": 1}
    wire.answer(201, first, **{"Azure-AsyncOperation": OPERATION})
    assert api.put(request_) == (first, OPERATION)
    (asked,) = wire.asked
    assert _seen(asked) == ("PUT", request_.id, {"api-version": COMPUTE_API})
    assert json.loads(asked.body or "") == request_.body
    assert COMPUTE_CLIENT in asked.headers["User-Agent"]


def test_an_answer_without_an_operation(api: AzureApi, wire: Wire) -> None:
    assert api.put(_machines_of_the_job_files()[0]) == ({}, "")
    assert len(wire.asked) == 1  # nobody has waited for the machine


def _request(type_: str, version: str) -> ResourceRequest:
    return ResourceRequest(type_, "x", resource_id(GROUP, type_, "x"), version, (), {"a": None})


OF_COMPUTE: dict[str, tuple[Callable[[AzureApi], object], str, str, dict[str, str]]] = {
    "get a machine": (
        lambda api: api.get(_request(VIRTUAL_MACHINE, COMPUTE_API)),
        "GET", resource_id(GROUP, VIRTUAL_MACHINE, "x"), {"api-version": COMPUTE_API},
    ),
    "power": (
        lambda api: api.power_of(VM),
        "GET", VM, {"api-version": COMPUTE_API, "$expand": "instanceView"},
    ),
    "delete a machine": (
        lambda api: api.delete(VM),
        "DELETE", VM, {"api-version": COMPUTE_API, "forceDeletion": "true"},
    ),
    "delete a machine of a list": (
        lambda api: api.delete(VM.replace(VIRTUAL_MACHINE, VIRTUAL_MACHINE.lower())),
        "DELETE", VM, {"api-version": COMPUTE_API, "forceDeletion": "true"},
    ),
    "delete a scale set": (
        lambda api: api.delete(SET),
        "DELETE", SET, {"api-version": COMPUTE_API, "forceDeletion": "true"},
    ),
    "put a disk": (
        lambda api: api.put(_request(DISK, DISKS_API)),
        "PUT", resource_id(GROUP, DISK, "x"), {"api-version": DISKS_API},
    ),
    "delete a disk": (
        lambda api: api.delete(resource_id(GROUP, DISK, "x")),
        "DELETE", resource_id(GROUP, DISK, "x"), {"api-version": DISKS_API},
    ),
    "see whether a machine is there": (
        lambda api: api.exists(VM), "GET", VM, {"api-version": COMPUTE_API},
    ),
    "see whether a disk is there": (
        lambda api: api.exists(resource_id(GROUP, DISK, "x")),
        "GET", resource_id(GROUP, DISK, "x"), {"api-version": DISKS_API},
    ),
    "sizes": (
        lambda api: api.skus("eastus"),
        "GET", f"{SUBSCRIPTION}/providers/Microsoft.Compute/skus",
        {"api-version": SKUS_API, "$filter": "location eq 'eastus'"},
    ),
    "quotas": (
        lambda api: api.usages("eastus"),
        "GET", f"{SUBSCRIPTION}/providers/Microsoft.Compute/locations/eastus/usages",
        {"api-version": COMPUTE_API},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", OF_COMPUTE)
def test_compute_is_asked_in_the_version_of_the_job_file(
    api: AzureApi, wire: Wire, what: str
) -> None:
    ask, method, path, query = OF_COMPUTE[what]
    wire.answer(200, {"value": [], "properties": {"instanceView": {}}})
    ask(api)
    assert wire.seen == [(method, path, query)]
    assert COMPUTE_CLIENT in wire.asked[0].headers["User-Agent"]


def test_only_the_capacity_of_a_scale_set_is_changed(api: AzureApi, wire: Wire) -> None:
    sku = {"name": "Standard_D4s_v5", "tier": "Standard", "capacity": 2}
    wire.answer(200, {"sku": sku, "properties": {}}, **{"Azure-AsyncOperation": OPERATION})
    assert api.scale(SET, 5) == OPERATION
    version = {"api-version": COMPUTE_API}
    assert wire.seen == [("GET", SET, version), ("PATCH", SET, version)]
    assert json.loads(wire.asked[1].body or "") == {"sku": {**sku, "capacity": 5}}


OF_THE_REST: dict[str, tuple[Callable[[AzureApi], object], str, dict[str, str]]] = {
    "put an interface": (
        lambda api: api.put(_request(NIC, NETWORK_API)),
        resource_id(GROUP, NIC, "x"), {"api-version": NETWORK_API},
    ),
    "delete an interface": (
        lambda api: api.delete(resource_id(GROUP, NIC, "x")),
        resource_id(GROUP, NIC, "x"), {"api-version": NETWORK_API},
    ),
    "delete a part of a machine": (
        lambda api: api.delete(f"{VM}/extensions/x"),
        f"{VM}/extensions/x", {"api-version": COMPUTE_API},
    ),
    "see whether an interface is there": (
        lambda api: api.exists(resource_id(GROUP, NIC, "x")),
        resource_id(GROUP, NIC, "x"), {"api-version": NETWORK_API},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", OF_THE_REST)
def test_the_generic_client_is_asked_by_id(api: AzureApi, wire: Wire, what: str) -> None:
    ask, path, query = OF_THE_REST[what]
    ask(api)
    assert [item[1:] for item in wire.seen] == [(path, query)]
    assert GENERIC_CLIENT in wire.asked[0].headers["User-Agent"]


def test_the_machines_of_a_set_are_two_lists(api: AzureApi, wire: Wire) -> None:
    wire.answer(200, {"value": []})
    assert api.machines(SET) == []
    chosen = f"'virtualMachineScaleSet/id' eq '{SET}'"
    assert wire.seen == [
        (
            "GET",
            f"{GROUP}/providers/{VIRTUAL_MACHINE}",
            {"api-version": COMPUTE_API, "$filter": chosen},
        ),
        ("GET", f"{GROUP}/providers/{NIC}", {"api-version": NETWORK_API}),
    ]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (IN_USE, QuotaExceeded),
        ({"code": "SkuNotAvailable", "message": "not available"}, CapacityUnavailable),
        ({"code": "PropertyChangeNotAllowed", "message": "no"}, RequestRefused),
    ],
)
def test_what_compute_refuses(
    api: AzureApi, wire: Wire, error: dict[str, str], expected: type[AzureLauncherError]
) -> None:
    wire.answer(409, {"error": error})
    with pytest.raises(expected, match=f"creating virtualMachines .*{error['code']}"):
        api.put(_machines_of_the_job_files()[0])
    with pytest.raises(expected, match=r"the capacity of virtualMachineScaleSets set to 2: "):
        api.scale(SET, 2)
    with pytest.raises(expected, match=r"deleting virtualMachineScaleSets set: "):
        api.delete(SET)


def test_what_is_not_there(api: AzureApi, wire: Wire) -> None:
    wire.answer(404, {"error": {"code": "ResourceNotFound", "message": "was not found"}})
    assert api.power_of(VM) == "gone"
    assert api.delete(VM) is False
    assert api.state_of(VM) == ""

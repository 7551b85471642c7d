"""What ARM's front door does with any request."""

from __future__ import annotations

import copy
import re
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError

from azure_emulator.testing import fault, faults

from ..cloud import LOCATION, Cloud, Keys, Site, scale_set_body, ssh_rule, vm_body


def test_a_request_without_the_token_is_refused(arm: Cloud) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer ä"}):
        answer = arm.call("GET", "/resourcegroups", headers=headers)
        assert (answer.status, answer.code) == (401, "AuthenticationFailed")
        assert "www-authenticate" in answer.headers


def test_the_control_routes_need_the_token_too(arm: Cloud) -> None:
    for method, path in (("GET", "status"), ("GET", "offer"), ("POST", "stop"), ("POST", "reset")):
        answer = arm.call(method, f"/emulator/{path}", headers={}, version=None)
        assert answer.status == 401


def test_the_sdk_sees_a_wrong_token_as_an_authentication_error(arm: Cloud) -> None:
    group = arm.resource.resource_groups
    with pytest.raises(ClientAuthenticationError):
        group.get("x", headers={"Authorization": "Bearer no"}, raw_request_hook=_spoil)


def _spoil(request: object) -> None:
    request.http_request.headers["Authorization"] = "Bearer no"  # type: ignore[attr-defined]


def test_api_version_is_needed(arm: Cloud) -> None:
    answer = arm.call("GET", "/resourcegroups", version=None)
    assert (answer.status, answer.code) == (400, "MissingApiVersionParameter")


def test_another_subscription_is_not_found(arm: Cloud) -> None:
    answer = arm.call("GET", "/subscriptions/11111111-2222-3333-4444-555555555555")
    assert (answer.status, answer.code) == (404, "SubscriptionNotFound")
    assert arm.call("GET", "").body["state"] == "Enabled"


def test_every_answer_has_arms_headers(arm: Cloud, site: Site) -> None:
    answer = arm.call("GET", site.path)
    assert answer.headers["x-ms-request-id"] == answer.headers["x-ms-correlation-request-id"]
    assert re.fullmatch(r"[A-Z0-9]+:\d{8}T\d{6}Z:.+", answer.headers["x-ms-routing-request-id"])
    assert "x-ms-ratelimit-remaining-subscription-reads" in answer.headers
    written = arm.call("PUT", site.path, {"location": LOCATION})
    assert "x-ms-ratelimit-remaining-subscription-writes" in written.headers
    missing = arm.call("GET", "/resourceGroups/nowhere")
    assert missing.headers["x-ms-failure-cause"] == "gateway"


def test_paths_are_case_insensitive_and_ids_normal(arm: Cloud, site: Site) -> None:
    site.network()
    upper = site.provider("virtualNetworks", "VNET").replace("resourceGroups", "RESOURCEGROUPS")
    found = arm.call("GET", upper.replace("Microsoft.Network", "microsoft.NETWORK"))
    assert found.body["id"] == f"{site.id}/providers/Microsoft.Network/virtualNetworks/vnet"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (
            "/resourceGroups/{g}/providers/Microsoft.Compute/restorePointCollections/s",
            404,
            "InvalidResourceType",
        ),
        ("/resourceGroups/{g}/providers/Microsoft.Nope/x/y", 404, "InvalidResourceNamespace"),
        (
            "/resourceGroups/{g}/providers/Microsoft.Compute/virtualMachines/x",
            404,
            "ResourceNotFound",
        ),
        (
            "/resourceGroups/none/providers/Microsoft.Compute/virtualMachines/x",
            *(404, "ResourceGroupNotFound"),
        ),
        ("/resourceGroups/none", 404, "ResourceGroupNotFound"),
        ("/nonsense", 404, "NotFound"),
    ],
)
def test_what_does_not_exist(arm: Cloud, site: Site, path: str, status: int, code: str) -> None:
    answer = arm.call("GET", path.format(g=site.group))
    assert (answer.status, answer.code) == (status, code)


def test_a_method_that_is_not_served(arm: Cloud, site: Site) -> None:
    answer = arm.call("POST", site.provider("virtualNetworks", "v"))
    assert (answer.status, answer.code) == (405, "HttpMethodNotAllowed")


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b"[" * 100_000, b"null", b"[]", b'"text"', b"17", b""],
    ids=["cut", "no utf-8", "deep", "null", "list", "text", "number", "empty"],
)
def test_bodies_that_are_no_json_object(arm: Cloud, site: Site, body: bytes) -> None:
    for kind in ("virtualMachines", "virtualNetworks", "virtualMachineScaleSets"):
        answer = arm.call("PUT", site.provider(kind, "x"), body)
        assert (answer.status, answer.code) == (400, "InvalidRequestContent")


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, {"a": {"b": []}}, True, [[1]]])
def test_wrong_types_never_end_in_a_server_error(arm: Cloud, site: Site, value: object) -> None:
    kinds = ("virtualMachines", "virtualMachineScaleSets", "virtualNetworks", "networkInterfaces")
    for kind in (*kinds, "networkSecurityGroups", "publicIPAddresses"):
        for body in (
            {"location": LOCATION, "properties": value},
            {"location": value, "properties": {}},
            {"location": LOCATION, "tags": value, "properties": {}},
        ):
            answer = arm.call("PUT", site.provider(kind, "odd"), body)
            assert answer.status in (200, 201, 400), (kind, body, answer)
            site.delete(kind, "odd")


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of all members and items."""
    parts: Any = value.items() if isinstance(value, dict) else []
    for key, item in enumerate(value) if isinstance(value, list) else parts:
        yield (*here, key)
        yield from paths(item, (*here, key))


ODD = {"empty": "", "surrogate": "\ud800", "object": {}, "list": [None], "large": 2**80}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_no_value_anywhere_ends_in_a_server_error(
    arm: Cloud, site: Site, keys: Keys, odd: object
) -> None:
    subnet = site.network()
    nic = {"ipConfigurations": [{"name": "i", "properties": {"subnet": {"id": subnet}}}]}
    network = {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}],
    }
    for kind, body in (
        ("virtualMachines", vm_body(keys, site.nic("nic", subnet)["id"], customData="eA==")),
        ("virtualMachineScaleSets", scale_set_body(keys, subnet, 1)),
        ("networkInterfaces", {"location": LOCATION, "properties": nic}),
        ("virtualNetworks", {"location": LOCATION, "properties": network}),
        ("networkSecurityGroups", {"properties": {"securityRules": [ssh_rule(22)]}}),
    ):
        for *path, last in paths(body):
            changed = copy.deepcopy(body)
            place: Any = changed
            for part in path:
                place = place[part]
            place[last] = odd
            answer = arm.call("PUT", site.provider(kind, "odd"), changed)
            assert answer.status in (200, 201, 400, 404, 409), (kind, path, last, answer)
            if answer.status in (200, 201):
                arm.wait_for(answer)
                site.deleted(kind, "odd", "?forceDeletion=true")


def test_a_huge_body_is_refused(arm: Cloud, site: Site) -> None:
    answer = arm.call("PUT", site.path, b" " * (5 * 1024 * 1024))
    assert (answer.status, answer.code) == (413, "RequestContentTooLarge")


def test_garbage_instead_of_http_does_no_harm(arm: Cloud) -> None:
    address = urlsplit(arm.info.endpoint)
    context = ssl.create_default_context(cafile=arm.info.ca_file)
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as plain:
        plain.sendall(b"\x00\x01 no TLS\r\n\r\n")
    with (
        socket.create_connection((str(address.hostname), int(address.port or 0))) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"NO HTTP AT ALL\r\n\r\n")
        assert b"400" in secure.recv(4096)
    assert arm.call("GET", "").status == 200


def test_the_certificate_satisfies_strict_checks(arm: Cloud) -> None:
    """Python 3.13 sets VERIFY_X509_STRICT by default."""
    context = ssl.create_default_context(cafile=arm.info.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    port = int(urlsplit(arm.info.endpoint).port or 0)
    for name in ("127.0.0.1", "localhost"):
        with (
            socket.create_connection(("127.0.0.1", port)) as raw,
            context.wrap_socket(raw, server_hostname=name) as secure,
        ):
            assert secure.version()


# Resource groups


def test_a_resource_group_is_made_at_once(arm: Cloud, site: Site) -> None:
    again = arm.call("PUT", site.path, {"location": "East US", "tags": {"a": "b"}})
    assert again.status == 200
    assert again.body == {
        "id": site.id,
        "name": site.group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": LOCATION,
        "tags": {"a": "b"},
        "properties": {"provisioningState": "Succeeded"},
    }
    patched = arm.resource.resource_groups.update(site.group, {"tags": {"c": "d"}})
    assert patched.tags == {"c": "d"}


def test_groups_are_found_by_tag(arm: Cloud, site: Site) -> None:
    arm.call("PUT", site.path, {"location": LOCATION, "tags": {"owner": "o'brien"}})
    groups = arm.resource.resource_groups
    found = groups.list(filter="tagName eq 'Owner' and tagValue eq 'o''brien'")
    assert [group.name for group in found] == [site.group]
    assert not list(groups.list(filter="tagName eq 'owner' and tagValue eq 'other'"))
    bad = arm.call("GET", "/resourcegroups?$filter=nonsense")
    assert (bad.status, bad.code) == (400, "InvalidFilterInQueryString")


@pytest.mark.parametrize("name", ["ends.", "a" * 91, "spa%20ce", "semi;colon"])
def test_group_names(arm: Cloud, name: str) -> None:
    answer = arm.call("PUT", f"/resourceGroups/{name}", {"location": LOCATION})
    assert (answer.status, answer.code) == (400, "InvalidResourceGroup")


def test_group_locations(arm: Cloud, site: Site) -> None:
    for body, code in (
        ({}, "LocationRequired"),
        ({"location": "atlantis"}, "LocationNotAvailableForResourceGroup"),
    ):
        answer = arm.call("PUT", "/resourceGroups/never", body)
        assert (answer.status, answer.code) == (400, code)
    moved = arm.call("PUT", site.path, {"location": "westeurope"})
    assert (moved.status, moved.code) == (409, "InvalidResourceGroupLocation")


def test_deleting_a_group_answers_with_location_alone(arm: Cloud, site: Site) -> None:
    site.network()
    answer = arm.call("DELETE", site.path)
    assert (answer.status, answer.body) == (202, None)
    assert "azure-asyncoperation" not in answer.headers
    assert "/operationresults/" in answer.headers["location"]
    done = arm.call("GET", answer.headers["location"])
    assert (done.status, done.body) == (200, None)
    assert arm.call("HEAD", site.path).status == 404
    assert arm.call("DELETE", site.path).code == "ResourceGroupNotFound"
    with pytest.raises(ResourceNotFoundError):
        arm.resource.resource_groups.get(site.group)


def test_existence_is_head_204(arm: Cloud, site: Site) -> None:
    assert arm.call("HEAD", site.path).status == 204
    assert arm.resource.resource_groups.check_existence(site.group)
    assert not arm.resource.resource_groups.check_existence("nowhere")


def test_resource_lists(arm: Cloud, site: Site) -> None:
    site.made("virtualNetworks", "tagged", _space("10.250.0.0/24"), tags={"k": site.group})
    site.made("virtualNetworks", "plain", _space("10.251.0.0/24"))
    of_group = list(arm.resource.resources.list_by_resource_group(site.group))
    assert sorted(str(item.name) for item in of_group) == ["plain", "tagged"]
    everywhere = arm.resource.resources.list(
        filter=f"tagName eq 'k' and tagValue eq '{site.group}'"
    )
    assert [item.name for item in everywhere] == ["tagged"]


def test_a_list_says_states_if_asked_to(arm: Cloud, site: Site) -> None:
    network = f"{site.path}/providers/Microsoft.Network/virtualNetworks/going"
    site.made("virtualNetworks", "going", _space("10.252.0.0/24"))

    def states(**options: str) -> list[str | None]:
        found = arm.resource.resources.list_by_resource_group(site.group, **options)
        return [item.provisioning_state for item in found]

    assert states() == [None]
    assert states(expand="createdTime,provisioningState") == ["Succeeded"]
    with faults(arm.info, fault("never_ends", method="DELETE", name="going")):
        arm.call("DELETE", network)
        assert states(expand="provisioningState") == ["Deleting"]


def _space(prefix: str) -> dict[str, object]:
    return {"addressSpace": {"addressPrefixes": [prefix]}}


def test_a_provider_is_registered(arm: Cloud) -> None:
    assert arm.resource.providers.get("Microsoft.Compute").registration_state == "Registered"


def test_requests_are_answered_quickly(arm: Cloud, site: Site) -> None:
    began = time.perf_counter()
    for _ in range(20):
        arm.call("GET", site.path)
    assert time.perf_counter() - began < 10  # 0.1 s on an idle computer

"""Limits on the number of requests: always counted, kept to when switched on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from azure_emulator import client
from azure_emulator.testing import restricted, throttling

from ..cloud import LOCATION, Answer, Cloud, Keys, Site, Token, scale_set_body, vm_body
from ..conftest import numbers, running

ARM = "x-ms-ratelimit-remaining-subscription-"
RESOURCE = "x-ms-ratelimit-remaining-resource"


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A virtual clock: nothing is refilled by itself."""
    directory = tmp_path_factory.mktemp("throttled")
    yield from running(directory, machines="none", clock="virtual", seed=1, throttle=True)


@pytest.fixture(autouse=True)
def full(still: Cloud) -> None:
    client.throttle(still.info, on=True)


def prepared(cloud: Cloud, keys: Keys) -> tuple[Site, dict[str, Any]]:
    site = Site(cloud, f"throttled-{next(numbers)}", "10.0.0.0/20")
    space = {"addressPrefixes": [site.prefix]}
    subnets = [{"name": "main", "properties": {"addressPrefix": site.prefix}}]
    vnet = site.put("virtualNetworks", "vnet", {"addressSpace": space, "subnets": subnets})
    subnet = {"id": vnet.body["properties"]["subnets"][0]["id"]}
    configuration = {"name": "primary", "properties": {"subnet": subnet}}
    nic = site.put("networkInterfaces", "nic", {"ipConfigurations": [configuration]})
    return site, vm_body(keys, nic.body["id"])


def left(answer: Answer) -> dict[str, int]:
    """The counts of Compute's header."""
    parts = [part.split(";") for part in answer.headers[RESOURCE].split(",")]
    return {name.removeprefix("Microsoft.Compute/"): int(count) for name, count in parts}


def until_refused(cloud: Cloud, method: str, path: str, body: Any = None) -> tuple[int, Answer]:
    for number in range(2000):
        answer = cloud.call(method, path, body)
        if answer.status == 429:
            return number, answer
    raise AssertionError("never refused")


def test_arms_deletes_and_their_refill(still: Cloud) -> None:
    path = "/resourceGroups/nobody"
    first = still.call("DELETE", path)
    assert first.headers[f"{ARM}deletes"] == "199"
    assert first.headers[f"{ARM}global-deletes"] == "2999"
    number, refused = until_refused(still, "DELETE", path)
    assert number == 199
    assert refused.code == "SubscriptionRequestsThrottled"
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-ms-failure-cause"] == "gateway"
    assert refused.headers[f"{ARM}deletes"] == "0"
    assert "Number of 'delete' requests for subscription" in refused.body["error"]["message"]
    assert still.call("GET", "/resourceGroups").status == 200  # another count
    client.advance(still.info, 2)  # 10 a second
    assert until_refused(still, "DELETE", path)[0] == 20
    client.advance(still.info, 3600)
    assert still.call("DELETE", path).headers[f"{ARM}deletes"] == "199"


def test_each_principal_has_its_own_count(still: Cloud) -> None:
    path = "/resourceGroups/nobody"
    until_refused(still, "DELETE", path)
    other = Cloud(still.info, Token(client.token(still.info, ["*"], object_id="someone-else")))
    answer = other.call("DELETE", path)
    other.close()
    assert answer.status == 404
    assert answer.headers[f"{ARM}deletes"] == "199"
    assert int(answer.headers[f"{ARM}global-deletes"]) == 2799


def test_computes_limit_for_one_machine(still: Cloud, keys: Keys) -> None:
    site, body = prepared(still, keys)
    path = site.provider("virtualMachines", "vm")
    first = still.call("PUT", path, body)
    assert left(first) == {"PutVMSubscriptionMaximum": 1499, "PutVMResource": 11}
    number, refused = until_refused(still, "PUT", path, body)
    assert number == 11
    assert refused.code == "OperationNotAllowed"
    assert "too many requests have been received" in refused.body["error"]["message"]
    (detail,) = refused.body["error"]["details"]
    assert (detail["code"], detail["target"]) == ("TooManyRequests", "PutVMResource")
    inner = json.loads(detail["message"])
    assert inner["operationGroup"] == "PutVMResource"
    assert inner["allowedRequestCount"] == 12
    assert refused.headers["retry-after"] == "15"  # 4 a minute
    other = site.provider("virtualMachines", "other")
    assert still.call("PUT", other, body).code == "NicInUse"  # counted for itself
    client.advance(still.info, 14.9)
    assert still.call("PUT", path, body).status == 429
    client.advance(still.info, 0.2)
    assert still.call("PUT", path, body).status == 200


def test_groups_of_operations_count_apart(still: Cloud, keys: Keys) -> None:
    site, body = prepared(still, keys)
    path = site.provider("virtualMachines", "vm")
    created = still.call("PUT", path, body)
    polled = still.call("GET", created.headers["azure-asyncoperation"])
    assert left(polled) == {"GetOperationSubscriptionMaximum": 14999, "GetOperationResource": 44}
    assert left(still.call("GET", path))["LowCostGetResource"] == 35
    assert left(still.call("GET", path))["LowCostGetResource"] == 34
    assert left(site.get("virtualMachines")) == {"HighCostGetSubscriptionMaximum": 899}
    assert left(still.call("POST", f"{path}/restart"))["UpdateVMResource"] == 11
    assert left(still.call("POST", f"{path}/deallocate"))["DeleteVMResource"] == 11
    assert left(still.call("DELETE", path))["DeleteVMResource"] == 10
    subnet = f"{site.id}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/main"
    path = site.provider("virtualMachineScaleSets", "set")
    made = still.call("PUT", path, scale_set_body(keys, subnet, 1))
    assert left(made)["CreateVMScaleSetSubscriptionMaximum"] == 374
    assert RESOURCE not in site.get("publicIPAddresses").headers
    # Polling one operation too often is refused, and it goes on nevertheless.
    poll = made.headers["azure-asyncoperation"]
    assert until_refused(still, "GET", poll)[0] == 45
    client.advance(still.info, 600)
    assert still.call("GET", poll).body["status"] == "Succeeded"


def test_networks_writes(still: Cloud) -> None:
    site = Site(still, f"throttled-{next(numbers)}", "10.0.0.0/20")
    path, body = site.provider("networkSecurityGroups", "nsg"), {"location": LOCATION}
    sent, answer = 1, still.call("PUT", path, body)
    while answer.status != 429 and sent < 1700:
        if int(answer.headers[f"{ARM}writes"]) == 0:
            client.advance(still.info, 10)  # 100 of ARM's, 33 of Network's
        sent, answer = sent + 1, still.call("PUT", path, body)
    assert answer.code == "TooManyRequests"
    assert 1400 <= sent <= 1550


def test_switched_off_it_only_counts(arm: Cloud) -> None:
    answers = [arm.call("DELETE", "/resourceGroups/nobody") for _ in range(260)]
    assert {answer.status for answer in answers} == {404}
    counts = [int(answer.headers[f"{ARM}deletes"]) for answer in answers]
    assert counts[0] > counts[50] > counts[100]
    shown = arm.call("GET", "/emulator/throttling", version=None).body
    assert shown == {"on": False}


def test_requests_that_are_refused_otherwise_count_too(still: Cloud) -> None:
    with restricted(still.info, []):
        first = still.call("GET", "/resourceGroups")
        second = still.call("GET", "/resourceGroups")
    assert (first.code, second.code) == ("AuthorizationFailed",) * 2
    one, two = (int(answer.headers[f"{ARM}reads"]) for answer in (first, second))
    assert one - two == 1


def test_the_sdk_waits_and_gets_through(
    tmp_path_factory: pytest.TempPathFactory, keys: Keys
) -> None:
    directory = tmp_path_factory.mktemp("fast")
    seen: list[Any] = []
    # One request more is allowed 1.5 s after the last; on a busy computer that may have passed.
    for cloud in running(directory, machines="none", time_scale=0.1, seed=1, throttle=True):
        patient = Cloud(cloud.info, retry_total=3)
        site, body = prepared(cloud, keys)
        arguments: Any = (site.group, "vm", body)
        options: Any = {"polling": False, "raw_response_hook": seen.append}
        for _ in range(100):
            began = time.monotonic()
            patient.compute.virtual_machines.begin_create_or_update(*arguments, **options)
            tries = seen[-1].context.get("history")
            if tries:
                break
        for refused in tries:
            refused.http_response.internal_response.close()  # the SDK leaves it open
        patient.close()
    assert tries[0].http_response.status_code == 429
    assert time.monotonic() - began >= int(tries[0].http_response.headers["Retry-After"])
    assert seen[-1].http_response.status_code == 200


def test_switching_it_on_for_a_while(arm: Cloud) -> None:
    with throttling(arm.info):
        assert arm.call("GET", "/emulator/throttling", version=None).body == {"on": True}
    assert arm.call("GET", "/emulator/throttling", version=None).body == {"on": False}


@pytest.mark.parametrize("wrong", [{}, {"on": "yes"}, {"on": True, "off": False}])
def test_a_wrong_declaration_is_refused(arm: Cloud, wrong: dict[str, Any]) -> None:
    answer = arm.call("POST", "/emulator/throttling", wrong, version=None)
    assert (answer.status, answer.code) == (400, "InvalidParameter")


@pytest.mark.parametrize(
    ("path", "version", "word"),
    [
        ("", "2016-09-01", "writes"),
        ("", "2021-04-01", "deletes"),
        ("/providers/Microsoft.Network/networkInterfaces/nic", "2018-02-01", "writes"),
        ("/providers/Microsoft.Network/networkInterfaces/nic", "2018-04-01", "deletes"),
        ("/providers/Microsoft.Compute/virtualMachines/vm", "2017-12-01", "writes"),
        ("/providers/Microsoft.Compute/virtualMachines/vm", "2026-04-01", "deletes"),
    ],
)
def test_deletions_were_shown_as_writes_once(
    site: Site, path: str, version: str, word: str
) -> None:
    answer = site.cloud.call("DELETE", site.path + path, version=version)
    assert f"x-ms-ratelimit-remaining-subscription-{word}" in answer.headers
    other = {"writes": "deletes", "deletes": "writes"}[word]
    assert f"x-ms-ratelimit-remaining-subscription-{other}" not in answer.headers

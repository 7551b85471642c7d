"""Long lists come in pages, and the SDK as well as the launcher's own code reads them all."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from azure_emulator import client
from azure_emulator.testing import page_size
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.resource_manager.api import AzureApi

from ..cloud import LOCATION, Cloud, Keys, Site, scale_set_body


@pytest.fixture
def five(site: Site, keys: Keys) -> str:
    """A scale set of five; its id."""
    answer = site.cloud.call(
        "PUT", site.provider("virtualMachineScaleSets", "set"),
        scale_set_body(keys, site.network(), 5),
    )  # fmt: skip
    site.cloud.wait_for(answer)
    return str(answer.body["id"])


def test_pages_follow_one_another(arm: Cloud, site: Site) -> None:
    names = [f"ip-{number}" for number in range(5)]
    for name in names:
        site.put("publicIPAddresses", name)
    with page_size(arm.info, 2):
        page = site.get("publicIPAddresses").body
        assert [item["name"] for item in page["value"]] == names[:2]
        second = arm.call("GET", page["nextLink"]).body
        third = arm.call("GET", second["nextLink"]).body
        assert [item["name"] for item in third["value"]] == names[4:]
        assert "nextLink" not in third
        # What is deleted in between moves nothing.
        site.deleted("publicIPAddresses", "ip-0")
        again = arm.call("GET", page["nextLink"]).body
        assert [item["name"] for item in again["value"]] == names[2:4]
        listed = arm.network.public_ip_addresses.list(site.group)
        assert [item.name for item in listed] == names[1:]
    assert "nextLink" not in site.get("publicIPAddresses").body


def test_a_page_of_exactly_all_has_no_next(arm: Cloud, site: Site) -> None:
    for name in ("a", "b"):
        site.put("publicIPAddresses", name)
    with page_size(arm.info, 2):
        assert "nextLink" not in site.get("publicIPAddresses").body


def test_filters_and_expansions_go_with_the_pages(arm: Cloud, site: Site, five: str) -> None:
    chosen = f"'virtualMachineScaleSet/id' eq '{five}'"
    with page_size(arm.info, 2):
        machines = arm.compute.virtual_machines.list(site.group, filter=chosen)
        assert len({vm.name for vm in machines}) == 5
        nothing = f"'virtualMachineScaleSet/id' eq '{five}x'"
        assert list(arm.compute.virtual_machines.list(site.group, filter=nothing)) == []
        listed = arm.compute.virtual_machine_scale_set_vms.list(site.group, "set")
        assert len({vm.name for vm in listed}) == 5
        assert len(list(arm.compute.usage.list(LOCATION))) > 2
        every = arm.resource.resources.list_by_resource_group(site.group)
        assert len(list(every)) == 2 + 5 * 3  # network and set; machine, disk and interface


def test_the_launchers_own_lists_are_whole(arm: Cloud, site: Site, five: str) -> None:
    endpoint = Endpoint(
        arm.info.endpoint, "audience", ca_file=arm.info.ca_file, token_file=arm.info.token_file
    )
    with AzureApi(endpoint, arm.info.subscription_id) as api:
        skus, usages = api.skus(LOCATION), api.usages(LOCATION)
        with page_size(arm.info, 2):
            machines = api.machines(five)
            assert (api.skus(LOCATION), api.usages(LOCATION)) == (skus, usages)
    assert len(machines) == 5
    assert all(machine.address for machine in machines)


def test_top_asks_arm_for_smaller_pages(arm: Cloud, site: Site) -> None:
    for name in ("a", "b", "c"):
        site.put("publicIPAddresses", name)
    page = arm.call("GET", f"{site.path}/resources?$top=2").body
    assert len(page["value"]) == 2
    assert "top=2" in page["nextLink"]
    assert len(arm.call("GET", page["nextLink"]).body["value"]) == 1
    assert len(site.cloud.call("GET", site.provider("publicIPAddresses") + "?$top=1").body["value"]) == 3  # fmt: skip  # noqa: E501


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("$top=0", "InvalidTopInQueryString"),
        ("$top=many", "InvalidTopInQueryString"),
        ("$top=²", "InvalidTopInQueryString"),
        ("$skiptoken=x", "InvalidSkipToken"),
        ("$skiptoken=MTI", "InvalidSkipToken"),
        ("$skiptoken=%C3%A9", "InvalidSkipToken"),
    ],
)
def test_a_wrong_page_is_refused(arm: Cloud, query: str, code: str) -> None:
    answer = arm.call("GET", f"/resourceGroups?{query.replace('²', '%C2%B2')}")
    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize("wrong", [{}, {"page_size": 0}, {"page_size": "2"}])
def test_a_wrong_page_size_is_refused(arm: Cloud, wrong: dict[str, Any]) -> None:
    assert arm.call("POST", "/emulator/paging", wrong, version=None).code == "InvalidParameter"
    client.set_page_size(arm.info, None)
    assert arm.call("GET", "/emulator/paging", version=None).body == {"page_size": 1000}


def test_codes_in_addresses_may_be_anything(arm: Cloud) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 3000).decode().rstrip("=")
    assert arm.call("GET", f"/resourceGroups?$skiptoken={deep}").code == "InvalidSkipToken"
    assert arm.call("GET", f"/operationresults/{deep}").status == 404

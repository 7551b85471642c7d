"""The subscription, its regions, tag names, and resource providers."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from ..cloud import LOCATION, Cloud, Site
from ..conftest import running


@pytest.fixture(scope="module")
def virtual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    yield from running(tmp_path_factory.mktemp("virtual"), machines="none", clock="virtual")


def test_the_subscription_and_its_regions(arm: Cloud) -> None:
    version = "api-version=2021-01-01"
    one = arm.call("GET", f"{arm.subscription}?{version}", version=None).body
    listed = arm.call("GET", f"/subscriptions?{version}", version=None).body
    assert listed == {"value": [one], "count": {"type": "Total", "value": 1}}
    regions = {item["name"]: item for item in arm.call("GET", "/locations").body["value"]}
    assert regions[LOCATION]["displayName"] == "East US"
    assert regions[LOCATION]["metadata"]["pairedRegion"][0]["name"] in regions
    old = arm.call("GET", "/locations", version="2019-06-01").body["value"][0]
    assert "metadata" not in old
    assert "longitude" in old


def test_tag_names(arm: Cloud, site: Site) -> None:
    tag = "/tagNames/colour-of-tests"
    assert arm.call("PUT", tag).status == 201
    assert arm.call("PUT", tag).status == 200
    assert arm.call("PUT", f"{tag}/tagValues/red").body["tagValue"] == "red"
    assert arm.call("PUT", "/tagNames/none/tagValues/red").code == "TagNotFound"
    site.made("networkSecurityGroups", "nsg", tags={"colour-of-tests": "red"})
    listed = {item["tagName"]: item for item in arm.call("GET", "/tagNames").body["value"]}
    assert listed["colour-of-tests"]["values"][0]["count"]["value"] == 1
    for path in (tag, f"{tag}/tagValues/red"):
        assert (arm.call("DELETE", path).status, arm.call("DELETE", path).code) == (409, "TagInUse")
    site.deleted("networkSecurityGroups", "nsg")
    assert arm.call("DELETE", f"{tag}/tagValues/red").status == 200
    assert arm.call("DELETE", tag).status == 200
    assert arm.call("DELETE", tag).status == 204


def test_a_missing_group_has_a_head_of_json(arm: Cloud) -> None:
    answer = arm.call("HEAD", "/resourceGroups/none")
    assert answer.status == 404
    assert answer.headers["x-ms-failure-cause"] == "gateway"
    assert answer.headers["content-type"].startswith("application/json")


def test_providers_are_registered_and_unregistered(virtual: Cloud) -> None:
    provider = "/providers/Microsoft.Batch"
    assert virtual.call("GET", provider).body["registrationState"] == "NotRegistered"
    states = [virtual.call("POST", f"{provider}/register").body["registrationState"]]
    virtual.call("POST", "/emulator/clock", {"advance_s": 60}, version=None)
    states.append(virtual.call("GET", provider).body["registrationState"])
    states.append(virtual.call("POST", f"{provider}/unregister").body["registrationState"])
    virtual.call("POST", "/emulator/clock", {"advance_s": 60}, version=None)
    states.append(virtual.call("GET", provider).body["registrationState"])
    assert states == ["Registering", "Registered", "Unregistering", "Unregistered"]
    names = {item["namespace"] for item in virtual.call("GET", "/providers").body["value"]}
    assert {"Microsoft.Batch", "Microsoft.Compute"} <= names
    unknown = virtual.call("POST", "/providers/Contoso.Nothing/register")
    assert (unknown.status, unknown.code) == (404, "InvalidResourceNamespace")


def test_an_unregistered_provider_makes_nothing(virtual: Cloud) -> None:
    site = Site(virtual, "unregistered", "10.250.0.0/24")
    provider = "/providers/Microsoft.Network"
    virtual.call("POST", f"{provider}/unregister")
    refused = site.put("networkSecurityGroups", "nsg")
    assert (refused.status, refused.code) == (409, "MissingSubscriptionRegistration")
    # The SDK takes the namespace from between the quotes.
    assert refused.body["error"]["message"].split("'")[1] == "Microsoft.Network"
    virtual.call("POST", f"{provider}/register")
    assert site.put("networkSecurityGroups", "nsg").status == 201


def test_filters_of_resources(site: Site) -> None:
    site.made("networkSecurityGroups", "nsg", tags={"Colour": "red"})
    site.made("publicIPAddresses", "pip", sku={"name": "Standard"})
    for text, names in (
        ("name eq 'NSG'", ["nsg"]),
        ("resourceType eq 'Microsoft.Network/publicIPAddresses'", ["pip"]),
        ("substringof('p', name) and location eq 'eastus'", ["pip"]),
        ("name ne 'pip'", ["nsg"]),
        ("tagName eq 'colour'", ["nsg"]),
        ("tagName eq 'colour' and tagValue eq 'red'", ["nsg"]),
        ("tagName eq 'colour' and tagValue eq 'blue'", []),
    ):
        path = f"{site.path}/resources?$filter={quote(text)}"
        assert [item["name"] for item in site.cloud.call("GET", path).body["value"]] == names, text
    for text in ("name", "name eq 'x' and", "size eq 'x'", "tagValue eq 'x'", "name eq 'x' name"):
        answer = site.cloud.call("GET", f"{site.path}/resources?$filter={quote(text)}")
        assert (answer.status, answer.code) == (400, "InvalidFilterInQueryString"), text


@pytest.mark.parametrize(
    "kind",
    [
        *("Network/virtualNetworks", "Network/networkInterfaces", "Network/publicIPAddresses"),
        *("Compute/virtualMachines", "Compute/availabilitySets", "Compute/disks"),
    ],
)
def test_a_list_of_the_subscription_names_the_regions_requests(site: Site, kind: str) -> None:
    name = "x-ms-original-request-ids"
    assert name in site.cloud.call("GET", f"/providers/Microsoft.{kind}").headers
    assert name not in site.cloud.call("GET", f"{site.path}/providers/Microsoft.{kind}").headers


def test_what_is_asked_of_no_subscription_counts_for_the_tenant(arm: Cloud) -> None:
    left = "x-ms-ratelimit-remaining"
    version = "api-version=2021-01-01"
    listed = arm.call("GET", f"/subscriptions?{version}", version=None).headers
    assert f"{left}-tenant-reads" in listed
    assert f"{left}-subscription-reads" not in listed
    one = arm.call("GET", f"{arm.subscription}?{version}", version=None).headers
    assert f"{left}-tenant-reads" not in one


def test_a_resource_without_tags_is_listed_without_them(site: Site) -> None:
    site.made("networkSecurityGroups", "bare", {})
    site.made("networkSecurityGroups", "tagged", {}, tags={})
    listed = site.cloud.call("GET", f"{site.path}/resources").body["value"]
    assert {item["name"]: item.get("tags") for item in listed} == {"bare": None, "tagged": {}}

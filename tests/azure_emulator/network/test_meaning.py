"""Network resources that Azure refuses for what a value means, though its form is right."""

from __future__ import annotations

from typing import Any

import pytest

from ..cloud import Answer, Cloud, Site, ssh_rule


def rules(site: Site, *given: dict[str, Any]) -> Answer:
    return site.put("networkSecurityGroups", "nsg", {"securityRules": list(given)})


def address(site: Site, properties: Any = None, **top: Any) -> Answer:
    sku = {"name": "Standard"}
    given = {"publicIPAllocationMethod": "Static", **(properties or {})}
    return site.put("publicIPAddresses", "ip", given, sku=sku, **top)


def test_two_rules_of_one_name_or_of_one_priority(site: Site) -> None:
    same_name = rules(site, ssh_rule(22), {**ssh_rule(80, priority=1001), "name": "SSH"})
    assert (same_name.status, same_name.code) == (400, "InvalidRequestFormat")
    (detail,) = same_name.body["error"]["details"]
    assert detail["code"] == "DuplicateResourceName"
    same_priority = rules(site, ssh_rule(22), {**ssh_rule(80), "name": "web"})
    assert (same_priority.status, same_priority.code) == (400, "SecurityRuleConflict")
    other_way = {**ssh_rule(80, direction="Outbound"), "name": "web"}
    assert rules(site, ssh_rule(22), other_way).status == 201


@pytest.mark.parametrize(
    ("single", "several"),
    [
        ("sourceAddressPrefix", "sourceAddressPrefixes"),
        ("destinationAddressPrefix", "destinationAddressPrefixes"),
    ],
)
def test_one_address_and_several(site: Site, single: str, several: str) -> None:
    both = rules(site, ssh_rule(22, **{single: "10.0.0.0/8", several: ["10.1.0.0/16"]}))
    assert (both.status, both.code) == (400, "SecurityRuleParametersConflict")
    alone = rules(site, ssh_rule(22, **{single: None, several: ["10.1.0.0/16"]}))
    assert alone.status == 201, alone


def test_two_subnets_of_one_name(site: Site) -> None:
    subnets = [
        {"name": name, "properties": {"addressPrefix": f"10.0.{number}.0/24"}}
        for number, name in enumerate(("a", "A"))
    ]
    space = {"addressPrefixes": ["10.0.0.0/16"]}
    answer = site.put("virtualNetworks", "vnet", {"addressSpace": space, "subnets": subnets})
    assert answer.body["error"]["details"][0]["code"] == "DuplicateResourceName"


@pytest.mark.parametrize("minutes", [3, 31, -1])
def test_idle_timeouts(site: Site, minutes: int) -> None:
    refused = address(site, {"idleTimeoutInMinutes": minutes})
    assert (refused.status, refused.code) == (400, "PublicIPAddressIdleTimeoutOutOfRange")
    assert address(site, {"idleTimeoutInMinutes": 30}).status == 201


@pytest.mark.parametrize("label", ["", "2", "ab", "Abc", "a_b", "-abc", "abc-", "a" * 64])
def test_dns_labels(site: Site, label: str) -> None:
    refused = address(site, {"dnsSettings": {"domainNameLabel": label}})
    assert (refused.status, refused.code) == (400, "InvalidDomainNameLabel")
    taken = address(site, {"dnsSettings": {"domainNameLabel": "a-1"}})
    assert taken.body["properties"]["dnsSettings"]["fqdn"] == "a-1.eastus.cloudapp.azure.com"


def test_zones_of_an_address(site: Site, arm: Cloud) -> None:
    assert address(site, zones=["4"]).code == "InvalidAvailabilityZone"
    arm.wait_for(address(site, zones=["1", "2", "3"]))
    assert address(site, zones=["3", "1", "2"]).status == 200
    changed = address(site, zones=["1"])
    assert (changed.status, changed.code) == (400, "ResourceAvailabilityZonesCannotBeModified")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("name", ["a~b", "a%60b", "a%25b", "a%20b"])
def test_group_names_with_wrong_letters_on_every_verb(arm: Cloud, method: str, name: str) -> None:
    body = {"location": "eastus"} if method == "PUT" else {}
    answer = arm.call(method, f"/resourceGroups/{name}", body if method[0] == "P" else None)
    assert answer.status == 400
    if method != "HEAD":
        assert answer.code == "InvalidResourceGroup"


@pytest.mark.parametrize(
    ("service", "status"), [("Microsoft.Storage", 201), ("microsoft.sql", 201), ("Storage", 400)]
)
def test_service_endpoints(site: Site, service: str, status: int) -> None:
    endpoints = [{"service": service}]
    subnet = {"addressPrefix": "10.0.0.0/24", "serviceEndpoints": endpoints}
    space = {"addressPrefixes": ["10.0.0.0/16"]}
    body = {"addressSpace": space, "subnets": [{"name": "a", "properties": subnet}]}
    assert site.put("virtualNetworks", "vnet", body).status == status

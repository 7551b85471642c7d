"""Virtual networks, security groups, public addresses and network interfaces."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest

from ..cloud import LOCATION, Cloud, Site, address_of, ssh_rule


def space(prefix: str, *subnets: tuple[str, str]) -> dict[str, Any]:
    listed = [{"name": name, "properties": {"addressPrefix": net}} for name, net in subnets]
    return {"addressSpace": {"addressPrefixes": [prefix]}, "subnets": listed}


def test_a_network_is_updating_then_succeeded(arm: Cloud, site: Site) -> None:
    put = site.put("virtualNetworks", "v", space(site.prefix, ("main", site.prefix)))
    assert put.status == 201
    assert put.body["properties"]["provisioningState"] == "Updating"
    assert put.body["properties"]["subnets"][0]["properties"]["provisioningState"] == "Updating"
    assert "/Microsoft.Network/locations/eastus/operations/" in put.headers["azure-asyncoperation"]
    assert int(put.headers["retry-after"]) >= 1
    assert arm.wait_for(put) == {"status": "Succeeded"}
    got = site.get("virtualNetworks", "v")
    assert got.body["properties"]["provisioningState"] == "Succeeded"
    assert got.headers["etag"] == got.body["etag"]
    assert got.body["etag"] != put.body["etag"]


def test_writing_back_what_was_read_is_accepted(site: Site) -> None:
    site.network()
    body = site.get("virtualNetworks", "vnet").body
    again = site.cloud.call("PUT", site.provider("virtualNetworks", "vnet"), body)
    assert again.status == 200


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        (space("10.0.0.0/24", ("a", "10.0.1.0/24")), "NetcfgInvalidSubnet"),
        (space("10.0.0.0/24", ("a", "10.0.0.0/30")), "NetcfgInvalidSubnet"),
        (
            space("10.0.0.0/24", ("a", "10.0.0.0/25"), ("b", "10.0.0.64/26")),
            "NetcfgSubnetRangesOverlap",
        ),
        (space("10.0.0.1/24"), "InvalidCIDRNotation"),
        (space("ten"), "InvalidCIDRNotation"),
        ({"addressSpace": {"addressPrefixes": []}}, "InvalidAddressSpace"),
        ({}, "InvalidRequestFormat"),
        (space("10.0.0.0/24") | {"colour": "red"}, "InvalidRequestFormat"),
    ],
)
def test_impossible_networks(site: Site, properties: Any, code: str) -> None:
    answer = site.put("virtualNetworks", "bad", properties)
    assert (answer.status, answer.code) == (400, code)
    assert site.get("virtualNetworks", "bad").status == 404


def test_an_unknown_member_is_named(site: Site) -> None:
    answer = site.put("virtualNetworks", "bad", space("10.0.0.0/24") | {"colour": "red"})
    detail = answer.body["error"]["details"][0]["message"]
    assert "Could not find member 'colour' on object of type" in detail
    top = site.put("virtualNetworks", "bad", space("10.0.0.0/24"), colour="red")
    assert top.code == "InvalidRequestContent"


@pytest.mark.parametrize("name", ["-bad", "bad-", "b%20d", "x" * 81])
def test_network_names(site: Site, name: str) -> None:
    answer = site.put("virtualNetworks", name, space("10.0.0.0/24"))
    assert (answer.status, answer.code) == (400, "InvalidResourceName")


def test_a_location_cannot_change(site: Site) -> None:
    site.made("virtualNetworks", "v", space(site.prefix))
    body = {"location": "westeurope", "properties": space(site.prefix)}
    answer = site.cloud.call("PUT", site.provider("virtualNetworks", "v"), body)
    assert (answer.status, answer.code) == (409, "InvalidResourceLocation")


def test_subnets_one_by_one(site: Site) -> None:
    site.made("virtualNetworks", "v", space("10.9.0.0/16"))
    path = site.provider("virtualNetworks", "v", "subnets/s")
    body = {"properties": {"addressPrefix": "10.9.1.0/24"}}
    put = site.cloud.call("PUT", path, body)
    assert put.status == 201
    assert site.cloud.wait_for(put)["status"] == "Succeeded"
    got = site.get("virtualNetworks", "v", "subnets/s").body
    assert got["id"].endswith("/virtualNetworks/v/subnets/s")
    assert got["properties"]["defaultOutboundAccess"] is False
    listed = site.get("virtualNetworks", "v", "subnets").body["value"]
    assert [item["name"] for item in listed] == ["s"]
    site.deleted("virtualNetworks", "v/subnets/s")
    assert site.get("virtualNetworks", "v", "subnets/s").code == "NotFound"
    assert (
        site.delete(
            "virtualNetworks",
            "v",
        ).status
        == 202
    )


def test_deleting_what_does_not_exist_is_204(site: Site) -> None:
    for kind in ("virtualNetworks", "networkInterfaces", "virtualMachines", "disks"):
        assert site.delete(kind, "none").status == 204


def test_networks_may_overlap_but_not_on_the_loopback(new_site: Callable[[], Site]) -> None:
    one, two = new_site(), new_site()
    for site in (one, two):
        site.made("virtualNetworks", "same", space("10.200.0.0/16"))
    one.made("virtualNetworks", "loop", space("127.77.3.0/24"))
    answer = two.put("virtualNetworks", "loop", space("127.77.3.128/25"))
    assert (answer.status, answer.code) == (409, "LoopbackAddressPrefixInUse")
    assert "/emulator/offer" in answer.body["error"]["message"]
    assert one.put("virtualNetworks", "loop", space("127.77.3.0/24")).status == 200


def test_offers_avoid_each_other_and_existing_networks(arm: Cloud, site: Site) -> None:
    offers = [arm.call("GET", "/emulator/offer", version=None).body for _ in range(20)]
    prefixes = [ipaddress.ip_network(offer["address_prefix"]) for offer in offers]
    assert len(set(prefixes)) == len(prefixes)
    assert all(net.subnet_of(ipaddress.ip_network("127.0.0.0/8")) for net in prefixes)
    assert {offer["ssh_source"] for offer in offers} == {"127.0.0.0/8"}
    assert len({offer["ssh_port"] for offer in offers}) == 1
    assert offers[0]["ssh_port"] > 1024


# Network interfaces


def test_a_new_interface_has_succeeded_with_the_first_answer(site: Site) -> None:
    subnet = site.network()
    configuration = {"name": "ip", "properties": {"subnet": {"id": subnet}}}
    put = site.put("networkInterfaces", "nic", {"ipConfigurations": [configuration]})
    assert put.status == 201
    assert put.body["properties"]["provisioningState"] == "Succeeded"
    assert "azure-asyncoperation" in put.headers
    assert "retry-after" not in put.headers
    shown = put.body["properties"]["ipConfigurations"][0]["properties"]
    assert shown["privateIPAllocationMethod"] == "Dynamic"
    assert shown["primary"] is True


def test_addresses_start_at_four_and_the_lowest_free_one_is_given(site: Site) -> None:
    subnet = site.network()
    base = ipaddress.ip_network(site.prefix).network_address
    addresses = [address_of(site.nic(f"nic{i}", subnet)) for i in range(3)]
    assert addresses == [str(base + 4), str(base + 5), str(base + 6)]
    site.deleted("networkInterfaces", "nic1")
    assert address_of(site.nic("again", subnet)) == str(base + 5)


@pytest.mark.parametrize(
    ("offset", "code"),
    [
        (0, "PrivateIPAddressInReservedRange"),
        (3, "PrivateIPAddressInReservedRange"),
        (4095, "PrivateIPAddressInReservedRange"),
        (4096, "PrivateIPAddressNotInSubnet"),
    ],
)
def test_impossible_static_addresses(site: Site, offset: int, code: str) -> None:
    subnet = site.network()
    wanted = str(ipaddress.ip_network(site.prefix).network_address + offset)
    answer = static_nic(site, "nic", subnet, wanted)
    assert (answer.status, answer.code) == (400, code)


def static_nic(site: Site, name: str, subnet: str, address: str | None) -> Any:
    ip: dict[str, Any] = {"subnet": {"id": subnet}, "privateIPAllocationMethod": "Static"}
    if address:
        ip["privateIPAddress"] = address
    configuration = {"name": "ip", "properties": ip}
    return site.put("networkInterfaces", name, {"ipConfigurations": [configuration]})


def test_static_addresses_are_unique(site: Site) -> None:
    subnet = site.network()
    wanted = str(ipaddress.ip_network(site.prefix).network_address + 9)
    first = static_nic(site, "one", subnet, wanted)
    assert address_of(first.body) == wanted
    assert static_nic(site, "two", subnet, wanted).code == "PrivateIPAddressIsAllocated"
    assert static_nic(site, "one", subnet, wanted).status == 200
    missing = static_nic(site, "three", subnet, None)
    assert missing.code == "IpConfigurationStaticPrivateIPAddressMissing"
    assert static_nic(site, "four", subnet, "10.1").code == "InvalidIPAddressFormat"


def test_a_subnet_can_be_full(site: Site) -> None:
    network = ipaddress.ip_network(site.prefix)
    small = f"{network.network_address}/29"
    vnet = site.made("virtualNetworks", "v", space(site.prefix, ("small", small)))
    subnet = vnet["properties"]["subnets"][0]["id"]
    for number in range(3):  # eight addresses, five of them Azure's
        site.nic(f"nic{number}", subnet)
    configuration = {"name": "ip", "properties": {"subnet": {"id": subnet}}}
    answer = site.put("networkInterfaces", "more", {"ipConfigurations": [configuration]})
    assert (answer.status, answer.code) == (400, "SubnetIsFull")


def test_references_must_exist(site: Site) -> None:
    subnet = site.network()
    for properties in (
        {"ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": f"{subnet}x"}}}]},
        {
            "ipConfigurations": [
                {
                    "name": "ip",
                    "properties": {
                        "subnet": {"id": subnet},
                        "publicIPAddress": {"id": f"{site.id}/nothing"},
                    },
                }
            ]
        },
        {
            "ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": subnet}}}],
            "networkSecurityGroup": {"id": f"{site.id}/nothing"},
        },
    ):
        answer = site.put("networkInterfaces", "nic", properties)
        assert (answer.status, answer.code) == (400, "InvalidResourceReference")
    # Nothing stays reserved by what was refused.
    assert address_of(site.nic("ok", subnet)).endswith(".4")


# Public addresses


def test_a_public_address_comes_with_success(arm: Cloud, site: Site) -> None:
    put = site.put(
        "publicIPAddresses",
        "pip",
        {"publicIPAllocationMethod": "Static", "dnsSettings": {"domainNameLabel": "lab"}},
        sku={"name": "Standard"},
    )
    assert put.status == 201
    assert put.body["properties"]["provisioningState"] == "Updating"
    assert "ipAddress" not in put.body["properties"]
    assert put.body["properties"]["dnsSettings"]["fqdn"] == "lab.eastus.cloudapp.azure.com"
    arm.wait_for(put)
    address = site.get("publicIPAddresses", "pip").body["properties"]["ipAddress"]
    assert ipaddress.ip_address(address) in ipaddress.ip_network("127.0.0.0/8")
    again = site.put("publicIPAddresses", "pip", {"publicIPAllocationMethod": "Static"})
    assert again.status == 200
    arm.wait_for(again)
    assert site.get("publicIPAddresses", "pip").body["properties"]["ipAddress"] == address


def test_basic_and_dynamic_public_addresses_are_no_more(site: Site) -> None:
    basic = site.put("publicIPAddresses", "p", {}, sku={"name": "Basic"})
    assert (basic.status, basic.code) == (400, "IPv4BasicSkuPublicIpCountLimitReached")
    dynamic = site.put("publicIPAddresses", "p", {"publicIPAllocationMethod": "Dynamic"})
    assert dynamic.status == 400


# What is in use stays


def test_resources_in_use_cannot_be_deleted(site: Site) -> None:
    nsg = site.made("networkSecurityGroups", "nsg")["id"]
    subnet = site.network(networkSecurityGroup={"id": nsg})
    public = site.public_ip("pip")
    nic = site.nic("nic", subnet, nsg=nsg, publicIPAddress={"id": public["id"]})
    for kind, name, code in (
        ("virtualNetworks", "vnet", "InUseSubnetCannotBeDeleted"),
        ("virtualNetworks", "vnet/subnets/main", "InUseSubnetCannotBeDeleted"),
        ("publicIPAddresses", "pip", "PublicIPAddressCannotBeDeleted"),
        ("networkSecurityGroups", "nsg", "InUseNetworkSecurityGroupCannotBeDeleted"),
    ):
        answer = site.delete(kind, name)
        assert (answer.status, answer.code) == (400, code)
    shown = site.get("networkSecurityGroups", "nsg").body["properties"]
    assert shown["networkInterfaces"] == [{"id": nic["id"]}]
    assert shown["subnets"] == [{"id": subnet}]
    other = {
        "ipConfigurations": [
            {
                "name": "ip",
                "properties": {"subnet": {"id": subnet}, "publicIPAddress": {"id": public["id"]}},
            }
        ]
    }
    assert site.put("networkInterfaces", "two", other).code == "PublicIPAddressInUse"
    for kind, name in (
        ("networkInterfaces", "nic"),
        ("publicIPAddresses", "pip"),
        ("virtualNetworks", "vnet"),
        ("networkSecurityGroups", "nsg"),
    ):
        site.deleted(kind, name)
    assert site.names() == []


def test_deletions_answer_202_with_both_headers(site: Site) -> None:
    site.network()
    answer = site.delete("virtualNetworks", "vnet")
    assert (answer.status, answer.body) == (202, None)
    assert "/operations/" in answer.headers["azure-asyncoperation"]
    assert "/operationResults/" in answer.headers["location"]
    done = site.cloud.call("GET", answer.headers["location"])
    assert (done.status, done.body) == (204, None)


# Security groups


def test_a_security_group_shows_azures_default_rules(site: Site) -> None:
    nsg = site.made("networkSecurityGroups", "nsg", {"securityRules": [ssh_rule(22)]})
    rule = nsg["properties"]["securityRules"][0]
    assert rule["id"].endswith("/networkSecurityGroups/nsg/securityRules/ssh")
    assert rule["properties"]["sourceAddressPrefixes"] == []
    defaults = [item["name"] for item in nsg["properties"]["defaultSecurityRules"]]
    assert defaults[:3] == ["AllowVnetInBound", "AllowAzureLoadBalancerInBound", "DenyAllInBound"]


def test_rules_one_by_one(site: Site) -> None:
    site.made("networkSecurityGroups", "nsg")
    path = site.provider("networkSecurityGroups", "nsg", "securityRules/r")
    put = site.cloud.call("PUT", path, {"properties": ssh_rule(22)["properties"]})
    assert put.status == 201
    site.cloud.wait_for(put)
    body = {"properties": ssh_rule(22, "10.1.2.3/32")["properties"]}
    assert site.cloud.call("PUT", path, body).status == 200
    shown = site.get("networkSecurityGroups", "nsg", "securityRules/r").body["properties"]
    assert shown["sourceAddressPrefix"] == "10.1.2.3/32"
    assert len(site.get("networkSecurityGroups", "nsg", "securityRules").body["value"]) == 1
    site.deleted("networkSecurityGroups", "nsg/securityRules/r")
    assert site.get("networkSecurityGroups", "nsg", "securityRules/r").status == 404


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"priority": 99}, "SecurityRuleInvalidPriority"),
        ({"priority": 4097}, "SecurityRuleInvalidPriority"),
        ({"sourceAddressPrefix": ""}, "SecurityRuleParameterNotSpecified"),
        ({"destinationPortRange": ""}, "SecurityRuleParameterNotSpecified"),
        ({"destinationPortRange": "22-"}, "SecurityRuleInvalidPortRange"),
        ({"destinationPortRange": "65536"}, "SecurityRuleInvalidPortRange"),
        ({"destinationAddressPrefix": "10.0.0.0/33"}, "SecurityRuleInvalidAddressPrefix"),
        ({"access": "Maybe"}, "InvalidRequestFormat"),
        ({"priority": "high"}, "InvalidRequestFormat"),
    ],
)
def test_impossible_rules(site: Site, change: dict[str, Any], code: str) -> None:
    rule = ssh_rule(22, **change) if "sourceAddressPrefix" not in change else ssh_rule(22, "")
    answer = site.put("networkSecurityGroups", "nsg", {"securityRules": [rule]})
    assert (answer.status, answer.code) == (400, code)


def test_two_rules_cannot_share_a_priority(site: Site) -> None:
    rules = [ssh_rule(22), ssh_rule(23) | {"name": "other"}]
    answer = site.put("networkSecurityGroups", "nsg", {"securityRules": rules})
    assert answer.code == "SecurityRuleConflict"


# Tags and lists, the same for all types


def test_tags_are_patched_and_types_listed(arm: Cloud, site: Site) -> None:
    site.made("networkSecurityGroups", "nsg", tags={"a": "1", "b": "2"})
    path = site.provider("networkSecurityGroups", "nsg")
    patched = arm.call("PATCH", path, {"tags": {"c": "3"}})
    assert (patched.status, patched.body["tags"]) == (200, {"c": "3"})
    in_group = list(arm.network.network_security_groups.list(site.group))
    everywhere = [nsg.id for nsg in arm.network.network_security_groups.list_all()]
    assert [nsg.name for nsg in in_group] == ["nsg"]
    assert in_group[0].id in everywhere


def test_the_sdk_polls_to_the_end(arm: Cloud, site: Site) -> None:
    poller = arm.network.public_ip_addresses.begin_create_or_update(
        site.group,
        "pip",
        {
            "location": LOCATION,
            "sku": {"name": "Standard"},
            "properties": {"publicIPAllocationMethod": "Static"},
        },
    )
    assert poller.result().ip_address.startswith("127.")
    arm.network.public_ip_addresses.begin_delete(site.group, "pip").wait(10)
    assert list(arm.network.public_ip_addresses.list(site.group)) == []


def test_a_network_used_from_another_group_keeps_its_group(
    arm: Cloud, new_site: Callable[[], Site]
) -> None:
    owner, guest = new_site(), new_site()
    guest.nic("nic", owner.network())
    refused = arm.call("DELETE", owner.path)
    assert refused.status == 202
    result = arm.call("GET", refused.headers["location"])
    assert result.status == 409
    blocked = result.body["Error"]
    assert blocked["Code"] == "ResourceGroupDeletionBlocked"
    assert "InUseSubnetCannotBeDeleted" in blocked["Details"][0]["Message"]
    assert owner.get("virtualNetworks", "vnet").status == 200
    guest.deleted("networkInterfaces", "nic")
    arm.wait_for_group(owner.group)

"""NAT gateways, peerings, Basic public addresses, api-versions, and what bodies keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..cloud import LOCATION, Cloud, Keys, Site, address_of

BELIEVED = "Microsoft.Network/loadBalancers/lb/backendAddressPools/pool"


def ask(site: Site, method: str, path: str, version: str, body: Any = None) -> Any:
    return site.cloud.call(method, path, body, version=version)


def properties_of(site: Site, kind: str, name: str, version: str) -> dict[str, Any]:
    return dict(ask(site, "GET", site.provider(kind, name), version).body["properties"])


# Api-versions


@pytest.mark.parametrize(
    ("version", "shown", "hidden"),
    [
        ("2016-12-01", [], ["nicType", "hostedWorkloads", "services"]),
        ("2018-06-01", ["services"], ["nicType", "hostedWorkloads"]),
        ("2019-11-01", ["hostedWorkloads"], ["nicType", "services"]),
        ("2020-08-01", ["nicType"], ["vnetEncryptionSupported", "services"]),
        ("2026-03-01", ["nicType", "vnetEncryptionSupported", "auxiliaryMode"], ["services"]),
    ],
)
def test_an_interface_shows_what_the_api_version_knows(
    site: Site, version: str, shown: list[str], hidden: list[str]
) -> None:
    site.nic("nic", site.network())
    properties = properties_of(site, "networkInterfaces", "nic", version)
    assert set(shown) <= properties.keys()
    assert not set(hidden) & properties.keys()


def test_a_public_address_had_no_sku_once(site: Site) -> None:
    site.public_ip("pip")
    path = site.provider("publicIPAddresses", "pip")
    assert "sku" not in ask(site, "GET", path, "2016-12-01").body
    assert ask(site, "GET", path, "2017-08-01").body["sku"] == {"name": "Standard"}
    assert ask(site, "GET", path, "2021-05-01").body["sku"]["tier"] == "Regional"


def test_writes_of_newer_versions_announce_notifications(site: Site) -> None:
    body = {"location": LOCATION, "properties": {}}
    for version, announced in (("2019-09-01", None), ("2019-11-01", "Enabled")):
        path = site.provider("networkSecurityGroups", f"nsg-{version}")
        put = ask(site, "PUT", path, version, body)
        assert put.headers.get("azure-asyncnotification") == announced
    rule = {"priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "*"}
    anywhere = {f"{side}AddressPrefix": "*" for side in ("source", "destination")}
    ports = {f"{side}PortRange": "*" for side in ("source", "destination")}
    child = ask(
        site, "PUT", f"{path}/securityRules/r", version, {"properties": rule | anywhere | ports}
    )
    assert child.status == 201
    assert "azure-asyncnotification" not in child.headers


def test_subnets_are_private_since_2025(site: Site) -> None:
    path = site.provider("virtualNetworks", "v")
    subnets = [{"name": "main", "properties": {"addressPrefix": site.prefix}}]
    space = {"addressSpace": {"addressPrefixes": [site.prefix]}, "subnets": subnets}
    for version, value in (("2024-05-01", None), ("2025-07-01", False)):
        site.cloud.wait_for(
            ask(site, "PUT", path, version, {"location": LOCATION, "properties": space})
        )
        subnet = properties_of(site, "virtualNetworks", "v", "2025-07-01")["subnets"][0]
        assert subnet["properties"].get("defaultOutboundAccess") is value


# Basic public addresses


def test_a_basic_public_address_is_made_by_old_versions_only(site: Site) -> None:
    body = {"location": LOCATION, "sku": {"name": "Basic"}, "properties": {}}
    path = site.provider("publicIPAddresses", "basic")
    refused = ask(site, "PUT", path, "2025-09-01", body)
    assert (refused.status, refused.code) == (400, "IPv4BasicSkuPublicIpCountLimitReached")
    site.cloud.wait_for(ask(site, "PUT", path, "2025-07-01", body))
    assert properties_of(site, "publicIPAddresses", "basic", "2025-07-01").get("ipAddress") is None


def test_a_dynamic_address_lives_as_long_as_the_machine_runs(site: Site, keys: Keys) -> None:
    path = site.provider("publicIPAddresses", "dynamic")
    body = {"location": LOCATION, "properties": {"publicIPAllocationMethod": "Dynamic"}}
    public = ask(site, "PUT", path, "2019-09-01", body)
    site.cloud.wait_for(public)
    nic = site.nic("nic", site.network(), publicIPAddress={"id": public.body["id"]})
    assert "ipAddress" not in properties_of(site, "publicIPAddresses", "dynamic", "2019-09-01")
    site.vm("vm", keys, nic["id"])
    running = properties_of(site, "publicIPAddresses", "dynamic", "2019-09-01")
    assert running["ipAddress"].startswith("127.")
    machine = site.provider("virtualMachines", "vm")
    site.cloud.wait_for(site.cloud.call("POST", f"{machine}/deallocate"))
    assert "ipAddress" not in properties_of(site, "publicIPAddresses", "dynamic", "2019-09-01")
    site.cloud.wait_for(site.cloud.call("POST", f"{machine}/start"))
    assert "ipAddress" in properties_of(site, "publicIPAddresses", "dynamic", "2019-09-01")


def test_a_running_machine_changes_its_dynamic_address(site: Site, keys: Keys) -> None:
    def address(name: str) -> str | None:
        found = properties_of(site, "publicIPAddresses", name, "2019-09-01").get("ipAddress")
        return None if found is None else str(found)

    ids = {}
    for name in ("first", "second"):
        path = site.provider("publicIPAddresses", name)
        body = {"location": LOCATION, "properties": {"publicIPAllocationMethod": "Dynamic"}}
        public = ask(site, "PUT", path, "2019-09-01", body)
        site.cloud.wait_for(public)
        ids[name] = public.body["id"]
    subnet = site.network()
    nic = site.nic("nic", subnet, publicIPAddress={"id": ids["first"]})
    site.vm("vm", keys, nic["id"])
    assert (address("first") is None, address("second") is None) == (False, True)
    site.nic("nic", subnet, publicIPAddress={"id": ids["second"]})
    assert (address("first") is None, address("second") is None) == (True, False)


def test_an_update_of_a_public_address_keeps_what_azure_gave(site: Site) -> None:
    before = site.public_ip("pip")["properties"]
    after = site.made(
        "publicIPAddresses",
        "pip",
        {"publicIPAllocationMethod": "Static", "idleTimeoutInMinutes": 10},
        sku={"name": "Standard"},
    )["properties"]
    assert after["idleTimeoutInMinutes"] == 10
    assert after["ipAddress"] == before["ipAddress"]


# Interfaces


def test_an_update_keeps_a_machines_interface(site: Site, keys: Keys) -> None:
    subnet = site.network()
    site.nic("first", subnet)
    nic = site.nic("nic", subnet)
    address = address_of(nic)
    detached = site.put("networkInterfaces", "nic", nic["properties"])
    assert detached.body["properties"]["provisioningState"] == "Succeeded"
    assert "retry-after" not in detached.headers
    site.vm("vm", keys, nic["id"])
    before = site.get("networkInterfaces", "nic").body["properties"]
    site.deleted("networkInterfaces", "first")  # frees a lower address
    attached = site.put("networkInterfaces", "nic", before)
    assert attached.body["properties"]["provisioningState"] == "Updating"
    site.cloud.wait_for(attached)
    after = site.get("networkInterfaces", "nic").body
    for name in ("macAddress", "virtualMachine", "primary"):
        assert after["properties"][name] == before[name]
    assert address_of(after) == address
    assert after["properties"]["ipConfigurations"][0]["etag"] == after["etag"]


def test_what_the_emulator_does_not_have_is_kept_and_shown(site: Site) -> None:
    pool = {"id": f"{site.id}/providers/{BELIEVED}"}
    nic = site.nic("nic", site.network(), loadBalancerBackendAddressPools=[pool])
    shown = nic["properties"]["ipConfigurations"][0]["properties"]
    assert shown["loadBalancerBackendAddressPools"] == [pool]
    configuration = {
        "name": "ip",
        "properties": {
            "subnet": shown["subnet"],
            "loadBalancerBackendAddressPools": [{"id": "somewhere"}],
        },
    }
    answer = site.put("networkInterfaces", "bad", {"ipConfigurations": [configuration]})
    assert (answer.status, answer.code) == (400, "LinkedInvalidPropertyId")


def test_a_reference_to_another_type_is_refused(site: Site) -> None:
    nsg = {"id": site.made("networkSecurityGroups", "nsg")["id"]}
    for member in ("natGateway", "routeTable"):
        subnet = {"name": "main", "properties": {"addressPrefix": site.prefix, member: nsg}}
        space = {"addressSpace": {"addressPrefixes": [site.prefix]}, "subnets": [subnet]}
        answer = site.put("virtualNetworks", "bad", space)
        assert (answer.status, answer.code) == (400, "InvalidResourceReference")


def test_delegations_and_service_endpoints(site: Site) -> None:
    subnet = site.network(
        delegations=[{"name": "d", "properties": {"serviceName": "Microsoft.Web/serverFarms"}}],
        serviceEndpoints=[{"service": "Microsoft.Storage"}],
    )
    shown = site.get("virtualNetworks", "vnet").body["properties"]["subnets"][0]["properties"]
    assert shown["delegations"][0]["id"] == f"{subnet}/delegations/d"
    endpoint = {"service": "Microsoft.Storage", "locations": [LOCATION]}
    assert shown["serviceEndpoints"] == [{**endpoint, "provisioningState": "Succeeded"}]


def test_refusals_of_the_provider_have_details(site: Site) -> None:
    taken = site.put("virtualNetworks", "bad", {"addressSpace": {"addressPrefixes": ["x"]}})
    assert taken.body["error"]["details"] == []
    assert "x-ms-failure-cause" not in taken.headers
    missing = site.get("virtualNetworks", "none")
    assert "details" not in missing.body["error"]
    assert missing.headers["x-ms-failure-cause"] == "gateway"


# NAT gateways


def test_a_nat_gateway_and_its_users(site: Site) -> None:
    public = site.public_ip("pip")["id"]
    gateway = site.made(
        "natGateways", "nat", {"publicIpAddresses": [{"id": public}]}, sku={"name": "Standard"}
    )
    assert gateway["sku"] == {"name": "Standard", "tier": "Regional"}
    subnet = site.network(natGateway={"id": gateway["id"]})
    shown = site.get("natGateways", "nat").body["properties"]
    assert shown["subnets"] == [{"id": subnet}]
    for kind, name, code in (
        ("natGateways", "nat", "InUseNatGatewayCannotBeDeleted"),
        ("publicIPAddresses", "pip", "PublicIPAddressCannotBeDeleted"),
    ):
        answer = site.delete(kind, name)
        assert (answer.status, answer.code) == (400, code)
    for kind, name in (
        ("virtualNetworks", "vnet"),
        ("natGateways", "nat"),
        ("publicIPAddresses", "pip"),
    ):
        site.deleted(kind, name)


def test_a_nat_gateway_needs_an_address_of_its_own(site: Site) -> None:
    public = {"id": site.public_ip("pip")["id"]}
    site.made("natGateways", "one", {"publicIpAddresses": [public]})
    answer = site.put("natGateways", "two", {"publicIpAddresses": [public]})
    assert (answer.status, answer.code) == (400, "PublicIPAddressInUse")
    missing = site.put("natGateways", "two", {"publicIpAddresses": [{"id": public["id"] + "x"}]})
    assert (missing.status, missing.code) == (400, "InvalidResourceReference")


# Peerings and addresses


def test_a_peering_is_connected_when_both_sides_are(new_site: Callable[[], Site]) -> None:
    here, there = new_site(), new_site()
    networks = []
    for site in (here, there):
        site.network()
        networks.append(site.get("virtualNetworks", "vnet").body["id"])
    states = []
    for site, remote in ((here, networks[1]), (there, networks[0])):
        path = site.provider("virtualNetworks", "vnet", "virtualNetworkPeerings/peer")
        body = {"properties": {"remoteVirtualNetwork": {"id": remote}}}
        put = site.cloud.call("PUT", path, body)
        assert put.status == 201
        site.cloud.wait_for(put)
        states.append(put.body["properties"]["peeringState"])
    assert states == ["Initiated", "Connected"]
    shown = here.get("virtualNetworks", "vnet", "virtualNetworkPeerings/peer").body["properties"]
    assert shown["peeringState"] == "Connected"
    assert shown["remoteAddressSpace"] == {"addressPrefixes": [there.prefix]}
    listed = here.get("virtualNetworks", "vnet", "virtualNetworkPeerings").body["value"]
    assert [item["name"] for item in listed] == ["peer"]
    there.deleted("virtualNetworks", "vnet/virtualNetworkPeerings/peer")
    shown = here.get("virtualNetworks", "vnet", "virtualNetworkPeerings/peer").body["properties"]
    assert shown["peeringState"] == "Initiated"


def test_which_addresses_are_free(site: Site) -> None:
    subnet = site.network()
    taken = address_of(site.nic("nic", subnet))
    start = taken.rsplit(".", 1)[0]
    for address, available, reserved in (
        (f"{start}.3", False, True),
        (taken, False, False),
        (f"{start}.9", True, False),
    ):
        path = site.provider("virtualNetworks", "vnet", "CheckIPAddressAvailability")
        answer = site.cloud.call("GET", f"{path}?ipAddress={address}").body
        assert (answer["available"], answer["isPlatformReserved"]) == (available, reserved)
    assert site.cloud.call("GET", f"{path}?ipAddress={taken}").body["availableIPAddresses"] == [
        f"{start}.{last}" for last in range(5, 10)
    ]
    outside = site.cloud.call("GET", f"{path}?ipAddress=192.168.9.9")
    assert (outside.status, outside.code) == (400, "PrivateIPAddressNotInAnySubnet")
    usage = site.get("virtualNetworks", "vnet", "usages").body["value"][0]
    assert (usage["id"], usage["currentValue"]) == (subnet, 1)


def test_default_rules_and_configurations_one_by_one(arm: Cloud, site: Site) -> None:
    site.made("networkSecurityGroups", "nsg")
    rules = site.get("networkSecurityGroups", "nsg", "defaultSecurityRules").body["value"]
    one = site.get("networkSecurityGroups", "nsg", "defaultSecurityRules/denyallinbound")
    assert one.body["name"] == "DenyAllInBound"
    assert one.body in rules
    site.nic("nic", site.network())
    listed = site.get("networkInterfaces", "nic", "ipConfigurations").body["value"]
    assert site.get("networkInterfaces", "nic", "ipConfigurations/primary").body == listed[0]
    assert site.get("networkInterfaces", "nic", "ipConfigurations/none").status == 404
    usages = arm.call("GET", f"/providers/Microsoft.Network/locations/{LOCATION}/usages").body
    used = {item["name"]["value"]: item["currentValue"] for item in usages["value"]}
    assert used["NetworkInterfaces"] >= 1


@pytest.mark.parametrize(
    ("version", "word"), [("2021-05-01", "Enabled"), ("2024-05-01", "Disabled")]
)
def test_policies_of_private_endpoints_by_version(site: Site, version: str, word: str) -> None:
    body = {
        "location": LOCATION,
        "properties": {
            "addressSpace": {"addressPrefixes": [site.prefix]},
            "subnets": [{"name": "main", "properties": {"addressPrefix": site.prefix}}],
        },
    }
    answer = ask(site, "PUT", site.provider("virtualNetworks", "v"), version, body)
    (subnet,) = answer.body["properties"]["subnets"]
    assert subnet["properties"]["privateEndpointNetworkPolicies"] == word

"""What a given subnet's rules mean for sources that the emulator doesn't have, as public ones."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from azure_emulator.resources.default_rules import DEFAULT_RULES, default_rule
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.errors import ConfigurationError, RequestRefused
from ipcluster_azure.start.preflight import Place
from ipcluster_azure.start.subnet_rules import check_subnet

from ..plans import SUBNET_ID, settings

NSG_ID = f"{SUBNET_ID.partition('/virtualNetworks/')[0]}/networkSecurityGroups/office"
OWN = "198.51.100.7/32"


class Azure:
    """As much of AzureApi as the check asks: a subnet, its group, and the network's admin rules."""

    def __init__(
        self, *rules: dict[str, Any], admin: list[Any] | None = None, **subnet: Any
    ) -> None:
        group = {"networkSecurityGroup": {"id": NSG_ID}}
        self.subnet = {"addressPrefix": "10.1.2.0/24", **group, **subnet}
        self.rules = [{"name": "r", "properties": rule} for rule in rules]
        self.admin = admin
        self.asked: list[str] = []
        self.near = True

    def find(self, resource_id: str, *, doing: str) -> dict[str, Any]:
        self.asked.append(resource_id)
        if resource_id == SUBNET_ID:
            return {"properties": self.subnet}
        return self._group()

    def listed(self, path: str, version: str, *, doing: str) -> list[dict[str, Any]]:
        assert path == "resourceGroups/net/providers/Microsoft.Network/networkSecurityGroups"
        return [{"id": NSG_ID.upper(), **self._group()}] if self.near else []

    def _group(self) -> dict[str, Any]:
        default = [default_rule(*row) for row in DEFAULT_RULES]
        return {"properties": {"securityRules": self.rules, "defaultSecurityRules": default}}

    def act(self, path: str, version: str, body: Any, *, doing: str) -> dict[str, Any]:
        self.asked.append(path)
        if self.admin is None:
            raise RequestRefused("no")
        return {"value": [{"properties": rule} for rule in self.admin]}


def _rule(priority: int, access: str, source: str, port: str = "22") -> dict[str, Any]:
    return {
        "priority": priority,
        "access": access,
        "direction": "Inbound",
        "protocol": "Tcp",
        "sourceAddressPrefix": source,
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": port,
    }


def _check(azure: Azure, *, own: str = "", **changes: Any) -> str:
    """What is refused, empty if nothing is."""
    chosen = settings(subnet_id=SUBNET_ID, ssh_port=22, **changes)
    sources = (own,) if own else tuple(chosen.ssh_source)
    place = Place(chosen, Endpoint("https://x", "https://x"), sources, own)
    try:
        asyncio.run(check_subnet(azure, place))  # type: ignore[arg-type]
    except ConfigurationError as error:
        return str(error)
    return ""


def test_a_public_source_is_not_in_the_virtual_network() -> None:
    message = _check(Azure(_rule(100, "Allow", "VirtualNetwork")), own="8.8.4.4/32")
    assert "lets no SSH in from 8.8.4.4/32: its rule DenyAllInBound (priority 65500)" in message
    # unless the subnet has routes: one for all addresses would make it so
    routes = {"routeTable": {"id": "routes"}}
    assert _check(Azure(_rule(100, "Allow", "VirtualNetwork"), **routes), own="8.8.4.4/32") == ""


@pytest.mark.parametrize(
    ("sources", "refused"),
    [
        (("8.8.4.0/24",), True),
        (("8.8.4.0/24", "1.1.1.1/32"), False),
        (("10.0.0.0/8",), False),
    ],
)
def test_of_several_sources_all_must_be_kept_out(sources: tuple[str, ...], refused: bool) -> None:
    azure = Azure(_rule(100, "Allow", "1.1.1.1"))
    if sources == ("10.0.0.0/8",):
        azure = Azure()  # an office may be connected to the network
    assert bool(_check(azure, ssh_source=sources)) is refused


def test_a_private_address_behind_a_vpn() -> None:
    private = {"public_ip": False, "ssh_source": ("10.9.0.0/16",)}
    assert _check(Azure(), **private) == ""
    assert "rule r (priority 4000)" in _check(Azure(_rule(4000, "Deny", "*", "*")), **private)
    allowed = Azure(_rule(200, "Allow", "10.0.0.0/8"), _rule(4000, "Deny", "*", "22"))
    assert _check(allowed, **private) == ""


def test_an_administrators_rules_come_first() -> None:
    always = [{"access": "AlwaysAllow", "direction": "Inbound"}]
    assert _check(Azure(admin=always), own="8.8.4.4/32") == ""
    other = [{"access": "AlwaysAllow", "direction": "Outbound"}, {"access": "Allow"}]
    assert _check(Azure(admin=other), own="8.8.4.4/32") != ""
    path = SUBNET_ID.partition("/subnets/")[0].split("/", 3)[3]
    azure = Azure()
    assert _check(azure, own="8.8.4.4/32") != ""
    assert azure.asked[-1] == f"{path}/listNetworkManagerEffectiveSecurityAdminRules"


def test_a_network_of_the_clusters_own_is_not_looked_at() -> None:
    azure = Azure()
    place = Place(replace(settings(), subnet_id=""), Endpoint("https://x", "https://x"), (), OWN)
    asyncio.run(check_subnet(azure, place))  # type: ignore[arg-type]
    assert azure.asked == []


def test_a_subnet_without_a_group_is_open() -> None:
    azure = Azure(networkSecurityGroup=None)
    assert _check(azure, own="8.8.4.4/32") == ""
    assert azure.asked == [SUBNET_ID]


@pytest.mark.parametrize("near", [True, False])
def test_a_group_is_asked_for_only_if_it_lies_elsewhere(near: bool) -> None:
    azure = Azure(_rule(100, "Allow", "*"))
    azure.near = near
    assert _check(azure, own="8.8.4.4/32") == ""
    assert azure.asked == [SUBNET_ID, *([] if near else [NSG_ID])]

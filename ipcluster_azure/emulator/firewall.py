"""Whether the security groups let a connection in to a machine's public address."""

from __future__ import annotations

import ipaddress

from . import networks
from .arm import Json
from .default_rules import DEFAULT_RULES, default_rule
from .interfaces import primary_configuration
from .state import Emulator
from .store import Resource


def allows_public(em: Emulator, nic: Resource, peer: str, port: int) -> bool:
    """A Standard public address is closed until a security group allows; all that are set must."""
    configuration = primary_configuration(nic)
    groups = [nic.properties.get("networkSecurityGroup")]
    found = networks.find_subnet(em, configuration["subnet"]["id"])
    vnet = None
    if found:
        vnet, subnet = found
        groups.append(subnet["properties"].get("networkSecurityGroup"))
    present = [em.store.find(group["id"]) for group in groups if group]
    private = configuration["privateIPAddress"]
    return bool(present) and all(
        nsg is not None and _group_allows(nsg, vnet, peer, private, port) for nsg in present
    )


def _group_allows(nsg: Resource, vnet: Resource | None, peer: str, private: str, port: int) -> bool:
    """The first matching inbound rule by priority decides."""
    rules = [*nsg.properties["securityRules"], *(default_rule(*row) for row in DEFAULT_RULES)]
    inbound = [rule["properties"] for rule in rules if rule["properties"]["direction"] == "Inbound"]
    for rule in sorted(inbound, key=lambda rule: int(rule["priority"])):
        if (
            rule["protocol"] in ("Tcp", "*")
            and _any_address(rule, "source", peer, vnet)
            and _any_address(rule, "destination", private, vnet)
            and _any_port(rule, "destination", port)
        ):
            return bool(rule["access"] == "Allow")
    return False


def _values(rule: Json, single: str, several: str) -> list[str]:
    values = list(rule.get(several) or [])
    if rule.get(single):
        values.append(rule[single])
    return values


def _any_address(rule: Json, side: str, address: str, vnet: Resource | None) -> bool:
    prefixes = _values(rule, f"{side}AddressPrefix", f"{side}AddressPrefixes")
    return any(_matches(prefix, address, vnet) for prefix in prefixes)


def _matches(prefix: str, address: str, vnet: Resource | None) -> bool:
    inside = vnet is not None and networks.contains(vnet, address)
    word = prefix.lower()
    if word in ("*", "any"):
        return True
    if word == "internet":
        return not inside
    if word == "virtualnetwork":
        return inside
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(prefix, strict=False)
    except ValueError:
        return False  # another service tag: never a machine's address here


def _any_port(rule: Json, side: str, port: int) -> bool:
    for text in _values(rule, f"{side}PortRange", f"{side}PortRanges"):
        low, _, high = text.partition("-")
        if text == "*" or (low.isdigit() and int(low) <= port <= int(high or low)):
            return True
    return False

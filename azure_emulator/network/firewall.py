"""What a machine's virtual network and security groups say about its connections."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from ..base.messages import Json
from ..base.store import Resource
from ..guest.machine_interface import Position, SecurityRule
from ..resources.default_rules import DEFAULT_RULES, default_rule
from ..state import Emulator
from . import networks, outbound
from .interfaces import primary_configuration


@dataclass(frozen=True)
class InterfaceNetwork:
    """The MachineNetwork of one interface, read from the store at each question."""

    em: Emulator
    nic_id: str
    ssh_port: int

    def public_address(self) -> str | None:
        nic = self.em.store.find(self.nic_id)
        if nic is None:
            return None
        reference = primary_configuration(nic).get("publicIPAddress") or {}
        public = self.em.store.find(reference.get("id"))
        return public.properties.get("ipAddress") if public else None

    def has_way_out(self) -> bool:
        nic = self.em.store.find(self.nic_id)
        vm = self.em.store.find(
            (nic.properties.get("virtualMachine") or {}).get("id") if nic else ""
        )
        return nic is not None and vm is not None and outbound.has_way_out(self.em, vm, nic)

    def is_near(self, address: str) -> bool:
        place = self._place()
        return place is not None and place.contains(address)

    def admits(self, peer: str, address: str) -> bool:
        """Return whether a peer gets in; without a group public addresses are closed."""
        place = self._place()
        if place is None:
            return False
        groups = place.groups
        if address != place.private:
            return bool(groups) and all(
                _allows(group, "Inbound", peer, place.private, self.ssh_port, place)
                for group in groups
            )
        if self._is_elsewhere(peer, place):
            return False
        # Whoever else can reach a private address is in the network, or connected to it.
        place = place.with_connected(peer)
        return all(
            _allows(group, "Inbound", peer, place.private, self.ssh_port, place) for group in groups
        )

    def lets_out(self, address: str, port: int) -> bool:
        place = self._place()
        if place is None or address in (place.private, "127.0.0.1"):
            return place is not None
        return all(
            _allows(group, "Outbound", place.private, address, port, place)
            for group in place.groups
        )

    def position(self) -> Position | None:
        nic, place = self.em.store.find(self.nic_id), self._place()
        if nic is None or place is None:
            return None
        found = networks.find_subnet(self.em, primary_configuration(nic)["subnet"]["id"])
        if found is None:
            return None
        vnet, subnet = found
        groups = tuple(_in_order(group) for group in place.groups)
        return Position(vnet.id, subnet["properties"]["addressPrefix"], place.inside, groups)

    def _is_elsewhere(self, peer: str, place: Place) -> bool:
        """Return whether no route leads from there: another network, or a public address."""
        if place.contains(peer):
            return False
        public = self.em.addresses.is_public(peer)
        return public or any(_within(peer, nets) for nets in _all_networks(self.em))

    def _place(self) -> Place | None:
        nic = self.em.store.find(self.nic_id)
        if nic is None:
            return None
        configuration = primary_configuration(nic)
        references = [nic.properties.get("networkSecurityGroup")]
        inside: list[str] = []
        found = networks.find_subnet(self.em, configuration["subnet"]["id"])
        if found:
            vnet, subnet = found
            references.append(subnet["properties"].get("networkSecurityGroup"))
            inside = _with_peers(self.em, vnet)
        groups = [self.em.store.find(item["id"]) for item in references if item]
        present = tuple(group for group in groups if group is not None)
        return Place(configuration["privateIPAddress"], tuple(inside), present)


@dataclass(frozen=True)
class Place:
    """Where an interface is: the prefixes of what counts as its virtual network, and its groups."""

    private: str
    inside: tuple[str, ...]
    groups: tuple[Resource, ...]

    def contains(self, address: str) -> bool:
        return _within(address, self.inside)

    def with_connected(self, peer: str) -> Place:
        return Place(self.private, (*self.inside, f"{peer}/32"), self.groups)


def _with_peers(em: Emulator, vnet: Resource) -> list[str]:
    inside = list(vnet.properties["addressSpace"]["addressPrefixes"])
    for item in vnet.properties.get("virtualNetworkPeerings") or []:
        properties = item.get("properties") or {}
        remote = em.store.find((properties.get("remoteVirtualNetwork") or {}).get("id"))
        if remote and properties.get("allowVirtualNetworkAccess", True):
            inside += remote.properties["addressSpace"]["addressPrefixes"]
    return inside


def _all_networks(em: Emulator) -> list[list[str]]:
    return [[str(net) for net in nets] for nets in networks.networks_in_use(em).values()]


def _in_order(group: Resource) -> tuple[SecurityRule, ...]:
    rules = [*group.properties["securityRules"], *(default_rule(*row) for row in DEFAULT_RULES)]
    wanted = sorted((rule["properties"] for rule in rules), key=lambda rule: int(rule["priority"]))
    return tuple(
        SecurityRule(
            inbound=rule["direction"] == "Inbound",
            protocol=rule["protocol"].lower(),
            sources=tuple(_values(rule, "sourceAddressPrefix", "sourceAddressPrefixes")),
            destinations=tuple(
                _values(rule, "destinationAddressPrefix", "destinationAddressPrefixes")
            ),
            ports=tuple(_values(rule, "destinationPortRange", "destinationPortRanges")),
            allows=rule["access"] == "Allow",
        )
        for rule in wanted
    )


def _allows(
    nsg: Resource, direction: str, source: str, destination: str, port: int, place: Place
) -> bool:
    """Return whether the group allows it: the first matching rule by priority decides."""
    rules = [*nsg.properties["securityRules"], *(default_rule(*row) for row in DEFAULT_RULES)]
    wanted = [rule["properties"] for rule in rules if rule["properties"]["direction"] == direction]
    for rule in sorted(wanted, key=lambda rule: int(rule["priority"])):
        if (
            rule["protocol"].lower() in ("tcp", "*")
            and _any_address(rule, "source", source, place)
            and _any_address(rule, "destination", destination, place)
            and _any_port(rule, "destination", port)
        ):
            return bool(rule["access"] == "Allow")
    return False


def _values(rule: Json, single: str, several: str) -> list[str]:
    values = list(rule.get(several) or [])
    if rule.get(single):
        values.append(rule[single])
    return values


def _any_address(rule: Json, side: str, address: str, place: Place) -> bool:
    prefixes = _values(rule, f"{side}AddressPrefix", f"{side}AddressPrefixes")
    return any(_matches(prefix, address, place) for prefix in prefixes)


def _matches(prefix: str, address: str, place: Place) -> bool:
    word = prefix.lower()
    if word in ("*", "any"):
        return True
    if word == "internet":
        return not place.contains(address)
    if word == "virtualnetwork":
        return place.contains(address)
    return _within(address, [prefix])  # another service tag is never an address here


def _within(address: str, prefixes: tuple[str, ...] | list[str]) -> bool:
    for prefix in prefixes:
        try:
            if ipaddress.ip_address(address) in ipaddress.ip_network(prefix, strict=False):
                return True
        except ValueError:
            continue
    return False


def _any_port(rule: Json, side: str, port: int) -> bool:
    for text in _values(rule, f"{side}PortRange", f"{side}PortRanges"):
        low, _, high = text.partition("-")
        if text == "*" or (low.isdigit() and int(low) <= port <= int(high or low)):
            return True
    return False

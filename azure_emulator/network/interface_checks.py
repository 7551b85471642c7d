"""Refusals of an interface for what its IP configurations and DNS servers mean together."""

from __future__ import annotations

import ipaddress

from ..base import errors, names
from ..base.messages import Json
from ..base.store import Resource

AZURES_DNS = "AzureProvidedDNS"


def check(nic: Resource, wanted: Json) -> None:
    """Refuse the properties of a new or changed interface; codes but one are unverified."""
    items = wanted["ipConfigurations"]
    names.check_different([item.get("name", "ipconfig1") for item in items], nic.id)
    _check_primary(nic, items)
    for server in (wanted.get("dnsSettings") or {}).get("dnsServers") or []:
        if server != AZURES_DNS and not _is_address(server):
            raise errors.ArmError(
                400, "InvalidDnsServerAddress", f"The DNS server '{server}' is no IP address."
            )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _check_primary(nic: Resource, items: list[Json]) -> None:
    """Refuse several IP configurations of which not one is primary; without a word the first is."""
    said = [item["properties"].get("primary") for item in items]
    several = said.count(True) > 1 or (len(said) > 1 and all(value is False for value in said))
    if several:
        raise errors.ArmError(
            400,
            "NetworkInterfaceMustHaveOnePrimaryIpConfiguration",
            f"Network interface {nic.id} must have exactly one primary IP configuration.",
        )
    for item in items:
        names.check_network(item.get("name") or "ipconfig1")
        if item["properties"].get("privateIPAddressVersion", "IPv4") != "IPv4":
            raise errors.ArmError(
                400, "PrivateIPAddressVersionNotSupported", "This local endpoint has IPv4 only."
            )

"""Template functions on networks in CIDR notation."""

from __future__ import annotations

import ipaddress
from typing import Any

from .signatures import function, refused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(name: str, text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise refused(name, f"The value '{text[:80]}' is not a network in CIDR notation.") from None


@function("parseCidr", "string")
def parse_cidr(text: str) -> dict[str, Any]:
    network = _network("parseCidr", text)
    found: dict[str, Any] = {
        "network": str(network.network_address),
        "netmask": str(network.netmask),
    }
    first, last = network.network_address, network.broadcast_address
    if isinstance(network, ipaddress.IPv4Network):
        found["broadcast"] = str(last)
        if network.prefixlen < 31:
            first, last = first + 1, last - 1
    return found | {
        "firstUsable": str(first),
        "lastUsable": str(last),
        "cidr": network.prefixlen,
    }


@function("cidrSubnet", "string", "int", "int")
def cidr_subnet(text: str, prefix_length: int, index: int) -> str:
    network = _network("cidrSubnet", text)
    extra = prefix_length - network.prefixlen
    if not 0 <= extra <= network.max_prefixlen - network.prefixlen:
        raise refused(
            "cidrSubnet",
            f"The new prefix length '{prefix_length}' must be between '{network.prefixlen}' and "
            f"'{network.max_prefixlen}'.",
        )
    if not 0 <= index < 1 << extra:
        raise refused("cidrSubnet", f"The subnet index '{index}' is out of range.")
    size = 1 << (network.max_prefixlen - prefix_length)
    return f"{network.network_address + index * size}/{prefix_length}"


@function("cidrHost", "string", "int")
def cidr_host(text: str, index: int) -> str:
    """Return the usable address of that index: 0 is the first behind the network's own."""
    network = _network("cidrHost", text)
    offset = 1 if isinstance(network, ipaddress.IPv4Network) and network.prefixlen < 31 else 0
    usable = network.num_addresses - 2 * offset
    if not 0 <= index < usable:
        raise refused("cidrHost", f"The host index '{index}' is out of range.")
    return str(network.network_address + offset + index)

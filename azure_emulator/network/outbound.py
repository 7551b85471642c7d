"""Whether a machine has a way out to the internet."""

from __future__ import annotations

from ..base.messages import Json
from ..base.store import Resource
from ..state import Emulator
from .interfaces import primary_configuration
from .networks import find_subnet


def has_way_out(em: Emulator, vm: Resource, nic: Resource) -> bool:
    """A public address, its subnet's NAT gateway, or the default access of a subnet not private.

    Machines of a Flexible scale set never have default access.
    """
    configuration = primary_configuration(nic)
    if "publicIPAddress" in configuration:
        return True
    found = find_subnet(em, configuration["subnet"]["id"])
    subnet = found[1]["properties"] if found else {}
    if _works(em, subnet.get("natGateway")):
        return True
    private = not subnet.get("defaultOutboundAccess", True)
    return not private and "virtualMachineScaleSet" not in vm.properties


def _works(em: Emulator, reference: Json | None) -> bool:
    """A NAT gateway without any public address lets nothing out."""
    gateway = em.store.find((reference or {}).get("id"))
    if gateway is None:
        return False
    return any(gateway.properties.get(name) for name in ("publicIpAddresses", "publicIpPrefixes"))

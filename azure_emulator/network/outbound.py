"""Return whether a machine has a way out to the internet."""

from __future__ import annotations

from ..base.messages import Json
from ..base.store import Resource
from ..state import Emulator
from .interfaces import primary_configuration
from .networks import find_subnet


def has_way_out(em: Emulator, vm: Resource, nic: Resource) -> bool:
    """Return whether the VM reaches the internet.

    It does by a public address, by its subnet's NAT gateway, or by the default access of a subnet
    that is not private; machines of a Flexible scale set never have that.
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
    """Return whether a NAT gateway has a public address; one without lets nothing out."""
    gateway = em.store.find((reference or {}).get("id"))
    if gateway is None:
        return False
    return any(gateway.properties.get(name) for name in ("publicIpAddresses", "publicIpPrefixes"))

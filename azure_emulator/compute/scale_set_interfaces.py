"""Network interfaces in the model of a scale set: checked, and completed as Azure shows them."""

from __future__ import annotations

from ..base import errors
from ..base.messages import Json


def _check_names(configurations: list[Json]) -> None:
    """Refuse network configurations without a name, which the schema lets a PATCH leave out."""
    for item in configurations:
        properties = item.get("properties") or {}
        for entry in (item, *(properties.get("ipConfigurations") or [])):
            public = (entry.get("properties") or {}).get("publicIPAddressConfiguration")
            if not entry.get("name") or (public is not None and not public.get("name")):
                raise errors.missing_parameter("name")


def check_interfaces(network: Json, uniform: bool) -> None:
    configurations = network.get("networkInterfaceConfigurations")
    if not configurations:
        raise errors.missing_parameter("networkInterfaceConfigurations")
    if not uniform and "networkApiVersion" not in network:
        raise errors.missing_parameter("networkApiVersion")
    primary = [item for item in configurations if (item.get("properties") or {}).get("primary")]
    if len(configurations) > 1 and len(primary) != 1:
        raise errors.invalid_parameter(
            "networkInterfaceConfigurations",
            "Exactly one network interface configuration must be the primary one.",
        )


def complete_interfaces(network: Json) -> None:
    """Fill in, in place, what Azure shows of each interface."""
    _check_names(network["networkInterfaceConfigurations"])
    several = len(network["networkInterfaceConfigurations"]) > 1
    for item in network["networkInterfaceConfigurations"]:
        properties = item.setdefault("properties", {})
        properties.setdefault("primary", not several)
        properties.setdefault("enableAcceleratedNetworking", False)
        properties.setdefault("enableIPForwarding", False)
        properties.setdefault("dnsSettings", {"dnsServers": []}).setdefault("dnsServers", [])
        for entry in properties.get("ipConfigurations") or []:
            configuration = entry.setdefault("properties", {})
            configuration.setdefault("privateIPAddressVersion", "IPv4")
            for pools in ("loadBalancerBackendAddressPools", "loadBalancerInboundNatPools"):
                if not configuration.get(pools, True):
                    del configuration[pools]
            public = configuration.get("publicIPAddressConfiguration")
            if public:
                shown = public.setdefault("properties", {})
                shown.setdefault("idleTimeoutInMinutes", 4)
                shown.setdefault("ipTags", [])
                shown.setdefault("publicIPAddressVersion", "IPv4")

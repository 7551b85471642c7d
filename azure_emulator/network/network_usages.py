"""How much of Microsoft.Network's quotas a region uses."""

from __future__ import annotations

from ..base import regions
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import NAT_GATEWAY, NIC, NSG, PUBLIC_IP, VNET
from ..state import Emulator

# name, shown, limit (documented default), type
COUNTED = [
    ("VirtualNetworks", "Virtual Networks", 1000, VNET),
    ("NetworkSecurityGroups", "Network Security Groups", 5000, NSG),
    ("PublicIPAddresses", "Public IP Addresses", 1000, PUBLIC_IP),
    ("NetworkInterfaces", "Network Interfaces", 65536, NIC),
    ("NatGateways", "Nat Gateways", 1000, NAT_GATEWAY),
]


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    location = regions.normal(request.params["location"], "Microsoft.Network/locations/usages")
    base = f"/subscriptions/{em.store.subscription_id}/providers/Microsoft.Network/locations"
    items: list[Json] = [
        {
            "currentValue": sum(item.location == location for item in em.store.all(kind)),
            "id": f"{base}/{location}/usages/{name}",
            "limit": limit,
            "name": {"localizedValue": shown, "value": name},
            "unit": "Count",
        }
        for name, shown, limit, kind in COUNTED
    ]
    return page(items)

"""The rules that every network security group has of Azure's own, below all others."""

from __future__ import annotations

from ..base.messages import Json

# name, source, destination, access, priority, direction
DEFAULT_RULES = [
    ("AllowVnetInBound", "VirtualNetwork", "VirtualNetwork", "Allow", 65000, "Inbound"),
    ("AllowAzureLoadBalancerInBound", "AzureLoadBalancer", "*", "Allow", 65001, "Inbound"),
    ("DenyAllInBound", "*", "*", "Deny", 65500, "Inbound"),
    ("AllowVnetOutBound", "VirtualNetwork", "VirtualNetwork", "Allow", 65000, "Outbound"),
    ("AllowInternetOutBound", "*", "Internet", "Allow", 65001, "Outbound"),
    ("DenyAllOutBound", "*", "*", "Deny", 65500, "Outbound"),
]
DESCRIPTIONS = {
    "AllowVnetInBound": "Allow inbound traffic from all VMs in VNET",
    "AllowAzureLoadBalancerInBound": "Allow inbound traffic from azure load balancer",
    "DenyAllInBound": "Deny all inbound traffic",
    "AllowVnetOutBound": "Allow outbound traffic from all VMs to all VMs in VNET",
    "AllowInternetOutBound": "Allow outbound traffic from all VMs to Internet",
    "DenyAllOutBound": "Deny all outbound traffic",
}


def default_rule(
    name: str, source: str, destination: str, access: str, priority: int, direction: str
) -> Json:
    properties: Json = {
        "description": DESCRIPTIONS[name],
        "protocol": "*",
        "sourcePortRange": "*",
        "destinationPortRange": "*",
        "sourceAddressPrefix": source,
        "destinationAddressPrefix": destination,
        "access": access,
        "priority": priority,
        "direction": direction,
    }
    return {"name": name, "properties": properties}

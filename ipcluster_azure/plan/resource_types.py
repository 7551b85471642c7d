"""The types of the resources that a cluster is made of, and the API version that each is asked in.

The versions are those of the recorded exchanges and of the SDK's models; a type's own version is
named with every request, as each type has a list of its own at Azure.
"""

from typing import Any

NSG = "Microsoft.Network/networkSecurityGroups"
PUBLIC_IP = "Microsoft.Network/publicIPAddresses"
VIRTUAL_NETWORK = "Microsoft.Network/virtualNetworks"
SUBNET = "Microsoft.Network/virtualNetworks/subnets"
NIC = "Microsoft.Network/networkInterfaces"
VIRTUAL_MACHINE = "Microsoft.Compute/virtualMachines"
SCALE_SET = "Microsoft.Compute/virtualMachineScaleSets"
DISK = "Microsoft.Compute/disks"
ROLE_ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
DEPLOYMENT = "Microsoft.Resources/deployments"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"

NETWORK_API, COMPUTE_API, AUTHORIZATION_API = "2025-01-01", "2025-04-01", "2022-04-01"
DISKS_API = "2024-03-02"  # disks have versions of their own
DEPLOYMENTS_API = "2025-04-01"
IDENTITY_API = "2023-01-31"

Json = dict[str, Any]


def api_version(kind: str) -> str:
    """Return the API version for resources of a type, which may be written in any case."""
    if kind.lower() == DISK.lower():
        return DISKS_API
    namespace = kind.partition("/")[0].lower()
    others = {
        "microsoft.network": NETWORK_API,
        "microsoft.authorization": AUTHORIZATION_API,
        "microsoft.managedidentity": IDENTITY_API,
    }
    return others.get(namespace, COMPUTE_API)

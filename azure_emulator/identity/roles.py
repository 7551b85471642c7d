"""Azure's built-in roles, and what their assignments let a principal do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ..base.principals import Principal, allows
from ..base.resource_types import ROLE_ASSIGNMENT, ROLE_DEFINITION
from ..state import Emulator

CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"


@dataclass(frozen=True)
class Role:
    name: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()
    description: str = ""

    def allows(self, action: str) -> bool:
        return allows(self.actions, self.not_actions, action)


COMMON = (
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.ResourceHealth/availabilityStatuses/read",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Support/*",
)
# By the GUID of the role definition.
ROLES: dict[str, Role] = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": Role(
        "Owner",
        ("*",),
        description="Grants full access to manage all resources, including the ability to assign "
        "roles in Azure RBAC.",
    ),
    CONTRIBUTOR: Role(
        "Contributor",
        ("*",),
        (
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
        ),
        "Grants full access to manage all resources, but does not allow you to assign roles in "
        "Azure RBAC, manage assignments in Azure Blueprints, or share image galleries.",
    ),
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": Role(
        "Reader",
        ("*/read",),
        description="View all resources, but does not allow you to make any changes.",
    ),
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": Role(
        "User Access Administrator",
        ("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"),
        description="Lets you manage user access to Azure resources.",
    ),
    "9980e02c-c2be-4d73-94e8-173b1dc7cf3c": Role(
        "Virtual Machine Contributor",
        (
            *COMMON,
            "Microsoft.Compute/availabilitySets/*",
            "Microsoft.Compute/locations/*",
            "Microsoft.Compute/virtualMachines/*",
            "Microsoft.Compute/virtualMachineScaleSets/*",
            "Microsoft.Compute/cloudServices/*",
            "Microsoft.Compute/disks/write",
            "Microsoft.Compute/disks/read",
            "Microsoft.Compute/disks/delete",
            "Microsoft.DevTestLab/schedules/*",
            "Microsoft.Network/applicationGateways/backendAddressPools/join/action",
            "Microsoft.Network/loadBalancers/backendAddressPools/join/action",
            "Microsoft.Network/loadBalancers/inboundNatPools/join/action",
            "Microsoft.Network/loadBalancers/inboundNatRules/join/action",
            "Microsoft.Network/loadBalancers/probes/join/action",
            "Microsoft.Network/loadBalancers/read",
            "Microsoft.Network/locations/*",
            "Microsoft.Network/networkInterfaces/*",
            "Microsoft.Network/networkSecurityGroups/join/action",
            "Microsoft.Network/networkSecurityGroups/read",
            "Microsoft.Network/publicIPAddresses/join/action",
            "Microsoft.Network/publicIPAddresses/read",
            "Microsoft.Network/virtualNetworks/read",
            "Microsoft.Network/virtualNetworks/subnets/join/action",
            "Microsoft.SqlVirtualMachine/*",
            "Microsoft.Storage/storageAccounts/listKeys/action",
            "Microsoft.Storage/storageAccounts/read",
        ),
    ),
    "4d97b98b-1d4f-4787-a291-c67834d212e7": Role(
        "Network Contributor", (*COMMON, "Microsoft.Network/*")
    ),
    "f1a07417-d97a-45cb-824c-7a7467783830": Role(
        "Managed Identity Operator",
        (
            *COMMON,
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
        ),
    ),
}


@dataclass(frozen=True)
class Holder(Principal):
    """A principal that may do what its role assignments say at the moment it asks."""

    em: Emulator | None = None

    def may(self, action: str, scope: str) -> bool:
        return self.em is not None and any(
            role.allows(action) for role in _assigned(self.em, self.object_id, scope)
        )

    def granted(self, scope: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        roles = _assigned(self.em, self.object_id, scope) if self.em is not None else []
        return [(role.actions, role.not_actions) for role in roles]


def holder(em: Emulator, principal_id: str, expires: datetime) -> Holder:
    return Holder(principal_id, expires=expires, em=em)


def _assigned(em: Emulator, principal_id: str, scope: str) -> list[Role]:
    """Return the roles that hold there: an assignment counts for its scope and all below."""
    found = []
    for assignment in em.store.extensions.values():
        if assignment.type != ROLE_ASSIGNMENT:
            continue
        properties = assignment.properties
        above = str(properties["scope"]).lower().rstrip("/") + "/"
        role = _role(em, str(properties["roleDefinitionId"]).lower().rsplit("/", 1)[-1])
        if (
            role
            and properties["principalId"].lower() == principal_id.lower()
            and f"{scope}/".lower().startswith(above)
        ):
            found.append(role)
    return found


def _role(em: Emulator, name: str) -> Role | None:
    """Return a built-in role, or one of one's own, by its GUID."""
    if name in ROLES:
        return ROLES[name]
    identifier = f"/subscriptions/{em.store.subscription_id}/providers/{ROLE_DEFINITION}/{name}"
    own = em.store.extensions.get(identifier.lower())
    if own is None:
        return None
    parts = own.properties["permissions"]
    return Role(
        own.properties["roleName"],
        tuple(action for part in parts for action in part["actions"]),
        tuple(action for part in parts for action in part["notActions"]),
    )

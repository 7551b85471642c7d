"""What a user must be allowed to do on Azure: a custom role with these actions and no more.

tests/end_to_end/test_role.py runs a cluster's life with exactly ACTIONS, and sees it fail without
any one of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ..plan.resource_types import (
    DISK,
    NIC,
    NSG,
    PUBLIC_IP,
    ROLE_ASSIGNMENT,
    SCALE_SET,
    SUBNET,
    VIRTUAL_MACHINE,
    VIRTUAL_NETWORK,
)
from ..resource_ids import subscription_scope

NAME = "ipcluster-azure user"
GROUP = "Microsoft.Resources/subscriptions/resourceGroups"

ACTIONS = (
    # list, reap
    "Microsoft.Resources/subscriptions/resources/read",
    f"{GROUP}/resources/read",
    # before a start
    "Microsoft.Compute/skus/read",
    "Microsoft.Compute/locations/usages/read",
    # what a cluster is made of
    *(f"{GROUP}/{verb}" for verb in ("read", "write", "delete")),
    *(
        f"{kind}/{verb}"
        for kind in (NSG, PUBLIC_IP, VIRTUAL_NETWORK, NIC, VIRTUAL_MACHINE, SCALE_SET)
        for verb in ("read", "write", "delete")
    ),
    # what refers to what
    *(f"{kind}/join/action" for kind in (NSG, PUBLIC_IP, SUBNET, NIC)),
    # disks that a failed deletion has left behind
    f"{DISK}/read",
    f"{DISK}/delete",
)
# without these a start goes on, and warns: Azure does not end the machines by the clock
SCHEDULE_ACTIONS = (
    "Microsoft.ComputeSchedule/register/action",
    "Microsoft.ComputeSchedule/locations/virtualMachinesSubmitDeallocate/action",
)
# without these a start goes on: what they would tell beforehand, Azure says when it refuses
LOOK_ACTIONS = (
    "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read",
    "Microsoft.Compute/images/read",
    "Microsoft.Compute/galleries/images/read",
    "Microsoft.Compute/galleries/images/versions/read",
    "Microsoft.MarketplaceOrdering/offertypes/publishers/offers/plans/agreements/read",
    f"{SUBNET}/read",
    f"{NIC}/effectiveNetworkSecurityGroups/action",
    f"{VIRTUAL_MACHINE}/retrieveBootDiagnosticsData/action",
)
# for self_deletion: the machine's identity is given rights on the cluster
SELF_DELETION_ACTIONS = (f"{ROLE_ASSIGNMENT}/write", "Microsoft.Authorization/permissions/read")
# Azure's own roles for machines have them; the emulator does not ask for them. Unverified: whether
# Azure does, for a disk that comes with its machine, and for machines that are named in a schedule
UNVERIFIED_ACTIONS = (f"{DISK}/write", f"{VIRTUAL_MACHINE}/deallocate/action")


def role_definition(subscription_id: str, *, self_deletion: bool = False) -> dict[str, Any]:
    """Return the custom role as `az role definition create --role-definition` takes it."""
    optional = [*LOOK_ACTIONS, *SCHEDULE_ACTIONS, *UNVERIFIED_ACTIONS]
    if self_deletion:
        optional += SELF_DELETION_ACTIONS
    return {
        "Name": NAME,
        "Description": "Starts, shows and deletes ipyparallel clusters with ipcluster-azure.",
        "Actions": sorted((*ACTIONS, *optional)),
        "NotActions": [],
        "AssignableScopes": [subscription_scope(subscription_id)],
    }


def lacking(
    permissions: Iterable[Mapping[str, Sequence[str]]], actions: Iterable[str]
) -> list[str]:
    """Return those of the `actions` that none of the caller's roles allows.

    `permissions`: `actions` and `notActions` of each role, as Microsoft.Authorization/permissions
    lists them. What one role excludes another may allow.
    """
    roles = list(permissions)
    return [
        action
        for action in actions
        if not any(
            _any_like(role.get("actions") or (), action)
            and not _any_like(role.get("notActions") or (), action)
            for role in roles
        )
    ]


def _any_like(patterns: Iterable[str], action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)

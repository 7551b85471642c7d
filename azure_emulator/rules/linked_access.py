"""What a request needs besides its own action: access to the resources that its body names."""

from __future__ import annotations

from collections.abc import Iterator

from ..base.calls import Call

LINKED = {
    "microsoft.network/virtualnetworks/subnets": "Microsoft.Network/virtualNetworks/subnets/join",
    "microsoft.network/publicipaddresses": "Microsoft.Network/publicIPAddresses/join",
    "microsoft.network/networksecuritygroups": "Microsoft.Network/networkSecurityGroups/join",
    "microsoft.network/networkinterfaces": "Microsoft.Network/networkInterfaces/join",
    "microsoft.network/natgateways": "Microsoft.Network/natGateways/join",
    "microsoft.network/routetables": "Microsoft.Network/routeTables/join",
    "microsoft.managedidentity/userassignedidentities": (
        "Microsoft.ManagedIdentity/userAssignedIdentities/assign"
    ),
}
READ = {
    "microsoft.compute/images": "Microsoft.Compute/images/read",
    "microsoft.compute/disks": "Microsoft.Compute/disks/read",
    "microsoft.compute/snapshots": "Microsoft.Compute/snapshots/read",
    "microsoft.compute/galleries/images": "Microsoft.Compute/galleries/images/read",
    "microsoft.compute/galleries/images/versions": (
        "Microsoft.Compute/galleries/images/versions/read"
    ),
}
ACTIONS = {kind: f"{action}/action" for kind, action in LINKED.items()} | READ
DEEPEST = 40


def needed(call: Call, body: object) -> Iterator[tuple[str, str]]:
    """Return (action, scope) of each resource that the body names, once each."""
    if call.method not in ("PUT", "PATCH"):
        return
    seen: set[str] = set()
    own = f"{call.scope}/".lower()
    for identifier in _named(body, DEEPEST):
        key = identifier.lower()
        action = ACTIONS.get(_type_of(key))
        if action and key not in seen and not key.startswith(own):
            seen.add(key)
            yield action, identifier


def _named(value: object, depth: int) -> Iterator[str]:
    """Return all ids in {"id": ...}, and the identities, which are members' names."""
    if depth == 0:
        return
    if isinstance(value, list):
        for item in value:
            yield from _named(item, depth - 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "id" and isinstance(item, str):
                yield item
            elif name == "userAssignedIdentities" and isinstance(item, dict):
                yield from item
            else:
                yield from _named(item, depth - 1)


def _type_of(identifier: str) -> str:
    """Return an id's type in lower case, such as microsoft.network/virtualnetworks/subnets."""
    parts = identifier.strip("/").split("/")
    if "providers" not in parts:
        return ""
    rest = parts[parts.index("providers") + 1 :]
    return "/".join([rest[0], *rest[1::2]]) if len(rest) > 1 else ""

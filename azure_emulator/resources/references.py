"""References to other resources: served ones must exist, others are believed if well-formed."""

from __future__ import annotations

import re

from ..base import errors
from ..base.messages import Json
from ..base.resource_types import NAT_GATEWAY, NIC, NSG, PUBLIC_IP, VNET
from ..base.store import Resource
from ..state import Emulator

# What these members must point to; the others point to types that are not served.
TYPES = {
    "natGateway": NAT_GATEWAY,
    "networkSecurityGroup": NSG,
    "linkedPublicIPAddress": PUBLIC_IP,
    "publicIpAddresses": PUBLIC_IP,
    "remoteVirtualNetwork": VNET,
    "servicePublicIPAddress": PUBLIC_IP,
}
SERVED = {kind.lower() for kind in (NAT_GATEWAY, NIC, NSG, PUBLIC_IP, VNET)}
RESOURCE_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/"
    r"(?P<namespace>[^/]+)/(?P<type>[^/]+)/[^/]+(/[^/]+/[^/]+)*",
    re.IGNORECASE,
)


def referenced(em: Emulator, reference: object, referrer: str, kind: str) -> Resource:
    """Return the served resource that {"id": ...} names; raises InvalidResourceReference."""
    identifier = reference.get("id") if isinstance(reference, dict) else None
    resource = em.store.find(identifier)
    if resource is None or resource.type != kind:
        raise errors.invalid_reference(str(identifier), referrer)
    return resource


def _shown(em: Emulator, member: str, reference: Json, referrer: str) -> Json:
    """Return the reference as Azure shows it: its id alone, in the resource's own spelling."""
    identifier = str(reference["id"])
    match = RESOURCE_ID.fullmatch(identifier)
    if match is None:
        raise errors.invalid_linked_id(identifier)
    if member in TYPES:
        return {"id": referenced(em, reference, referrer, TYPES[member]).id}
    if f"{match['namespace']}/{match['type']}".lower() in SERVED:
        raise errors.invalid_reference(identifier, referrer)
    return {"id": identifier}


def reduce(em: Emulator, properties: Json, members: tuple[str, ...], referrer: str) -> None:
    """Replace, in place, these members by references as Azure shows them."""
    for name in members:
        value = properties.get(name)
        if isinstance(value, list):
            properties[name] = [_shown(em, name, item, referrer) for item in value]
        elif value is not None:
            properties[name] = _shown(em, name, value, referrer)

"""NAT gateways: a way out for the subnets that name one."""

from __future__ import annotations

from ..base import errors, names, provider_errors
from ..base.messages import ArmRequest, ArmResponse
from ..base.resource_types import NAT_GATEWAY, PUBLIC_IP
from ..base.schema import check_network, write_to
from ..base.store import Resource
from ..resources.crud import begin_network_write
from ..resources.references import reduce, referenced
from ..resources.views import nat_gateway_subnets
from ..state import Emulator

REFERENCES = ("publicIpAddresses", "publicIpPrefixes", "publicIpAddressesV6", "publicIpPrefixesV6")


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_network(name)
    existing = em.store.lookup(group.name, NAT_GATEWAY, name)
    body = check_network("NatGateway", request.json_object(), write_to(existing))
    if existing:
        em.check_same_location(existing, body)
    gateway = existing or em.new_resource(group, NAT_GATEWAY, name, body)
    properties = dict(body.get("properties") or {})
    reduce(em, properties, REFERENCES, gateway.id)
    _check_addresses(em, gateway, properties.get("publicIpAddresses", []))
    gateway.tags = body.get("tags")
    gateway.properties = {
        "provisioningState": "Updating",
        "resourceGuid": gateway.properties.get("resourceGuid") or em.new_uuid(),
        "idleTimeoutInMinutes": 4,
        **properties,
    }
    gateway.top = {"sku": {"name": "Standard", "tier": "Regional", **(body.get("sku") or {})}}
    if "zones" in body:
        gateway.top["zones"] = body["zones"]
    em.store.add(gateway)
    return begin_network_write(em, request, gateway, created=existing is None)


def _check_addresses(em: Emulator, gateway: Resource, references: list[dict[str, str]]) -> None:
    """Refuse public addresses that are not Standard, or somebody else's."""
    others = [item for item in em.store.all(NAT_GATEWAY) if item is not gateway]
    for reference in references:
        address = referenced(em, reference, gateway.id, PUBLIC_IP)
        if address.top["sku"]["name"] == "Basic":
            raise errors.ArmError(
                400,
                "NatGatewayCannotBeAssociatedWithBasicPublicIp",
                f"NAT gateway {gateway.id} cannot use the Basic public IP address {address.id}.",
            )
        holder = (address.properties.get("ipConfiguration") or {}).get("id")
        for other in others:
            if reference in other.properties.get("publicIpAddresses", []):
                holder = other.id
        if holder:
            raise provider_errors.public_ip_in_use(gateway.id, address.id, holder)


def check_unused(em: Emulator, gateway: Resource) -> None:
    users = nat_gateway_subnets(em, gateway)
    if users:
        raise provider_errors.in_use(
            "InUseNatGatewayCannotBeDeleted",
            f"Nat Gateway {gateway.id} cannot be deleted because it is in use by the following "
            f"resources: {', '.join(users)}.",
        )

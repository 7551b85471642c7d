"""Virtual networks: their address space, and the subnets and peerings as they are stored."""

from __future__ import annotations

import ipaddress

from ..base import errors, names, provider_errors
from ..base.messages import ArmRequest, ArmResponse, Json
from ..base.resource_types import VNET
from ..base.schema import check_network, write_to
from ..base.store import Resource
from ..base.versions import includes
from ..base.versions_network import ENDPOINT_POLICIES, PRIVATE_SUBNETS
from ..guest.addresses import LOOPBACK, Network
from ..resources.crud import begin_network_write
from ..resources.references import reduce
from ..state import Emulator
from . import service_endpoints

SUBNET_REFERENCES = ("networkSecurityGroup", "routeTable", "natGateway", "serviceEndpointPolicies")

LARGEST, SMALLEST = 2, 29  # lengths of prefixes
# Multicast, broadcast, link-local, Azure's internal DNS: Microsoft's documentation of networks.
KEPT = tuple(
    map(Network, ("224.0.0.0/4", "255.255.255.255/32", "169.254.0.0/16", "168.63.129.16/32"))
)


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_network(name)
    existing = em.store.lookup(group.name, VNET, name)
    body = check_network("VirtualNetwork", request.json_object(), write_to(existing))
    if existing:
        em.check_same_location(existing, body)
    vnet = existing or em.new_resource(group, VNET, name, body)
    properties = body["properties"]
    prefixes = _prefixes(properties["addressSpace"]["addressPrefixes"])
    _refuse_shared_loopback(em, vnet, prefixes)
    subnets = [
        stored_subnet(em, vnet, item, request.api_version) for item in properties.get("subnets", [])
    ]
    names.check_different([subnet["name"] for subnet in subnets], vnet.id)
    check_subnets(vnet, prefixes, subnets)
    if existing:
        _refuse_lost_subnets(em, existing, subnets)
    reduce(em, properties, ("ddosProtectionPlan",), vnet.id)
    peerings = [
        stored_peering(em, vnet, item) for item in properties.get("virtualNetworkPeerings", [])
    ]
    vnet.tags = body.get("tags")
    vnet.properties = {
        "provisioningState": "Updating",
        "resourceGuid": vnet.properties.get("resourceGuid") or em.new_uuid(),
        "privateEndpointVNetPolicies": "Disabled",
        **properties,
        "subnets": subnets,
        "virtualNetworkPeerings": peerings,
        "enableDdosProtection": properties.get("enableDdosProtection", False),
        "enableVmProtection": properties.get("enableVmProtection", False),
    }
    em.store.add(vnet)
    return begin_network_write(em, request, vnet, created=existing is None)


def _prefixes(values: list[str]) -> list[Network]:
    if not values:
        raise errors.ArmError(
            400, "InvalidAddressSpace", "The virtual network has no address prefix."
        )
    found = [_of_space(value) for value in values]
    for number, prefix in enumerate(found):
        for other in found[:number]:
            if prefix.overlaps(other):
                raise errors.ArmError(
                    400,
                    "AddressPrefixesOverlap",
                    f"The address prefixes {other} and {prefix} of the virtual network overlap.",
                )
    return found


def _of_space(value: str) -> Network:
    """Return a prefix of an address space; raises Azure's refusal of what Azure keeps."""
    prefix = _prefix(value)
    if not LARGEST <= prefix.prefixlen <= SMALLEST or any(map(prefix.overlaps, KEPT)):
        raise errors.ArmError(
            400,
            "InvalidAddressPrefix",
            f"Address prefix {value} is not allowed: it must be a /{LARGEST} to /{SMALLEST} and "
            f"contain none of {', '.join(map(str, KEPT))}.",
        )
    return prefix


def _prefix(value: str) -> Network:
    try:
        return Network(value if "/" in value else "")
    except ValueError:
        message = f"Address prefix {value} is invalid: it must be an IPv4 network in CIDR notation."
        raise errors.ArmError(400, "InvalidCIDRNotation", message) from None


def address_space(vnet: Resource) -> list[Network]:
    return [Network(text) for text in vnet.properties["addressSpace"]["addressPrefixes"]]


def networks_in_use(em: Emulator) -> dict[str, list[Network]]:
    """Return VNet id -> its address prefixes."""
    return {vnet.key: address_space(vnet) for vnet in em.store.all(VNET)}


def _refuse_shared_loopback(em: Emulator, vnet: Resource, prefixes: list[Network]) -> None:
    """Refuse VNets that overlap: here, unlike on Azure, they would be the same addresses."""
    for prefix in prefixes:
        for other, taken in networks_in_use(em).items():
            if other == vnet.key or not prefix.overlaps(LOOPBACK):
                continue
            if any(prefix.overlaps(network) for network in taken):
                raise errors.ArmError(
                    409,
                    "LoopbackAddressPrefixInUse",
                    f"Address prefix {prefix} overlaps with that of {other}. Within 127.0.0.0/8 "
                    "this endpoint's machines share the loopback interface, so prefixes must not "
                    "overlap; GET /emulator/offer names a free one.",
                )


def stored_subnet(em: Emulator, vnet: Resource, body: Json, api_version: str) -> Json:
    """Return the stored form of a subnet: its name and its properties."""
    if not body.get("name"):
        raise errors.ArmError(400, "InvalidRequestFormat", "Subnet name is missing in the request.")
    names.check_network(body["name"])
    properties = dict(body.get("properties") or {})
    prefixes = properties.get("addressPrefixes") or []
    prefix = properties.get("addressPrefix") or (prefixes[0] if len(prefixes) == 1 else None)
    if not prefix:
        raise errors.ArmError(
            400, "NetcfgInvalidSubnet", f"Subnet '{body['name']}' needs one address prefix."
        )
    properties["addressPrefix"] = prefix
    if includes(PRIVATE_SUBNETS, api_version):
        properties.setdefault("defaultOutboundAccess", False)
    guarded = includes(ENDPOINT_POLICIES, api_version)
    properties.setdefault("privateEndpointNetworkPolicies", "Enabled" if guarded else "Disabled")
    service_endpoints.check(properties.get("serviceEndpoints", []))
    properties["serviceEndpoints"] = [
        {"locations": [vnet.location], **item} for item in properties.get("serviceEndpoints", [])
    ]
    reduce(em, properties, SUBNET_REFERENCES, f"{vnet.id}/subnets/{body['name']}")
    return {"name": body["name"], "properties": properties}


def stored_peering(em: Emulator, vnet: Resource, body: Json) -> Json:
    """Return the stored form of a peering; the remote addresses are looked up when it is shown."""
    if not body.get("name"):
        message = "Peering name is missing in the request."
        raise errors.ArmError(400, "InvalidRequestFormat", message)
    names.check_network(body["name"])
    properties = {
        "allowVirtualNetworkAccess": True,
        "allowForwardedTraffic": False,
        "allowGatewayTransit": False,
        "useRemoteGateways": False,
        "doNotVerifyRemoteGateways": False,
        **body["properties"],
    }
    if "remoteVirtualNetwork" not in properties:
        message = f"Peering {body['name']} of {vnet.id} does not have a remote virtual network."
        raise errors.ArmError(400, "RemoteVnetMissing", message)
    reduce(em, properties, ("remoteVirtualNetwork",), f"{vnet.id}")
    return {"name": body["name"], "properties": properties}


def check_subnets(vnet: Resource, prefixes: list[Network], subnets: list[Json]) -> None:
    seen: list[Network] = []
    labels: set[str] = set()
    for subnet in subnets:
        name = subnet["name"]
        network = _prefix(subnet["properties"]["addressPrefix"])
        if network.prefixlen > 29 or not any(network.subnet_of(prefix) for prefix in prefixes):
            raise errors.ArmError(
                400,
                "NetcfgInvalidSubnet",
                f"Subnet '{name}' is not valid in virtual network '{vnet.name}'.",
            )
        if name.lower() in labels or any(network.overlaps(other) for other in seen):
            raise errors.ArmError(
                400,
                "NetcfgSubnetRangesOverlap",
                f"Subnet '{name}' is not valid because its IP address range overlaps with that of "
                f"an existing subnet in virtual network '{vnet.name}'.",
            )
        labels.add(name.lower())
        seen.append(network)


def _refuse_lost_subnets(em: Emulator, vnet: Resource, subnets: list[Json]) -> None:
    kept = {item["name"].lower(): item["properties"]["addressPrefix"] for item in subnets}
    for subnet in vnet.properties["subnets"]:
        prefix = subnet["properties"]["addressPrefix"]
        if kept.get(subnet["name"].lower()) != prefix:
            refuse_subnet_in_use(em, vnet, subnet["name"])


def refuse_subnet_in_use(em: Emulator, vnet: Resource, name: str) -> None:
    owners = em.private_addresses.owners(f"{vnet.id}/subnets/{name}")
    if owners:
        raise provider_errors.subnet_in_use(name, owners[0])


def check_unused(em: Emulator, vnet: Resource) -> None:
    for subnet in vnet.properties["subnets"]:
        refuse_subnet_in_use(em, vnet, subnet["name"])


def find_subnet(em: Emulator, identifier: object) -> tuple[Resource, Json] | None:
    """Return the VNet and the stored subnet that an id names."""
    if not isinstance(identifier, str) or "/subnets/" not in identifier.lower():
        return None
    at = identifier.lower().rindex("/subnets/")
    vnet = em.store.find(identifier[:at])
    if vnet is None or vnet.type != VNET:
        return None
    wanted = identifier[at + len("/subnets/") :].lower()
    for subnet in vnet.properties["subnets"]:
        if subnet["name"].lower() == wanted:
            return vnet, subnet
    return None


def contains(vnet: Resource, address: str) -> bool:
    value = ipaddress.IPv4Address(address)
    return any(value in network for network in address_space(vnet))

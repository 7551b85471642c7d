"""Virtual networks and their subnets."""

from __future__ import annotations

import ipaddress

from . import errors, names
from .addresses import LOOPBACK, Network
from .arm import ArmRequest, ArmResponse, Json, page
from .crud import begin_network_write, referenced
from .schema import check_network, write_to
from .state import Emulator
from .store import Resource
from .views import NETWORK, NSG, VNET, show_subnet


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
    subnets = [_subnet(em, vnet, item) for item in properties.get("subnets", [])]
    _check_subnets(vnet, prefixes, subnets)
    if existing:
        _refuse_lost_subnets(em, existing, subnets)
    vnet.tags = body.get("tags")
    vnet.properties = {
        "provisioningState": "Updating",
        "resourceGuid": vnet.properties.get("resourceGuid") or em.new_uuid(),
        "dhcpOptions": {"dnsServers": []},
        "privateEndpointVNetPolicies": "Disabled",
        **properties,
        "subnets": subnets,
        "virtualNetworkPeerings": [],
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
    return [_prefix(value) for value in values]


def _prefix(value: str) -> Network:
    try:
        return Network(value)
    except ValueError:
        message = f"Address prefix {value} is invalid: it must be an IPv4 network in CIDR notation."
        raise errors.ArmError(400, "InvalidCIDRNotation", message) from None


def networks_in_use(em: Emulator) -> dict[str, list[Network]]:
    """VNet id -> its address prefixes."""
    return {
        vnet.key: [Network(text) for text in vnet.properties["addressSpace"]["addressPrefixes"]]
        for vnet in em.store.all(VNET)
    }


def _refuse_shared_loopback(em: Emulator, vnet: Resource, prefixes: list[Network]) -> None:
    """Azure lets VNets overlap; here two of them would be the same loopback addresses."""
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


def _subnet(em: Emulator, vnet: Resource, body: Json) -> Json:
    """The stored form of a subnet: its name and its properties."""
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
    properties.setdefault("defaultOutboundAccess", False)
    owner = f"{vnet.id}/subnets/{body['name']}"
    if "networkSecurityGroup" in properties:
        nsg = referenced(em, properties["networkSecurityGroup"], owner, NSG)
        properties["networkSecurityGroup"] = {"id": nsg.id}
    if "natGateway" in properties:
        raise errors.invalid_reference(properties["natGateway"]["id"], owner)
    return {"name": body["name"], "properties": properties}


def _check_subnets(vnet: Resource, prefixes: list[Network], subnets: list[Json]) -> None:
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
        raise errors.in_use(
            "InUseSubnetCannotBeDeleted",
            f"Subnet {name} is in use by {owners[0]} and cannot be deleted. In order to delete the "
            "subnet, delete all the resources within the subnet. See aka.ms/deletesubnet.",
        )


def check_unused(em: Emulator, vnet: Resource) -> None:
    for subnet in vnet.properties["subnets"]:
        refuse_subnet_in_use(em, vnet, subnet["name"])


def find_subnet(em: Emulator, identifier: object) -> tuple[Resource, Json] | None:
    """The VNet and the stored subnet that an id names."""
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


def _vnet_and_subnet(em: Emulator, request: ArmRequest) -> tuple[Resource, Json | None]:
    vnet = em.store.get(request.params["group"], VNET, request.params["name"])
    found = find_subnet(em, f"{vnet.id}/subnets/{request.params['child']}")
    return vnet, found[1] if found else None


def get_subnet(em: Emulator, request: ArmRequest) -> ArmResponse:
    vnet, subnet = _vnet_and_subnet(em, request)
    if subnet is None:
        raise errors.child_not_found(f"{vnet.id}/subnets/{request.params['child']}")
    return ArmResponse(200, show_subnet(em, vnet, subnet, request.api_version), {"ETag": vnet.etag})


def list_subnets(em: Emulator, request: ArmRequest) -> ArmResponse:
    vnet = em.store.get(request.params["group"], VNET, request.params["name"])
    return page(
        [
            show_subnet(em, vnet, subnet, request.api_version)
            for subnet in vnet.properties["subnets"]
        ]
    )


def put_subnet(em: Emulator, request: ArmRequest) -> ArmResponse:
    em.store.writable_group(request.params["group"])
    vnet, old = _vnet_and_subnet(em, request)
    body = check_network("Subnet", request.json_object(), write_to(old))
    new = _subnet(em, vnet, {**body, "name": request.params["child"]})
    others = [item for item in vnet.properties["subnets"] if item is not old]
    if old and old["properties"]["addressPrefix"] != new["properties"]["addressPrefix"]:
        refuse_subnet_in_use(em, vnet, old["name"])
    spaces = [Network(text) for text in vnet.properties["addressSpace"]["addressPrefixes"]]
    _check_subnets(vnet, spaces, [*others, new])
    vnet.properties["subnets"] = [*others, new]
    answer = begin_network_write(em, request, vnet, created=old is None)
    return ArmResponse(
        answer.status, show_subnet(em, vnet, new, request.api_version), answer.headers
    )


def delete_subnet(em: Emulator, request: ArmRequest) -> ArmResponse:
    vnet, subnet = _vnet_and_subnet(em, request)
    if subnet is None:
        return ArmResponse(204)
    refuse_subnet_in_use(em, vnet, subnet["name"])

    async def finish() -> None:
        refuse_subnet_in_use(em, vnet, subnet["name"])
        vnet.properties["subnets"] = [i for i in vnet.properties["subnets"] if i is not subnet]
        vnet.touch()

    duration_s = em.durations.draw("network_delete")
    operation = em.operations.start(NETWORK, vnet.location, duration_s, finish, monitor_status=204)
    headers = em.operations.headers(request, operation, retry_after_s=10, location=True)
    return ArmResponse(202, None, headers)


def contains(vnet: Resource, address: str) -> bool:
    value = ipaddress.IPv4Address(address)
    return any(
        value in Network(text) for text in vnet.properties["addressSpace"]["addressPrefixes"]
    )

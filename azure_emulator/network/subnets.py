"""Requests for a subnet of its own, and questions about a virtual network's addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ..base import errors, provider_errors
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import VNET
from ..base.schema import check_network, write_to
from ..base.store import Resource
from ..guest.addresses import Network
from ..resources.crud import begin_network_deletion, begin_network_write
from ..resources.views import show_subnet
from ..state import Emulator
from .networks import address_space, check_subnets, find_subnet, refuse_subnet_in_use, stored_subnet

PROPOSED = 5  # so many free addresses are named in place of a taken one


def _vnet(em: Emulator, request: ArmRequest) -> Resource:
    return em.store.get(request.params["group"], VNET, request.params["name"])


def _vnet_and_subnet(em: Emulator, request: ArmRequest) -> tuple[Resource, Json | None]:
    vnet = _vnet(em, request)
    found = find_subnet(em, f"{vnet.id}/subnets/{request.params['child']}")
    return vnet, found[1] if found else None


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    vnet, subnet = _vnet_and_subnet(em, request)
    if subnet is None:
        raise errors.child_not_found(f"{vnet.id}/subnets/{request.params['child']}")
    body = show_subnet(em, vnet, subnet, request.api_version)
    return ArmResponse(200, body, {"ETag": vnet.etag})


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    vnet = _vnet(em, request)
    subnets = vnet.properties["subnets"]
    return page([show_subnet(em, vnet, subnet, request.api_version) for subnet in subnets])


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    em.store.writable_group(request.params["group"])
    vnet, old = _vnet_and_subnet(em, request)
    body = check_network("Subnet", request.json_object(), write_to(old))
    new = stored_subnet(em, vnet, {**body, "name": request.params["child"]}, request.api_version)
    others = [item for item in vnet.properties["subnets"] if item is not old]
    if old and old["properties"]["addressPrefix"] != new["properties"]["addressPrefix"]:
        refuse_subnet_in_use(em, vnet, old["name"])
    check_subnets(vnet, address_space(vnet), [*others, new])
    vnet.properties["subnets"] = [*others, new]
    answer = begin_network_write(em, request, vnet, created=old is None)
    shown = show_subnet(em, vnet, new, request.api_version)
    return ArmResponse(answer.status, shown, answer.headers)


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    vnet, subnet = _vnet_and_subnet(em, request)
    if subnet is None:
        return ArmResponse(204)
    refuse_subnet_in_use(em, vnet, subnet["name"])

    async def finish() -> None:
        refuse_subnet_in_use(em, vnet, subnet["name"])
        vnet.properties["subnets"] = [i for i in vnet.properties["subnets"] if i is not subnet]
        vnet.touch()

    return begin_network_deletion(em, request, vnet.location, finish)


def check_address(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer CheckIPAddressAvailability: whether an address is free, and which others are."""
    vnet = _vnet(em, request)
    wanted = request.query.get("ipaddress", "")
    try:
        address = ipaddress.IPv4Address(wanted)
    except ValueError:
        message = f"IP address {wanted} is not valid."
        raise errors.ArmError(400, "InvalidIPAddressFormat", message) from None
    for subnet in vnet.properties["subnets"]:
        prefix = subnet["properties"]["addressPrefix"]
        if address in Network(prefix):
            free = em.private_addresses.free(f"{vnet.id}/subnets/{subnet['name']}", prefix)
            return ArmResponse(200, _availability(address, Network(prefix), free))
    raise provider_errors.address_in_no_subnet(wanted, vnet.id)


def _availability(wanted: ipaddress.IPv4Address, network: Network, free: Iterator[str]) -> Json:
    proposed: list[str] = []
    for address in free:
        if address == str(wanted):
            return {"available": True, "isPlatformReserved": False}
        if len(proposed) < PROPOSED:
            proposed.append(address)
    return {
        "available": False,
        "availableIPAddresses": proposed,
        "isPlatformReserved": wanted in {network[index] for index in (0, 1, 2, 3, -1)},
    }


def list_usages(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer how full each subnet is."""
    vnet = _vnet(em, request)
    items: list[Json] = []
    for subnet in vnet.properties["subnets"]:
        identifier = f"{vnet.id}/subnets/{subnet['name']}"
        size = Network(subnet["properties"]["addressPrefix"]).num_addresses
        items.append(
            {
                "currentValue": len(em.private_addresses.owners(identifier)),
                "id": identifier,
                "limit": size - 5,
                "name": {"localizedValue": "Subnet size and usage", "value": "SubnetSpace"},
                "unit": "Count",
            }
        )
    return page(items)

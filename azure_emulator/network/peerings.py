"""Peerings between virtual networks: kept and shown; no traffic passes through them."""

from __future__ import annotations

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import VNET
from ..base.schema import check_network, write_to
from ..base.store import Resource
from ..resources.crud import begin_network_deletion, begin_network_write
from ..resources.views import show_peering
from ..state import Emulator
from .networks import stored_peering


def _vnet_and_peering(em: Emulator, request: ArmRequest) -> tuple[Resource, Json | None]:
    vnet = em.store.get(request.params["group"], VNET, request.params["name"])
    wanted = request.params["child"].lower()
    peerings = vnet.properties["virtualNetworkPeerings"]
    return vnet, next((item for item in peerings if item["name"].lower() == wanted), None)


def get(em: Emulator, request: ArmRequest) -> ArmResponse:
    vnet, peering = _vnet_and_peering(em, request)
    if peering is None:
        missing = f"{vnet.id}/virtualNetworkPeerings/{request.params['child']}"
        raise errors.child_not_found(missing)
    body = show_peering(em, vnet, peering, request.api_version)
    return ArmResponse(200, body, {"ETag": vnet.etag})


def list_(em: Emulator, request: ArmRequest) -> ArmResponse:
    vnet = em.store.get(request.params["group"], VNET, request.params["name"])
    peerings = vnet.properties["virtualNetworkPeerings"]
    return page([show_peering(em, vnet, item, request.api_version) for item in peerings])


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    em.store.writable_group(request.params["group"])
    vnet, old = _vnet_and_peering(em, request)
    body = check_network("VirtualNetworkPeering", request.json_object(), write_to(old))
    new = stored_peering(em, vnet, {**body, "name": request.params["child"]})
    others = [item for item in vnet.properties["virtualNetworkPeerings"] if item is not old]
    vnet.properties["virtualNetworkPeerings"] = [*others, new]
    answer = begin_network_write(em, request, vnet, created=old is None, retry_after_s=10)
    shown = show_peering(em, vnet, new, request.api_version)
    return ArmResponse(answer.status, shown, answer.headers)


def delete(em: Emulator, request: ArmRequest) -> ArmResponse:
    vnet, peering = _vnet_and_peering(em, request)
    if peering is None:
        return ArmResponse(204)

    async def finish() -> None:
        peerings = vnet.properties["virtualNetworkPeerings"]
        vnet.properties["virtualNetworkPeerings"] = [i for i in peerings if i is not peering]
        vnet.touch()

    return begin_network_deletion(em, request, vnet.location, finish)

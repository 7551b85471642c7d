"""Interfaces and addresses of a Uniform scale set's machines, in Microsoft.Network's versions."""

from __future__ import annotations

from ..base import errors
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import NIC, PUBLIC_IP, SCALE_SET
from ..base.store import Resource
from ..resources.views import show
from ..state import Emulator
from . import scale_set_model
from .uniform import find


def list_interfaces(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer the interfaces of a machine, or of all machines of the scale set."""
    return page([_shown_interface(em, nic, request) for nic in _below(em, request, NIC)])


def get_interface(em: Emulator, request: ArmRequest) -> ArmResponse:
    for nic in _below(em, request, NIC):
        if nic.name.lower() == request.params["interface"].lower():
            return ArmResponse(200, _shown_interface(em, nic, request), {"ETag": nic.etag})
    raise errors.child_not_found(request.path)


def list_public_ips(em: Emulator, request: ArmRequest) -> ArmResponse:
    return page([_without_envelope(em, item, request) for item in _below(em, request, PUBLIC_IP)])


def _below(em: Emulator, request: ArmRequest, kind: str) -> list[Resource]:
    scale_set = em.store.get(request.params["group"], SCALE_SET, request.params["name"])
    place = scale_set.key
    if "instance" in request.params:
        place = find(em, request)[1].key
    if not scale_set_model.is_uniform(scale_set):
        return []
    return [
        item for item in em.store.all(kind, scale_set.group) if item.key.startswith(f"{place}/")
    ]


def _without_envelope(em: Emulator, resource: Resource, request: ArmRequest) -> Json:
    body = show(em, resource, request.api_version)
    return {name: body[name] for name in ("name", "id", "etag", "properties")}


def _shown_interface(em: Emulator, nic: Resource, request: ArmRequest) -> Json:
    body = _without_envelope(em, nic, request)
    vm = em.store.find(nic.properties["virtualMachine"]["id"])
    known = vm.hidden["networkConfigurations"] if vm else []
    model: Json = next((item for item in known if item["name"] == nic.name), {"properties": {}})
    properties = {**body["properties"]}
    properties.pop("nicType", None)
    properties["ipConfigurations"] = [
        _with_load_balancer(item, model, nic) for item in properties["ipConfigurations"]
    ]
    return {**body, "properties": properties}


def _with_load_balancer(shown: Json, model: Json, nic: Resource) -> Json:
    """Add what the model says of load balancers, which are not served and thus believed."""
    given: Json = next(
        (
            item["properties"]
            for item in model["properties"].get("ipConfigurations", [])
            if item["name"] == shown["name"]
        ),
        {},
    )
    properties = {**shown["properties"]}
    if given.get("loadBalancerBackendAddressPools"):
        properties["loadBalancerBackendAddressPools"] = given["loadBalancerBackendAddressPools"]
    if given.get("loadBalancerInboundNatPools"):
        number = nic.id.split("/virtualMachines/")[1].split("/")[0]
        properties["loadBalancerInboundNatRules"] = [
            {"id": f"{pool['id'].replace('/inboundNatPools/', '/inboundNatRules/')}.{number}"}
            for pool in given["loadBalancerInboundNatPools"]
        ]
    return {**{key: shown[key] for key in shown if key != "type"}, "properties": properties}

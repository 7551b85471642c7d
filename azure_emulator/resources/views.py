"""Resources as ARM shows them: the stored parts, plus what follows from other resources."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from ..base import versions
from ..base.messages import Json
from ..base.resource_types import DISK, NAT_GATEWAY, NETWORK, NIC, NSG, PEERING, SCALE_SET, VM, VNET
from ..base.store import Group, Resource
from ..state import Emulator
from . import compute_views
from .default_rules import DEFAULT_RULES, default_rule


def show(em: Emulator, resource: Resource, api_version: str) -> Json:
    """Return the resource as a client of that api-version sees it."""
    body: Json = {"name": resource.name, "id": resource.id}
    if resource.type.startswith(NETWORK):
        body["etag"] = resource.etag
    body |= {"type": resource.type, "location": resource.location}
    if resource.tags is not None:
        body["tags"] = resource.tags
    body["properties"] = _properties(em, resource, api_version)
    return versions.shown(resource.type, api_version, body | resource.top)


def show_group(group: Group, api_version: str) -> Json:
    body: Json = {
        "id": group.id,
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
    }
    if group.managed_by:
        body["managedBy"] = group.managed_by
    if group.tags is not None:
        body["tags"] = group.tags
    body["properties"] = {"provisioningState": group.state}
    return versions.shown("Microsoft.Resources/resourceGroups", api_version, body)


def show_in_list(resource: Resource, expand: Collection[str] = ()) -> Json:
    """Return one line of a group's resource list, which has no properties.

    `expand`: what is to be shown besides, as the query's $expand names it.
    """
    body: Json = {"id": resource.id, "name": resource.name, "type": resource.type}
    body |= {name: resource.top[name] for name in ("sku", "zones") if name in resource.top}
    body["location"] = resource.location
    if "provisioningState" in expand:
        body["provisioningState"] = resource.properties.get("provisioningState", "Succeeded")
    return body | ({} if resource.tags is None else {"tags": resource.tags})


def _properties(em: Emulator, resource: Resource, api_version: str) -> Json:
    if resource.type == VNET:
        subnets = [
            show_subnet(em, resource, item, api_version) for item in resource.properties["subnets"]
        ]
        peerings = [
            show_peering(em, resource, item, api_version)
            for item in resource.properties["virtualNetworkPeerings"]
        ]
        return {**resource.properties, "subnets": subnets, "virtualNetworkPeerings": peerings}
    if resource.type == SCALE_SET:
        return compute_views.scale_set(resource, api_version)
    if resource.type == VM:
        return compute_views.virtual_machine(resource, api_version)
    if resource.type == DISK:
        return compute_views.disk(resource, api_version)
    if resource.type == NSG:
        return _security_group(em, resource, api_version)
    if resource.type == NIC:
        items = [{**i, "etag": resource.etag} for i in resource.properties["ipConfigurations"]]
        return {**resource.properties, "ipConfigurations": items}
    if resource.type == NAT_GATEWAY and (users := nat_gateway_subnets(em, resource)):
        return {**resource.properties, "subnets": [{"id": user} for user in users]}
    return resource.properties


def show_subnet(em: Emulator, vnet: Resource, subnet: Json, api_version: str) -> Json:
    identifier = f"{vnet.id}/subnets/{subnet['name']}"
    properties = {
        "provisioningState": vnet.properties["provisioningState"],
        "subnetID": 0,
        **subnet["properties"],
        "delegations": [
            _delegation(identifier, vnet, item)
            for item in subnet["properties"].get("delegations", [])
        ],
    }
    properties.setdefault("privateLinkServiceNetworkPolicies", "Enabled")
    endpoints = properties.pop("serviceEndpoints", [])
    if endpoints:
        state = {"provisioningState": properties["provisioningState"]}
        properties["serviceEndpoints"] = [{**state, **item} for item in endpoints]
    owners = em.private_addresses.owners(identifier)
    if owners:
        properties["ipConfigurations"] = [{"id": owner} for owner in owners]
    body = {
        "name": subnet["name"],
        "id": identifier,
        "etag": vnet.etag,
        "properties": properties,
        "type": f"{VNET}/subnets",
    }
    return versions.shown(f"{VNET}/subnets", api_version, body)


def _delegation(subnet_id: str, vnet: Resource, item: Json) -> Json:
    name = item.get("name", "delegation")
    properties = {"provisioningState": vnet.properties["provisioningState"], "actions": []}
    return {
        "name": name,
        "id": f"{subnet_id}/delegations/{name}",
        "etag": vnet.etag,
        "properties": {**properties, **(item.get("properties") or {})},
        "type": f"{VNET}/subnets/delegations",
    }


def show_peering(em: Emulator, vnet: Resource, peering: Json, api_version: str) -> Json:
    """Return a peering; it is Connected as soon as the other network has a peering back."""
    remote = em.store.find(peering["properties"]["remoteVirtualNetwork"]["id"])
    space = remote.properties["addressSpace"] if remote else {"addressPrefixes": []}
    back = remote is not None and any(
        refers_to(item["properties"], "remoteVirtualNetwork", vnet)
        for item in remote.properties["virtualNetworkPeerings"]
    )
    guids = [vnet.properties["resourceGuid"]]
    if remote:
        guids.append(remote.properties["resourceGuid"])
    body = {
        "name": peering["name"],
        "id": f"{vnet.id}/virtualNetworkPeerings/{peering['name']}",
        "etag": vnet.etag,
        "properties": {
            "peerCompleteVnets": True,
            **peering["properties"],
            "provisioningState": vnet.properties["provisioningState"],
            "resourceGuid": _common_guid(guids),
            "peeringState": "Connected" if back else "Initiated",
            "peeringSyncLevel": "FullyInSync" if back else "RemoteNotInSync",
            "remoteAddressSpace": space,
            "remoteVirtualNetworkAddressSpace": space,
            "routeServiceVips": {},
        },
        "type": PEERING,
    }
    return versions.shown(PEERING, api_version, body)


def _common_guid(guids: list[str]) -> str:
    """Return the id that both sides of a peering show (as recorded)."""
    value = 0
    for guid in guids:
        value ^= uuid.UUID(guid).int
    return str(uuid.UUID(int=value))


def nat_gateway_subnets(em: Emulator, gateway: Resource) -> list[str]:
    return [
        f"{vnet.id}/subnets/{subnet['name']}"
        for vnet in em.store.all(VNET)
        for subnet in vnet.properties["subnets"]
        if refers_to(subnet["properties"], "natGateway", gateway)
    ]


def show_rule(nsg: Resource, rule: Json, api_version: str, kind: str = "securityRules") -> Json:
    lists: Json = {
        name: []
        for name in (
            *("sourcePortRanges", "destinationPortRanges"),
            *("sourceAddressPrefixes", "destinationAddressPrefixes"),
        )
    }
    body = {
        "name": rule["name"],
        "id": f"{nsg.id}/{kind}/{rule['name']}",
        "etag": nsg.etag,
        "type": f"{NSG}/{kind}",
        "properties": {
            "provisioningState": nsg.properties["provisioningState"],
            **lists,
            **rule["properties"],
        },
    }
    return versions.shown(f"{NSG}/{kind}", api_version, body)


def _security_group(em: Emulator, nsg: Resource, api_version: str) -> Json:
    rules = [show_rule(nsg, rule, api_version) for rule in nsg.properties["securityRules"]]
    defaults = [
        show_rule(nsg, default_rule(*values), api_version, "defaultSecurityRules")
        for values in DEFAULT_RULES
    ]
    properties = {**nsg.properties, "securityRules": rules, "defaultSecurityRules": defaults}
    users = security_group_users(em, nsg)
    for name in ("networkInterfaces", "subnets"):
        found = [{"id": user} for user in users if f"/{name}/" in user]
        if found:
            properties[name] = found
    return properties


def refers_to(holder: Any, name: str, target: Resource) -> bool:
    """Return whether holder[name] is {"id": the target's id}."""
    reference = holder.get(name) if isinstance(holder, dict) else None
    return isinstance(reference, dict) and str(reference.get("id")).lower() == target.key


def security_group_users(em: Emulator, nsg: Resource) -> list[str]:
    users = [
        nic.id
        for nic in em.store.all(NIC)
        if refers_to(nic.properties, "networkSecurityGroup", nsg)
    ]
    for vnet in em.store.all(VNET):
        for subnet in vnet.properties["subnets"]:
            if refers_to(subnet["properties"], "networkSecurityGroup", nsg):
                users.append(f"{vnet.id}/subnets/{subnet['name']}")
    return users

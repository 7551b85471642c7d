"""What must exist before a recorded request can be asked: made as simply as Azure allows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from . import machines
from .sessions import UNKNOWN, Exchange, resource_type

Json = dict[str, Any]

GROUP = re.compile(r"(/subscriptions/[^/]+/resourcegroups/[^/]+)", re.IGNORECASE)
# What Azure adds to a resource and a client does not send.
ADDED = {
    *("etag", "type", "provisioningState", "resourceGuid", "vmId", "timeCreated", "instanceView"),
    *(
        "uniqueId",
        "macAddress",
        "virtualMachine",
        "hostedWorkloads",
        "tapConfigurations",
        "sizeInBytes",
    ),
    *(
        "appliedDnsServers",
        "internalDomainNameSuffix",
        "defaultSecurityRules",
        "networkInterfaces~",
    ),
    *(
        "subnets~",
        "virtualNetworkPeerings",
        "ipConfiguration",
        "exactVersion",
        "instanceId",
        "resources",
    ),
    *("latestModelApplied", "managedBy", "diskState", "diskSizeBytes", "principalId", "tenantId"),
    *("isArmResource", "diskIOPSReadWrite", "diskMBpsReadWrite", "sourceUniqueId", "ownerId"),
    *("requireGuestProvisionSignal", "ipAddress", "fqdn", "vnetEncryptionSupported", "encryption"),
}


def group_of(path: str) -> str | None:
    match = GROUP.match(path)
    return match[1] if match else None


def location_of(*values: Any) -> str:
    """The region that a body names; eastus if none does."""
    for value in values:
        if isinstance(value, dict) and isinstance(value.get("location"), str):
            return str(value["location"])
        if isinstance(value, dict) and isinstance(value.get("value"), list) and value["value"]:
            return location_of(value["value"][0])
    return "eastus"


def references(value: Any) -> Iterator[str]:
    """The ids of other resources that a request body names."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        identifier = value.get("id")
        if isinstance(identifier, str) and "/providers/" in identifier.lower():
            yield identifier
        yield from value.get("userAssignedIdentities") or ()
        for item in value.values():
            yield from references(item)


def request_body(answer: Any) -> Any:
    """A body that would have made what the answer shows."""
    if isinstance(answer, list):
        return [request_body(item) for item in answer]
    if not isinstance(answer, dict):
        return answer
    own_id = (
        {"id"} if len(answer.keys() - {"id", "resourceGroup"}) > 0 and "name" in answer else set()
    )
    return {
        name: request_body(item)
        for name, item in answer.items()
        if item is not None and name not in own_id and not _is_added(name, item)
    }


def _is_added(name: str, item: Any) -> bool:
    """A type may be a resource's, which Azure adds, or an extension's or identity's."""
    return name in ADDED and not (name == "type" and "/" not in str(item))


def body_for(exchange: Exchange) -> Any:
    """The body to send: the recorded one, or one made from the answer if none was recorded."""
    lost = exchange.method == "PUT" and exchange.body is None
    if exchange.body != UNKNOWN and not lost:
        return exchange.body
    if exchange.method in ("PUT", "PATCH") and isinstance(exchange.answer, dict):
        body = with_login(request_body(exchange.answer))
        if exchange.method == "PATCH":  # it may name what the resource is, but not change it
            body = _changing(body)
            if exchange.kind in IDENTIFIED:  # or else it would stay
                body.setdefault("identity", {"type": "None"})
        return _of_type(exchange, body)
    return ACTIONS.get(exchange.path.rsplit("/", 1)[-1].lower())


IDENTIFIED = ("microsoft.compute/virtualmachines", "microsoft.compute/virtualmachinescalesets")


def _changing(value: Any) -> Any:
    """Without what a PATCH has no place for: it is what made the resource."""
    if isinstance(value, list):
        return [_changing(item) for item in value]
    if not isinstance(value, dict):
        return value
    fixed = (
        *("location", "computerNamePrefix", "adminUsername", "adminPassword", "createOption"),
        *("allowExtensionOperations", "ipTags", "priority", "publicIPAddressVersion"),
    )
    own = {"name"} if value.keys() & {"location", "vhdContainers"} else set()
    return {
        key: _changing(item)
        for key, item in value.items()
        if key not in own and (key not in fixed or "lun" in value)
    }


def _of_type(exchange: Exchange, body: Json) -> Json:
    """Without what this type of resource takes from elsewhere."""
    tiered = exchange.kind in ("microsoft.compute/disks", "microsoft.compute/snapshots")
    if tiered and isinstance(body.get("sku"), dict):
        body["sku"].pop("tier", None)
    return body


# Bodies of actions that were not recorded.
ACTIONS: dict[str, Json] = {
    "begingetaccess": {"access": "Read", "durationInSeconds": 3600},
    "runcommand": {"commandId": "RunShellScript"},
    "manualupgrade": {"instanceIds": ["*"]},
    "delete": {"instanceIds": ["*"]},
    "capture": {"vhdPrefix": "x", "destinationContainerName": "x", "overwriteVhds": True},
}


def with_login(body: Json) -> Json:
    """Azure shows no password: give one to whom the answer shows no key."""
    profile = body.get("properties", {}).get("virtualMachineProfile", body.get("properties", {}))
    login = profile.get("osProfile") if isinstance(profile, dict) else None
    if isinstance(login, dict) and not (login.get("linuxConfiguration") or {}).get("ssh"):
        login["adminPassword"] = "Replay-2b-or-not"
    return body


def simple_body(path: str, location: str, subnets: list[str], *, spot: bool = False) -> Json | None:
    """The least that makes a resource of the path's type; None: nothing can or need be made."""
    kind = resource_type(path)
    if kind == "microsoft.network/virtualnetworks":
        made = [
            {"name": name, "properties": {"addressPrefix": f"10.{number}.0.0/16"}}
            for number, name in enumerate(subnets)
        ]
        space = {"addressPrefixes": ["10.0.0.0/8"]}
        return {"location": location, "properties": {"addressSpace": space, "subnets": made}}
    if kind == "microsoft.network/virtualnetworks/subnets":
        return {"properties": {"addressPrefix": "10.200.0.0/16"}}
    if kind == "microsoft.managedidentity/userassignedidentities":
        return {"location": location}
    if kind == "microsoft.network/networksecuritygroups":
        return {"location": location, "properties": {}}
    if kind == "microsoft.network/publicipaddresses":
        properties = {"publicIPAllocationMethod": "Static"}
        return {"location": location, "sku": {"name": "Standard"}, "properties": properties}
    if kind in ("microsoft.compute/availabilitysets", "microsoft.compute/proximityplacementgroups"):
        return {"location": location, "properties": {}}
    if kind == "microsoft.compute/disks":
        properties = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 10}
        return {"location": location, "properties": properties}
    group = group_of(path) or ""
    if kind == "microsoft.network/networkinterfaces":
        return machines.network_interface(group, location)
    if kind == "microsoft.compute/virtualmachines":
        return machines.virtual_machine(group, location, spot=spot)
    if kind == "microsoft.compute/virtualmachinescalesets":
        return machines.scale_set(group, location, spot=spot)
    return None

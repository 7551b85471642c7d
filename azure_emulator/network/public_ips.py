"""Public IP addresses: here second loopback addresses, from a range apart.

Basic ones are retired: newer api-versions refuse them, older ones make them. A dynamic address
exists only while a machine that has it runs.
"""

from __future__ import annotations

import re

from ..base import errors, names, provider_errors
from ..base.messages import ArmRequest, ArmResponse, Json
from ..base.resource_types import NAT_GATEWAY, PUBLIC_IP
from ..base.schema import check_network, write_to
from ..base.store import Group, Resource
from ..base.versions import includes
from ..base.versions_network import BASIC_PUBLIC_IPS
from ..resources.crud import begin_network_write, done_at_once
from ..resources.references import reduce
from ..rules.sku_restrictions import check_zones
from ..state import Emulator

PROTECTION = "VirtualNetworkInherited"
LABEL = re.compile(r"[a-z][a-z0-9-]{1,61}[a-z0-9]")
REFERENCES = ("publicIPPrefix", "linkedPublicIPAddress", "servicePublicIPAddress")


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_network(name)
    existing = em.store.lookup(group.name, PUBLIC_IP, name)
    body = check_network("PublicIPAddress", request.json_object(), write_to(existing))
    if existing:
        return _update(em, request, existing, body)
    public_ip = build(em, group, name, body, request.api_version)
    return _begin(em, request, public_ip, created=True)


def _begin(em: Emulator, request: ArmRequest, public_ip: Resource, *, created: bool) -> ArmResponse:
    def finish() -> None:
        if not is_dynamic(public_ip):
            give_address(em, public_ip)

    return begin_network_write(
        em,
        request,
        public_ip,
        created=created,
        durations="public_ip",
        retry_after_s=1,
        on_success=finish,
    )


def _update(em: Emulator, request: ArmRequest, public_ip: Resource, body: Json) -> ArmResponse:
    """Replace the address's body as a whole; what Azure itself has given stays."""
    em.check_same_location(public_ip, body)
    _check_zones(public_ip, body.get("zones"), created=False)
    old = public_ip.properties
    sku = {**public_ip.top["sku"], **(body.get("sku") or {})}
    if sku["name"] != public_ip.top["sku"]["name"]:
        raise errors.ArmError(
            400, "PublicIPAddressSkuCannotBeChanged", f"The sku of {public_ip.id} cannot change."
        )
    properties = _properties(em, public_ip, body, sku)
    given = ("resourceGuid", "ipAddress", "ipConfiguration")
    public_ip.properties = properties | {name: old[name] for name in given if name in old}
    public_ip.tags = body.get("tags")
    if is_dynamic(public_ip):
        return done_at_once(em, request, public_ip, created=False)
    return _begin(em, request, public_ip, created=False)


def build(
    em: Emulator,
    group: Group,
    name: str,
    body: Json,
    api_version: str,
    nested_id: str | None = None,
) -> Resource:
    """Store a new address, in state Updating; it gets its number when it has succeeded."""
    public_ip = em.new_resource(group, PUBLIC_IP, name, body, nested_id)
    basic = includes(BASIC_PUBLIC_IPS, api_version)
    sku = {"name": "Basic" if basic else "Standard", "tier": "Regional", **(body.get("sku") or {})}
    if sku["name"] == "Basic" and not basic:
        raise errors.ArmError(
            400,
            "IPv4BasicSkuPublicIpCountLimitReached",
            "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription "
            "in this region.",
        )
    public_ip.properties = _properties(em, public_ip, body, sku)
    public_ip.top = {"sku": sku} | ({"zones": body["zones"]} if "zones" in body else {})
    _check_zones(public_ip, None, created=True)
    public_ip.touch()
    em.store.add(public_ip)
    return public_ip


def _properties(em: Emulator, public_ip: Resource, body: Json, sku: Json) -> Json:
    properties = dict(body.get("properties") or {})
    properties.pop("ipAddress", None)  # Azure gives it
    _check_kind(public_ip, sku, properties)
    reduce(em, properties, REFERENCES, public_ip.id)
    idle_min = properties.get("idleTimeoutInMinutes", 4)
    if not 4 <= idle_min <= 30:
        raise errors.ArmError(
            400,
            "PublicIPAddressIdleTimeoutOutOfRange",
            f"The idle timeout of {idle_min} minutes of {public_ip.id} is out of range. It must be "
            "between 4 and 30 minutes.",
        )
    settings = properties.get("dnsSettings") or {}
    if "domainNameLabel" in settings:
        _check_label(str(settings["domainNameLabel"]))
        fqdn = f"{settings['domainNameLabel']}.{public_ip.location}.cloudapp.azure.com"
        properties["dnsSettings"] = {**settings, "fqdn": fqdn}
    return {
        "provisioningState": "Updating",
        "resourceGuid": em.new_uuid(),
        **properties,
        "idleTimeoutInMinutes": properties.get("idleTimeoutInMinutes", 4),
        "ipTags": properties.get("ipTags", []),
        "ddosSettings": properties.get("ddosSettings", {"protectionMode": PROTECTION}),
    }


def _check_label(label: str) -> None:
    if not LABEL.fullmatch(label):
        raise errors.ArmError(
            400,
            "InvalidDomainNameLabel",
            f"The domain name label {label} is invalid. It must conform to the following regular "
            f"expression: ^{LABEL.pattern}$.",
        )


def _check_zones(public_ip: Resource, zones: list[str] | None, *, created: bool) -> None:
    """Refuse zones that the region doesn't have, and others than the address has already."""
    held = public_ip.top.get("zones") or []
    if created:
        check_zones(held, public_ip.location, public_ip.id)
    elif zones is not None and sorted(zones) != sorted(held):
        raise errors.ArmError(
            400,
            "ResourceAvailabilityZonesCannotBeModified",
            f"Resource {public_ip.id} has an existing availability zone constraint "
            f"{','.join(held)} and the request has availability zone constraint "
            f"{','.join(zones)}, which do not match. Zones cannot be added/updated/removed once "
            "the resource is created. The resource cannot be updated from regional to zonal or "
            "vice-versa.",
        )


def _check_kind(public_ip: Resource, sku: Json, properties: Json) -> None:
    """Refuse all but IPv4, static unless Basic; fill in Azure's defaults."""
    basic = sku["name"] == "Basic"
    method = properties.setdefault("publicIPAllocationMethod", "Dynamic" if basic else "Static")
    if method != "Static" and not basic:
        raise errors.ArmError(
            400,
            "StandardAndStandardV2SkuPublicIPAddressesMustBeStatic",
            f"Standard sku publicIp {public_ip.id} must have AllocationMethod set to Static.",
        )
    if properties.setdefault("publicIPAddressVersion", "IPv4") != "IPv4":
        raise errors.ArmError(
            400, "PublicIPAddressVersionNotSupported", "This local endpoint has IPv4 only."
        )


def is_dynamic(public_ip: Resource) -> bool:
    return bool(public_ip.properties["publicIPAllocationMethod"] == "Dynamic")


def give_address(em: Emulator, public_ip: Resource) -> None:
    if "ipAddress" not in public_ip.properties:
        address = em.addresses.take_public()
        if address is None:
            raise errors.ArmError(
                409, "PublicIPCountLimitReached", "This local endpoint has no public address left."
            )
        public_ip.properties["ipAddress"] = address


def check_unused(em: Emulator, public_ip: Resource) -> None:
    holder = (public_ip.properties.get("ipConfiguration") or {}).get("id")
    for gateway in em.store.all(NAT_GATEWAY):
        if {"id": public_ip.id} in gateway.properties.get("publicIpAddresses", []):
            holder = gateway.id
    if holder:
        raise provider_errors.in_use(
            "PublicIPAddressCannotBeDeleted",
            f"Public IP address {public_ip.id} can not be deleted since it is still allocated to "
            f"resource {holder}. In order to delete the public IP, disassociate/detach the "
            "Public IP address from the resource.  To learn how to do this, see "
            "aka.ms/deletepublicip.",
        )


def release(em: Emulator, public_ip: Resource) -> None:
    address = public_ip.properties.pop("ipAddress", None)
    if address:
        em.addresses.release_public(address)

"""Public IP addresses: here second loopback addresses, from a range apart."""

from __future__ import annotations

from . import errors, names
from .arm import ArmRequest, ArmResponse, Json
from .crud import begin_network_write
from .schema import check_network, write_to
from .state import Emulator
from .store import Group, Resource
from .views import PUBLIC_IP


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_network(name)
    existing = em.store.lookup(group.name, PUBLIC_IP, name)
    body = check_network("PublicIPAddress", request.json_object(), write_to(existing))
    if existing:
        em.check_same_location(existing, body)
        existing.tags = body.get("tags")
        public_ip = existing
    else:
        public_ip = build(em, group, name, body)
    return begin_network_write(
        em,
        request,
        public_ip,
        created=existing is None,
        durations="public_ip",
        retry_after_s=1,
        on_success=lambda: give_address(em, public_ip),
    )


def build(em: Emulator, group: Group, name: str, body: Json) -> Resource:
    """Stored, in state Updating, and without an address until it has succeeded."""
    public_ip = em.new_resource(group, PUBLIC_IP, name, body)
    properties = dict(body.get("properties") or {})
    properties.pop("ipAddress", None)  # Azure chooses it
    sku = {"name": "Standard", "tier": "Regional", **(body.get("sku") or {})}
    _check_kind(public_ip, sku, properties)
    label = (properties.get("dnsSettings") or {}).get("domainNameLabel")
    if label:
        fqdn = f"{label}.{public_ip.location}.cloudapp.azure.com"
        properties["dnsSettings"] = {"domainNameLabel": label, "fqdn": fqdn}
    public_ip.properties = {
        "provisioningState": "Updating",
        "resourceGuid": em.new_uuid(),
        **properties,
        "idleTimeoutInMinutes": properties.get("idleTimeoutInMinutes", 4),
        "ipTags": properties.get("ipTags", []),
    }
    public_ip.top = {"sku": sku} | ({"zones": body["zones"]} if "zones" in body else {})
    public_ip.touch()
    em.store.add(public_ip)
    return public_ip


def _check_kind(public_ip: Resource, sku: Json, properties: Json) -> None:
    """Standard, static, IPv4; what is left out becomes that."""
    if sku["name"] == "Basic":
        raise errors.ArmError(
            400,
            "IPv4BasicSkuPublicIpCountLimitReached",
            "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription "
            "in this region.",
        )
    method = properties.setdefault("publicIPAllocationMethod", "Static")
    if method != "Static":
        raise errors.ArmError(
            400,
            "StandardAndStandardV2SkuPublicIPAddressesMustBeStatic",
            f"Standard sku publicIp {public_ip.id} must have AllocationMethod set to Static.",
        )
    if properties.setdefault("publicIPAddressVersion", "IPv4") != "IPv4":
        raise errors.ArmError(
            400, "PublicIPAddressVersionNotSupported", "This local endpoint has IPv4 only."
        )


def give_address(em: Emulator, public_ip: Resource) -> None:
    if "ipAddress" not in public_ip.properties:
        address = em.addresses.take_public()
        if address is None:
            raise errors.ArmError(
                409, "PublicIPCountLimitReached", "This local endpoint has no public address left."
            )
        public_ip.properties["ipAddress"] = address


def check_unused(em: Emulator, public_ip: Resource) -> None:
    holder = public_ip.properties.get("ipConfiguration")
    if holder:
        raise errors.in_use(
            "PublicIPAddressCannotBeDeleted",
            f"Public IP address {public_ip.id} can not be deleted since it is still allocated to "
            f"resource {holder['id']}. In order to delete the public IP, disassociate/detach the "
            "Public IP address from the resource.  To learn how to do this, see "
            "aka.ms/deletepublicip.",
        )


def release(em: Emulator, public_ip: Resource) -> None:
    address = public_ip.properties.get("ipAddress")
    if address:
        em.addresses.release_public(address)

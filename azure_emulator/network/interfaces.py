"""Network interfaces: their addresses, and what they hold together."""

from __future__ import annotations

from ..base import errors, names, provider_errors
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import NIC, NSG, PUBLIC_IP
from ..base.schema import check_network, write_to
from ..base.store import Group, Resource
from ..resources.crud import begin_network_write, done_at_once
from ..resources.references import reduce, referenced
from ..resources.views import show
from ..state import Emulator
from . import dynamic_addresses, interface_checks, networks

# Of an interface that a machine has; an update leaves them.
OF_MACHINE = ("virtualMachine", "macAddress", "primary")
POOLS = (
    "applicationGatewayBackendAddressPools",
    "applicationSecurityGroups",
    "gatewayLoadBalancer",
    "loadBalancerBackendAddressPools",
    "loadBalancerInboundNatRules",
    "virtualNetworkTaps",
)


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_network(name)
    existing = em.store.lookup(group.name, NIC, name)
    body = check_network("NetworkInterface", request.json_object(), write_to(existing))
    if existing is None:
        return done_at_once(em, request, build(em, group, name, body), created=True)
    em.check_same_location(existing, body)
    replacement = em.new_resource(group, NIC, name, body)
    _fill(em, replacement, body["properties"], existing)
    kept = {name: existing.properties[name] for name in OF_MACHINE if name in existing.properties}
    before = dynamic_addresses.held_by(em, existing)
    existing.tags, existing.properties = body.get("tags"), replacement.properties | kept
    if not kept:
        return done_at_once(em, request, existing, created=False, notification=False)
    return begin_network_write(
        em,
        request,
        existing,
        created=False,
        retry_after_s=10,
        notification=False,
        on_success=lambda: dynamic_addresses.exchange(em, existing, before),
    )


def build(
    em: Emulator, group: Group, name: str, body: Json, nested_id: str | None = None
) -> Resource:
    nic = em.new_resource(group, NIC, name, body, nested_id)
    _fill(em, nic, body["properties"], None)
    nic.top = {"kind": "Regular"}
    nic.touch()
    em.store.add(nic)
    return nic


def _fill(em: Emulator, nic: Resource, wanted: Json, old: Resource | None) -> None:
    """Set nic.properties, taking the addresses; on a refusal nothing stays taken."""
    if not wanted["ipConfigurations"]:
        raise errors.ArmError(
            400,
            "NetworkInterfaceMustHaveAtLeastOneIpConfiguration",
            f"Network interface {nic.id} must have at least one IP configuration.",
        )
    interface_checks.check(nic, wanted)
    properties = _properties(em, wanted, old)
    if "networkSecurityGroup" in wanted:
        nsg = referenced(em, wanted["networkSecurityGroup"], nic.id, NSG)
        properties["networkSecurityGroup"] = {"id": nsg.id}
    nic.properties = properties
    if old:
        release_addresses(em, old)
    try:
        for position, item in enumerate(wanted["ipConfigurations"]):
            configuration = _ip_configuration(em, nic, item, old, first=position == 0)
            properties["ipConfigurations"].append(configuration)
    except errors.ArmError:
        release_addresses(em, nic)
        if old:
            _retake_addresses(em, old)
        raise


def _properties(em: Emulator, wanted: Json, old: Resource | None) -> Json:
    return {
        "provisioningState": "Succeeded",
        "resourceGuid": (old.properties if old else {}).get("resourceGuid") or em.new_uuid(),
        "ipConfigurations": [],
        "dnsSettings": {
            "dnsServers": [],
            "appliedDnsServers": [],
            **(wanted.get("dnsSettings") or {}),
            "internalDomainNameSuffix": domain_suffix(em),
        },
        "enableAcceleratedNetworking": wanted.get("enableAcceleratedNetworking", False),
        "enableIPForwarding": wanted.get("enableIPForwarding", False),
        "disableTcpStateTracking": wanted.get("disableTcpStateTracking", False),
        "hostedWorkloads": [],
        "tapConfigurations": [],
        "nicType": wanted.get("nicType", "Standard"),
        "vnetEncryptionSupported": False,
        "auxiliaryMode": wanted.get("auxiliaryMode", "None"),
        "auxiliarySku": wanted.get("auxiliarySku", "None"),
        "services": None,
        "virtualNetworkTapProvisioningState": "NotProvisioned",
    }


def domain_suffix(em: Emulator) -> str:
    return f"{em.new_hex(26)}.bx.internal.cloudapp.net"


def _ip_configuration(
    em: Emulator, nic: Resource, item: Json, old: Resource | None, *, first: bool
) -> Json:
    wanted = item["properties"]
    name = item.get("name") or "ipconfig1"
    identifier = f"{nic.id}/ipConfigurations/{name}"
    subnet_id, prefix = _subnet(em, nic, wanted)
    public_ip = None
    if "publicIPAddress" in wanted:
        public_ip = referenced(em, wanted["publicIPAddress"], identifier, PUBLIC_IP)
        _refuse_taken(public_ip, identifier)
    chosen = _chosen_address(wanted, identifier)
    kept = chosen or _present_address(old, name, subnet_id)
    pools = {member: wanted[member] for member in POOLS if wanted.get(member)}
    reduce(em, pools, POOLS, identifier)
    properties: Json = {
        "provisioningState": "Succeeded",
        "privateIPAddress": em.private_addresses.reserve(subnet_id, prefix, kept, identifier),
        "privateIPAllocationMethod": "Static" if chosen else "Dynamic",
        "subnet": {"id": subnet_id},
        "primary": wanted.get("primary", first),
        "privateIPAddressVersion": "IPv4",
        "isInUseWithService": False,
        **pools,
    }
    if public_ip:
        public_ip.properties["ipConfiguration"] = {"id": identifier}
        properties["publicIPAddress"] = {"id": public_ip.id}
    return {
        "name": name,
        "id": identifier,
        "etag": nic.etag,
        "type": f"{NIC}/ipConfigurations",
        "properties": properties,
    }


def _subnet(em: Emulator, nic: Resource, wanted: Json) -> tuple[str, str]:
    """Return the id and the addresses of the subnet that a configuration names."""
    named = (wanted.get("subnet") or {}).get("id")
    found = networks.find_subnet(em, named)
    if found is None:
        raise errors.invalid_reference(str(named), nic.id)
    vnet, subnet = found
    subnet_id = f"{vnet.id}/subnets/{subnet['name']}"
    if vnet.location != nic.location:
        raise errors.invalid_reference(subnet_id, nic.id)
    return subnet_id, subnet["properties"]["addressPrefix"]


def _chosen_address(wanted: Json, identifier: str) -> str | None:
    """Return the address that a static configuration names; None for a dynamic one."""
    if wanted.get("privateIPAllocationMethod", "Dynamic") != "Static":
        return None
    address: str | None = wanted.get("privateIPAddress")
    if not address:
        raise errors.ArmError(
            400,
            "IpConfigurationStaticPrivateIPAddressMissing",
            f"IP configuration {identifier} is Static but names no private IP address.",
        )
    return address


def _present_address(old: Resource | None, name: str, subnet_id: str) -> str | None:
    """Return the dynamic address that a configuration keeps over an update, if it has one."""
    for item in old.properties["ipConfigurations"] if old else []:
        same_subnet = item["properties"]["subnet"]["id"] == subnet_id
        if item["name"] == name and same_subnet:
            return str(item["properties"]["privateIPAddress"])
    return None


def _refuse_taken(public_ip: Resource, identifier: str) -> None:
    holder = (public_ip.properties.get("ipConfiguration") or {}).get("id")
    if holder and holder.lower() != identifier.lower():
        raise provider_errors.public_ip_in_use(identifier, public_ip.id, holder)


def release_addresses(em: Emulator, nic: Resource) -> None:
    for item in nic.properties["ipConfigurations"]:
        properties = item["properties"]
        em.private_addresses.release(properties["subnet"]["id"], properties["privateIPAddress"])
        public_ip = em.store.find((properties.get("publicIPAddress") or {}).get("id"))
        if public_ip:
            public_ip.properties.pop("ipConfiguration", None)


def _retake_addresses(em: Emulator, nic: Resource) -> None:
    for item in nic.properties["ipConfigurations"]:
        properties = item["properties"]
        found = networks.find_subnet(em, properties["subnet"]["id"])
        public_ip = em.store.find((properties.get("publicIPAddress") or {}).get("id"))
        if found:
            prefix = found[1]["properties"]["addressPrefix"]
            address = properties["privateIPAddress"]
            em.private_addresses.reserve(properties["subnet"]["id"], prefix, address, item["id"])
        if public_ip:
            public_ip.properties["ipConfiguration"] = {"id": item["id"]}


def list_configurations(em: Emulator, request: ArmRequest) -> ArmResponse:
    nic = em.store.get(request.params["group"], NIC, request.params["name"])
    return page(show(em, nic, request.api_version)["properties"]["ipConfigurations"])


def get_configuration(em: Emulator, request: ArmRequest) -> ArmResponse:
    nic = em.store.get(request.params["group"], NIC, request.params["name"])
    wanted = request.params["child"]
    for item in show(em, nic, request.api_version)["properties"]["ipConfigurations"]:
        if item["name"].lower() == wanted.lower():
            return ArmResponse(200, item, {"ETag": nic.etag})
    raise errors.child_not_found(f"{nic.id}/ipConfigurations/{wanted}")


def check_unused(em: Emulator, nic: Resource) -> None:
    machine = nic.properties.get("virtualMachine")
    if machine:
        raise provider_errors.in_use(
            "NicInUse",
            f"Network Interface {nic.id} is used by existing resource {machine['id']}. In order "
            "to delete the network interface, it must be dissociated from the resource. To learn "
            "more, see aka.ms/deletenic.",
        )


def primary_configuration(nic: Resource) -> Json:
    items = nic.properties["ipConfigurations"]
    chosen = next((item for item in items if item["properties"]["primary"]), items[0])
    properties: Json = chosen["properties"]
    return properties

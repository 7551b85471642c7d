"""Network interfaces: their addresses, and what they hold together."""

from __future__ import annotations

from . import errors, names, networks
from .arm import ArmRequest, ArmResponse, Json
from .crud import begin_network_write, referenced
from .schema import check_network, write_to
from .state import Emulator
from .store import Group, Resource
from .views import NETWORK, NIC, NSG, PUBLIC_IP, show


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_network(name)
    existing = em.store.lookup(group.name, NIC, name)
    body = check_network("NetworkInterface", request.json_object(), write_to(existing))
    if existing is None:
        return _create(em, request, group, body)
    em.check_same_location(existing, body)
    machine = existing.properties.get("virtualMachine")
    replacement = em.new_resource(group, NIC, name, body)
    _fill(em, replacement, body["properties"], existing)
    existing.tags, existing.properties = body.get("tags"), replacement.properties
    if machine:
        existing.properties["virtualMachine"] = machine
    return begin_network_write(em, request, existing, created=False)


def _create(em: Emulator, request: ArmRequest, group: Group, body: Json) -> ArmResponse:
    """Unlike all else a new NIC has succeeded with the first answer (as recorded)."""
    nic = build(em, group, request.params["name"], body)

    async def finish() -> None:
        pass

    operation = em.operations.start(NETWORK, nic.location, 0.0, finish)
    headers = em.operations.headers(request, operation, retry_after_s=None)
    return ArmResponse(201, show(em, nic, request.api_version), headers)


def build(em: Emulator, group: Group, name: str, body: Json) -> Resource:
    nic = em.new_resource(group, NIC, name, body)
    _fill(em, nic, body["properties"], None)
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
    properties = _properties(em, wanted, old)
    if "networkSecurityGroup" in wanted:
        nsg = referenced(em, wanted["networkSecurityGroup"], nic.id, NSG)
        properties["networkSecurityGroup"] = {"id": nsg.id}
    nic.properties = properties
    if old:
        release_addresses(em, old)
    try:
        for position, item in enumerate(wanted["ipConfigurations"]):
            configuration = _ip_configuration(em, nic, item, first=position == 0)
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
            "internalDomainNameSuffix": f"{em.new_hex(26)}.bx.internal.cloudapp.net",
        },
        "enableAcceleratedNetworking": wanted.get("enableAcceleratedNetworking", False),
        "enableIPForwarding": wanted.get("enableIPForwarding", False),
        "disableTcpStateTracking": wanted.get("disableTcpStateTracking", False),
        "hostedWorkloads": [],
        "tapConfigurations": [],
        "nicType": "Standard",
    }


def _ip_configuration(em: Emulator, nic: Resource, item: Json, *, first: bool) -> Json:
    wanted = item["properties"]
    name = item.get("name") or "ipconfig1"
    identifier = f"{nic.id}/ipConfigurations/{name}"
    found = networks.find_subnet(em, (wanted.get("subnet") or {}).get("id"))
    if found is None:
        missing = str((wanted.get("subnet") or {}).get("id"))
        raise errors.invalid_reference(missing, nic.id)
    vnet, subnet = found
    if vnet.location != nic.location:
        raise errors.invalid_reference(f"{vnet.id}/subnets/{subnet['name']}", nic.id)
    public_ip = None
    if "publicIPAddress" in wanted:
        public_ip = referenced(em, wanted["publicIPAddress"], identifier, PUBLIC_IP)
        _refuse_taken(public_ip, identifier)
    subnet_id = f"{vnet.id}/subnets/{subnet['name']}"
    prefix = subnet["properties"]["addressPrefix"]
    chosen = _chosen_address(wanted, identifier)
    properties: Json = {
        "provisioningState": "Succeeded",
        "privateIPAddress": em.private_addresses.reserve(subnet_id, prefix, chosen, identifier),
        "privateIPAllocationMethod": "Static" if chosen else "Dynamic",
        "subnet": {"id": subnet_id},
        "primary": wanted.get("primary", first),
        "privateIPAddressVersion": "IPv4",
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


def _chosen_address(wanted: Json, identifier: str) -> str | None:
    """The address a static configuration names; None for a dynamic one."""
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


def _refuse_taken(public_ip: Resource, identifier: str) -> None:
    holder = (public_ip.properties.get("ipConfiguration") or {}).get("id")
    if holder and holder.lower() != identifier.lower():
        raise errors.in_use(
            "PublicIPAddressInUse",
            f"Resource {identifier} is referencing public IP address {public_ip.id} that is "
            f"already allocated to resource {holder}.",
        )


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


def check_unused(em: Emulator, nic: Resource) -> None:
    machine = nic.properties.get("virtualMachine")
    if machine:
        raise errors.in_use(
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

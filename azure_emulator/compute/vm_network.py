"""A VM's network interfaces: existing ones attached, inline ones made with the VM."""

from __future__ import annotations

from collections.abc import Iterator

from ..base import errors, names, provider_errors
from ..base.messages import Json
from ..base.resource_types import NIC
from ..base.store import Group, Resource
from ..base.versions_network import BASIC_ENDS as NO_BASIC
from ..network import interfaces, public_ips
from ..resources.references import referenced
from ..state import Emulator


def attach(
    em: Emulator, group: Group, vm: Resource, profile: Json | None, *, nic_suffix: str = ""
) -> None:
    """Set vm.properties["networkProfile"]; on a refusal what was made here is gone again."""
    if not profile:
        raise errors.missing_parameter("networkProfile")
    inline = profile.get("networkInterfaceConfigurations") or []
    named = profile.get("networkInterfaces") or []
    if bool(inline) == bool(named):
        raise errors.invalid_parameter(
            "networkProfile",
            "Virtual machine must have network interfaces: either existing ones or "
            "networkInterfaceConfigurations, and not both.",
        )
    if inline and not vm.nested and "networkApiVersion" not in profile:
        raise errors.missing_parameter("networkApiVersion")
    _check_primary([*named, *inline])
    nics = [_existing(em, vm, item) for item in named]
    made: list[Resource] = []
    try:
        for item in inline:
            nics.append(_inline(em, group, vm, item, nic_suffix, made))
    except errors.ArmError:
        for resource in reversed(made):
            discard(em, resource)
        raise
    _finish(em, vm, nics)


def _check_primary(entries: list[Json]) -> None:
    """Refuse several interfaces of which not exactly one is the primary one."""
    if len(entries) < 2:
        return
    primary = [item for item in entries if (item.get("properties") or {}).get("primary")]
    if not primary:
        first = entries[0]
        name = first.get("name") or str(first.get("id")).rsplit("/", 1)[-1]
        raise errors.ArmError(
            400,
            "NetworkInterfaceMustHavePrimaryPropertySet",
            f"Network interface {name} must have Primary property set.",
        )
    if len(primary) > 1:
        raise errors.ArmError(
            400,
            "VirtualMachineMustHaveOneNetworkInterfaceAsPrimary",
            "Virtual machine must have one network interface set as the primary.",
        )


def _finish(em: Emulator, vm: Resource, nics: list[tuple[Resource, Json]]) -> None:
    """Complete the interfaces' entries, with properties if there are some or several entries."""
    primary = next((index for index, (_, p) in enumerate(nics) if p.get("primary")), 0)
    entries: list[Json] = []
    for index, (nic, properties) in enumerate(nics):
        entry: Json = {"id": nic.id}
        if properties or len(nics) > 1:
            entry["properties"] = {**properties, "primary": index == primary}
        entries.append(entry)
        nic.properties["virtualMachine"] = {"id": vm.id}
        nic.properties["dnsSettings"].setdefault(
            "internalDomainNameSuffix", interfaces.domain_suffix(em)
        )
        nic.properties["primary"] = index == primary
        mac = "-".join(em.new_hex(2).upper() for _ in range(3))
        nic.properties.setdefault("macAddress", f"00-0D-3A-{mac}")
        nic.touch()
    vm.properties["networkProfile"] = {"networkInterfaces": entries}


def _existing(em: Emulator, vm: Resource, item: Json) -> tuple[Resource, Json]:
    nic = referenced(em, item, vm.id, NIC)
    holder = nic.properties.get("virtualMachine")
    if holder and holder["id"].lower() != vm.key:
        raise provider_errors.in_use(
            "NicInUse",
            f"Network Interface {nic.id} is used by existing resource {holder['id']}. In order to "
            "use the network interface, it must be dissociated from the resource.",
        )
    if nic.location != vm.location:
        raise errors.invalid_reference(nic.id, vm.id)
    given = item.get("properties")
    return nic, {"deleteOption": "Detach", **given} if given else {}


def _inline(
    em: Emulator, group: Group, vm: Resource, item: Json, suffix: str, made: list[Resource]
) -> tuple[Resource, Json]:
    wanted = item.get("properties") or {}
    names.check_network(item["name"])
    name = f"{item['name']}{suffix}"
    nested_id = f"{vm.id}/networkInterfaces/{name}" if vm.nested else None
    if not vm.nested and em.store.lookup(group.name, NIC, name):
        raise errors.ArmError(
            409, "NicNameInUse", f"Network interface {name} already exists in {group.name}."
        )
    configurations = []
    for entry in wanted.get("ipConfigurations") or []:
        properties = dict(entry.get("properties") or {})
        public = properties.pop("publicIPAddressConfiguration", None)
        if public:
            place = nested_id and f"{nested_id}/ipConfigurations/{entry['name']}"
            public_ip = _public_ip(em, group, vm, public, suffix, place)
            made.append(public_ip)
            properties["publicIPAddress"] = {"id": public_ip.id}
        configurations.append({"name": entry["name"], "properties": properties})
    body: Json = {
        "location": vm.location,
        "tags": item.get("tags"),
        "properties": {**wanted, "ipConfigurations": configurations},
    }
    nic = interfaces.build(em, group, name, body, nested_id)
    made.append(nic)
    if vm.nested:
        return nic, {}
    return nic, {
        "primary": wanted.get("primary", False),
        "deleteOption": wanted.get("deleteOption", "Delete"),
    }


def _public_ip(
    em: Emulator, group: Group, vm: Resource, item: Json, suffix: str, place: str | None
) -> Resource:
    """Return a new public address; place: the id of a Uniform machine's IP configuration for it."""
    properties = {"deleteOption": "Delete", **(item.get("properties") or {})}
    body: Json = {
        "location": vm.location,
        "tags": item.get("tags"),
        "sku": item.get("sku"),
        "properties": properties,
    }
    # Only Standard ones can be made with a VM, whatever the api-version.
    nested_id = place and f"{place}/publicIPAddresses/{item['name']}"
    name = f"{item['name']}{suffix}"
    public_ip = public_ips.build(em, group, name, body, NO_BASIC, nested_id)
    public_ips.give_address(em, public_ip)
    public_ip.properties["provisioningState"] = "Succeeded"
    return public_ip


def nics(em: Emulator, vm: Resource) -> list[tuple[Resource, Json]]:
    """Return (interface, its properties in the network profile) of each, the primary one first."""
    found = []
    for item in vm.properties["networkProfile"]["networkInterfaces"]:
        nic = em.store.find(item["id"])
        if nic:
            found.append((nic, item.get("properties") or {}))
    return sorted(found, key=lambda pair: not pair[1].get("primary"))


def _dynamic_addresses(em: Emulator, vm: Resource) -> Iterator[Resource]:
    for nic, _ in nics(em, vm):
        for item in nic.properties["ipConfigurations"]:
            reference = item["properties"].get("publicIPAddress") or {}
            public_ip = em.store.find(reference.get("id"))
            if public_ip and public_ips.is_dynamic(public_ip):
                yield public_ip


def give_dynamic_addresses(em: Emulator, vm: Resource) -> None:
    """Give the VM its dynamic public addresses, when it starts."""
    for public_ip in _dynamic_addresses(em, vm):
        public_ips.give_address(em, public_ip)


def take_dynamic_addresses(em: Emulator, vm: Resource) -> None:
    """Take the VM's dynamic addresses away, when it is deallocated or deleted."""
    for public_ip in _dynamic_addresses(em, vm):
        public_ips.release(em, public_ip)


def detach(em: Emulator, vm: Resource) -> None:
    """Delete or keep each interface of a deleted VM, as its deleteOption says."""
    take_dynamic_addresses(em, vm)
    for nic, properties in nics(em, vm):
        nic.properties.pop("virtualMachine", None)
        nic.properties.pop("primary", None)
        # Until the next machine (recorded).
        nic.properties["dnsSettings"].pop("internalDomainNameSuffix", None)
        if properties.get("deleteOption") == "Delete" or nic.nested:
            discard(em, nic)


def discard(em: Emulator, resource: Resource) -> None:
    """Remove an interface (with public addresses that go with it) or a public address."""
    if resource.type != NIC:
        public_ips.release(em, resource)
        em.store.remove(resource)
        return
    attached = [
        em.store.find((item["properties"].get("publicIPAddress") or {}).get("id"))
        for item in resource.properties["ipConfigurations"]
    ]
    interfaces.release_addresses(em, resource)
    em.store.remove(resource)
    for public_ip in attached:
        if public_ip and public_ip.properties.get("deleteOption") == "Delete":
            discard(em, public_ip)

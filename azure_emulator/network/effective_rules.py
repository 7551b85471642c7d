"""What networkInterfaces/.../effectiveNetworkSecurityGroups says: the rules of all groups that an
interface is subject to, its own and its subnet's, with the addresses that tags stand for."""

from __future__ import annotations

from ..base import errors
from ..base.messages import JSON, ArmRequest, ArmResponse, Json
from ..base.resource_types import NETWORK, NIC
from ..base.store import Resource
from ..resources.default_rules import DEFAULT_RULES, default_rule
from ..state import Emulator
from . import networks
from .interfaces import primary_configuration

EVERYWHERE = "0.0.0.0/0"


def begin(em: Emulator, request: ArmRequest) -> ArmResponse:
    nic = em.store.get(request.params["group"], NIC, request.params["name"])
    machine = em.store.find((nic.properties.get("virtualMachine") or {}).get("id"))
    if machine is None or machine.hidden.get("power") != "running":
        raise errors.ArmError(
            400,
            "NetworkInterfaceNotAttachedToRunningVm",
            f"Network interface {nic.id} must be attached to a running virtual machine.",
        )

    async def finish() -> Json:
        return {"value": _groups(em, nic)}

    operation = em.operations.start(
        NETWORK, nic.location, em.durations.draw("network"), finish, monitor_status=200
    )
    headers = em.operations.headers(request, operation, retry_after_s=10, location=True)
    return ArmResponse(202, None, headers | JSON)


def _groups(em: Emulator, nic: Resource) -> list[Json]:
    subnet_id = primary_configuration(nic)["subnet"]["id"]
    found = networks.find_subnet(em, subnet_id)
    own = nic.properties.get("networkSecurityGroup")
    holders: list[tuple[Json | None, Json]] = [(own, {"networkInterface": {"id": nic.id}})]
    inside: list[str] = []
    if found:
        vnet, subnet = found
        inside = list(vnet.properties["addressSpace"]["addressPrefixes"])
        holders.append(
            (subnet["properties"].get("networkSecurityGroup"), {"subnet": {"id": subnet_id}})
        )
    shown = []
    for reference, association in holders:
        nsg = em.store.find(reference["id"]) if reference else None
        if nsg is not None:
            rules = [
                _rule(item, "securityRules", inside) for item in nsg.properties["securityRules"]
            ]
            rules += [
                _rule(default_rule(*row), "defaultSecurityRules", inside) for row in DEFAULT_RULES
            ]
            shown.append(
                {
                    "networkSecurityGroup": {"id": nsg.id},
                    "association": association,
                    "effectiveSecurityRules": rules,
                }
            )
    return shown


def _rule(rule: Json, kind: str, inside: list[str]) -> Json:
    said = rule["properties"]
    shown: Json = {
        "name": f"{kind}/{rule['name']}",
        "protocol": "All" if said["protocol"] == "*" else said["protocol"],
        "access": said["access"],
        "priority": said["priority"],
        "direction": said["direction"],
    }
    for side in ("source", "destination"):
        ports = _values(said, f"{side}PortRange")
        addresses = _values(said, f"{side}AddressPrefix")
        shown[f"{side}PortRanges"] = [_range(text) for text in ports]
        shown[f"{side}PortRange"] = shown[f"{side}PortRanges"][0]
        shown[f"{side}AddressPrefixes"] = [EVERYWHERE if a == "*" else a for a in addresses]
        shown[f"{side}AddressPrefix"] = shown[f"{side}AddressPrefixes"][0]
        if addresses == ["VirtualNetwork"]:
            shown[f"expanded{side.capitalize()}AddressPrefix"] = inside
    return shown


def _values(said: Json, member: str) -> list[str]:
    plural = f"{member}es" if member.endswith("x") else f"{member}s"
    return [*(said.get(plural) or []), *([said[member]] if said.get(member) else [])]


def _range(text: str) -> str:
    if text == "*":
        return "0-65535"
    return text if "-" in text else f"{text}-{text}"

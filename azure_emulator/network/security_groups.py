"""Network security groups and their rules."""

from __future__ import annotations

import ipaddress
import re

from ..base import errors, names, provider_errors
from ..base.messages import ArmRequest, ArmResponse, Json, page
from ..base.resource_types import NSG
from ..base.schema import check_network, write_to
from ..base.store import Resource
from ..resources.crud import begin_network_deletion, begin_network_write
from ..resources.views import security_group_users, show, show_rule
from ..state import Emulator

LONGEST_DESCRIPTION = 140


def put(em: Emulator, request: ArmRequest) -> ArmResponse:
    group = em.store.writable_group(request.params["group"])
    name = request.params["name"]
    names.check_network(name)
    existing = em.store.lookup(group.name, NSG, name)
    body = check_network("NetworkSecurityGroup", request.json_object(), write_to(existing))
    if existing:
        em.check_same_location(existing, body)
    nsg = existing or em.new_resource(group, NSG, name, body)
    rules = (body.get("properties") or {}).get("securityRules", [])
    stored = [{"name": rule.get("name", ""), "properties": rule["properties"]} for rule in rules]
    _check_rules(stored, nsg.id)
    nsg.tags = body.get("tags")
    nsg.properties = {
        "provisioningState": "Updating",
        "resourceGuid": nsg.properties.get("resourceGuid") or em.new_uuid(),
        "securityRules": stored,
    }
    em.store.add(nsg)
    return begin_network_write(em, request, nsg, created=existing is None)


def _check_rules(rules: list[Json], owner: str) -> None:
    taken: dict[tuple[str, int], str] = {}
    names.check_different([rule["name"] for rule in rules], owner)
    for rule in rules:
        names.check_network(rule["name"])
        properties = rule["properties"]
        _check_rule(rule["name"], properties)
        slot = (properties["direction"], properties["priority"])
        if slot in taken:
            raise errors.ArmError(
                400,
                "SecurityRuleConflict",
                f"Security rule {rule['name']} conflicts with rule {taken[slot]}. Rules cannot "
                "have the same Priority and Direction. To learn more, see "
                "aka.ms/nsgrules.",
            )
        taken[slot] = rule["name"]


def _check_rule(name: str, properties: Json) -> None:
    if not 100 <= properties["priority"] <= 4096:
        raise errors.ArmError(
            400,
            "SecurityRuleInvalidPriority",
            f"Security rule has invalid priority. Value provided: {properties['priority']}. "
            "Allowed range 100-4096.",
        )
    if len(properties.get("description") or "") > LONGEST_DESCRIPTION:
        raise errors.ArmError(
            400,
            "SecurityRuleDescriptionTooLong",
            f"The description of security rule {name} is longer than {LONGEST_DESCRIPTION} "
            "characters.",
        )
    for side in ("source", "destination"):
        _check_values(name, properties, f"{side}AddressPrefix", f"{side}AddressPrefixes")
        _check_values(name, properties, f"{side}PortRange", f"{side}PortRanges")


def _check_values(name: str, properties: Json, single: str, several: str) -> None:
    """Refuse a rule in which neither of the two members says something valid."""
    values = list(properties.get(several) or [])
    if values and properties.get(single):
        raise errors.ArmError(
            400,
            "SecurityRuleParametersConflict",
            f"Security rule {name} has both {single} and {several}. Only one of them is allowed.",
        )
    if properties.get(single):
        values.append(properties[single])
    if not values:
        raise errors.ArmError(
            400,
            "SecurityRuleParameterNotSpecified",
            f"Required security rule parameters are missing for security rule {name}: {single}.",
        )
    for value in values:
        if "Port" in single and not _is_port_range(value):
            raise errors.ArmError(
                400,
                "SecurityRuleInvalidPortRange",
                f"Security rule has invalid Port range. Value provided: {value}. Value should be "
                "an integer OR integer range with '-' delimiter. Valid range 0-65535.",
            )
        if "Address" in single and not _is_address_prefix(value):
            raise errors.ArmError(
                400,
                "SecurityRuleInvalidAddressPrefix",
                f"Security rule {name} has invalid Address prefix. Value provided: {value}",
            )


def _is_port_range(text: str) -> bool:
    if text == "*":
        return True
    parts = text.split("-")
    # isdecimal alone would take other scripts' digits.
    if len(parts) > 2 or not all(part.isascii() and part.isdecimal() for part in parts):
        return False
    return 0 <= int(parts[0]) <= int(parts[-1]) <= 65535


def _is_address_prefix(text: str) -> bool:
    """Return whether the text is *, an address, a network, or a service tag such as Internet."""
    if text == "*" or re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)*", text):
        return True
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def check_unused(em: Emulator, nsg: Resource) -> None:
    users = security_group_users(em, nsg)
    if users:
        raise provider_errors.in_use(
            "InUseNetworkSecurityGroupCannotBeDeleted",
            f"Network security group {nsg.id} cannot be deleted because it is in use by the "
            f"following resources: {', '.join(users)}. In order to delete the Network security "
            "group, remove the association with the resource(s). To learn how to do this, see "
            "aka.ms/deletensg.",
        )


def _nsg_and_rule(em: Emulator, request: ArmRequest) -> tuple[Resource, Json | None]:
    nsg = em.store.get(request.params["group"], NSG, request.params["name"])
    wanted = request.params["child"].lower()
    rules = nsg.properties["securityRules"]
    return nsg, next((rule for rule in rules if rule["name"].lower() == wanted), None)


def get_rule(em: Emulator, request: ArmRequest) -> ArmResponse:
    nsg, rule = _nsg_and_rule(em, request)
    if rule is None:
        raise errors.child_not_found(f"{nsg.id}/securityRules/{request.params['child']}")
    return ArmResponse(200, show_rule(nsg, rule, request.api_version), {"ETag": nsg.etag})


def list_rules(em: Emulator, request: ArmRequest) -> ArmResponse:
    nsg = em.store.get(request.params["group"], NSG, request.params["name"])
    return page(
        [show_rule(nsg, rule, request.api_version) for rule in nsg.properties["securityRules"]]
    )


def put_rule(em: Emulator, request: ArmRequest) -> ArmResponse:
    em.store.writable_group(request.params["group"])
    nsg, old = _nsg_and_rule(em, request)
    body = check_network("SecurityRule", request.json_object(), write_to(old))
    new = {"name": request.params["child"], "properties": body["properties"]}
    others = [rule for rule in nsg.properties["securityRules"] if rule is not old]
    _check_rules([*others, new], nsg.id)
    nsg.properties["securityRules"] = [*others, new]
    answer = begin_network_write(em, request, nsg, created=old is None)
    return ArmResponse(answer.status, show_rule(nsg, new, request.api_version), answer.headers)


def delete_rule(em: Emulator, request: ArmRequest) -> ArmResponse:
    nsg, rule = _nsg_and_rule(em, request)
    if rule is None:
        return ArmResponse(204)

    async def finish() -> None:
        rules = nsg.properties["securityRules"]
        nsg.properties["securityRules"] = [item for item in rules if item is not rule]
        nsg.touch()

    return begin_network_deletion(em, request, nsg.location, finish)


def _default_rules(em: Emulator, request: ArmRequest) -> tuple[Resource, list[Json]]:
    nsg = em.store.get(request.params["group"], NSG, request.params["name"])
    body = show(em, nsg, request.api_version)
    return nsg, list(body["properties"]["defaultSecurityRules"])


def list_default_rules(em: Emulator, request: ArmRequest) -> ArmResponse:
    return page(_default_rules(em, request)[1])


def get_default_rule(em: Emulator, request: ArmRequest) -> ArmResponse:
    nsg, rules = _default_rules(em, request)
    wanted = request.params["child"]
    for rule in rules:
        if rule["name"].lower() == wanted.lower():
            return ArmResponse(200, rule, {"ETag": nsg.etag})
    raise errors.child_not_found(f"{nsg.id}/defaultSecurityRules/{wanted}")

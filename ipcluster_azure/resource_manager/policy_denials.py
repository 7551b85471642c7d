"""A policy's denial -> which policy it is, and which of our settings answers it. Pure.

Azure tells the policy's name, and of each condition that held the field, the operator and what the
field was compared with: https://learn.microsoft.com/azure/governance/policy, 'evaluation details'.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]
CODE = "RequestDisallowedByPolicy"
MOST_VALUES = 8  # of those that a policy allows, in a message
SECTION = "c.AzureVMLauncher"
NO_ADDRESS = (
    f"{SECTION}.public_ip = False, with {SECTION}.subnet_id of a subnet that you reach over a VPN "
    "or a peering"
)
GIVEN_SUBNET = f"{SECTION}.subnet_id: an existing subnet that the policy allows"
GIVEN_GROUP = f"{SECTION}.resource_group: an existing group"
NO_IDENTITY = f"{SECTION}.self_deletion = 'off'"
TAG = re.compile(r"tags(?:\.(?P<plain>.+)|\[\s*'?(?P<quoted>[^']*?)'?\s*\])", re.IGNORECASE)
# parts of a field's name in lower case, the first that fits -> what answers it; "{}" is followed by
# the values that the policy allows, as far as it says
FIELDS = {
    "publicip": NO_ADDRESS,
    "subnets": GIVEN_SUBNET,
    "virtualnetworks/": GIVEN_SUBNET,
    "securityrules": f"{SECTION}.ssh_source: narrower addresses; or {GIVEN_SUBNET}",
    "imagepublisher": f"{SECTION}.image{{}}",
    "imageoffer": f"{SECTION}.image{{}}",
    "imagesku": f"{SECTION}.image{{}}",
    "imageversion": f"{SECTION}.image{{}}",
    "imageid": f"{SECTION}.image{{}}",
    "imagereference": f"{SECTION}.image{{}}",
    "securitytype": f"{SECTION}.image: one that needs this security type",
    "sku.name": f"{SECTION}.vm_size{{}}",
    "vmsize": f"{SECTION}.vm_size{{}}",
    "priority": f"{SECTION}.priority{{}}",
    "disksizegb": f"{SECTION}.os_disk_gb{{}}",
    "adminusername": f"{SECTION}.admin_username{{}}",
    "zones": f"{SECTION}.zones{{}}",
    "identity": NO_IDENTITY,
}
# what is denied whatever it is like
TYPES = {
    "microsoft.network/publicipaddresses": NO_ADDRESS,
    "microsoft.network/virtualnetworks": GIVEN_SUBNET,
    "microsoft.resources/subscriptions/resourcegroups": GIVEN_GROUP,
    "microsoft.authorization/roleassignments": NO_IDENTITY,
}
SIZED = ("microsoft.compute/", "hardwareprofile")


def denial_in_words(error: Json) -> str:
    """The policies that deny what was asked for, and the settings that answer them.

    `error` is what Azure sends, with its members code, message, details and additionalInfo. The
    answer goes on behind what was attempted; it is empty if no policy denies it.
    """
    denials = [item for item in _all_errors(error) if item.get("code") == CODE]
    if not denials:
        return ""
    infos = [info for denial in denials for info in _infos(denial)]
    names = [name for info in infos if (name := _name(info))] or _names_in(denials[0])
    by = " and ".join(f"'{name}'" for name in dict.fromkeys(names))
    target = denials[0].get("target") or _target_in(denials[0])
    said = f"Resource '{target}' was disallowed by policy {by}".rstrip()
    answers = dict.fromkeys(answer for info in infos for answer in _answers(info))
    if answers:
        return f"{said} ({CODE}). Set {'; or '.join(answers)}. Else ask for an exemption."
    return (
        f"{said} ({CODE}). {_see(infos)}Its rule says what is allowed; public_ip, subnet_id, tags, "
        f"resource_group, location, vm_size and image of {SECTION} may answer it. Else ask for an "
        "exemption."
    )


def _all_errors(error: Json) -> Iterator[Json]:
    """The error, and those that it holds: of a machine of a scale set, of a deployment."""
    yield error
    for item in error.get("details") or ():
        if isinstance(item, Mapping):
            yield from _all_errors(item)


def _infos(denial: Json) -> list[Json]:
    found = denial.get("additionalInfo") or ()
    return [
        item["info"]
        for item in found
        if item.get("type") == "PolicyViolation" and isinstance(item.get("info"), Mapping)
    ]


def _name(info: Json) -> str:
    names = (
        *("policyAssignmentDisplayName", "policyDefinitionDisplayName"),
        *("policyAssignmentName", "policyDefinitionName"),
    )
    return next((str(info[name]) for name in names if info.get(name)), "")


def _names_in(denial: Json) -> list[str]:
    """The names that the message has, where there is nothing but the message."""
    match = re.search(r"Policy identifiers: '(\[.*\])'", str(denial.get("message") or ""))
    try:
        found = json.loads(match[1]) if match else []
        return [str(item["policyAssignment"]["name"]) for item in found]
    except (ValueError, KeyError, TypeError):
        return []


def _target_in(denial: Json) -> str:
    match = re.match(r"Resource '([^']*)'", str(denial.get("message") or ""))
    return match[1] if match else "?"


def _see(infos: Sequence[Json]) -> str:
    assignment = next((info.get("policyAssignmentId") for info in infos), None)
    return f"`az policy assignment show --name {assignment}` shows it. " if assignment else ""


def _answers(info: Json) -> list[str]:
    """What answers one policy: to its conditions on members, else to the type that it denies."""
    details = info.get("evaluationDetails") or {}
    held = [
        item
        for item in details.get("evaluatedExpressions") or ()
        if str(item.get("result", "True")).lower() == "true"
    ]
    found = [answer for item in held if (answer := _of_field(item))]
    return found or [answer for item in held if (answer := _of_type(item))]


def _of_field(condition: Json) -> str:
    field = str(condition.get("expression") or condition.get("path") or "")
    if match := TAG.fullmatch(field):
        return _tag(match["plain"] or match["quoted"], condition)
    words = field.lower()
    if words == "tags":
        return f"{SECTION}.tags"
    if words == "location":
        return f"{SECTION}.location{_allowed(condition)}"
    if words == "name":
        return _named(condition)
    answer = next((FIELDS[part] for part in FIELDS if part in words), "")
    if "sku.name" in words and not words.startswith(SIZED):
        return ""
    return answer.format(_allowed(condition)) if answer else ""


def _of_type(condition: Json) -> str:
    if str(condition.get("expression", "")).lower() != "type":
        return ""
    value = condition.get("expressionValue") or condition.get("targetValue")
    return TYPES.get(str(value).lower(), "")


def _named(condition: Json) -> str:
    """Names are ours to give, but for a group's that exists already."""
    return f"{GIVEN_GROUP} with a name that the policy allows{_allowed(condition)}"


def _tag(name: str, condition: Json) -> str:
    allowed = _values(condition)
    value = repr(allowed[0]) if allowed else "'...'"
    others = f" (or {', '.join(map(repr, allowed[1:]))})" if allowed[1:] else ""
    return f"{SECTION}.tags = {{{name!r}: {value}}}{others}"


def _values(condition: Json) -> list[str]:
    """The values that a condition which forbids all others would let through."""
    if not str(condition.get("operator") or "").lower().startswith("not"):
        return []
    target = condition.get("targetValue")
    values = target if isinstance(target, list) else [target]
    return [str(value) for value in values[:MOST_VALUES] if value is not None]


def _allowed(condition: Json) -> str:
    values = _values(condition)
    if not values:
        value = condition.get("expressionValue")
        return f": another than {value}" if isinstance(value, str) and value else ""
    return f": {' or '.join(values)}"

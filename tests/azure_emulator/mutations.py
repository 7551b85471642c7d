"""Request bodies with one thing wrong: a required member gone, a wrong type, an unknown word."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from azure_emulator.base import schema_types
from azure_emulator.base.schema_types import Member

Json = dict[str, Any]
Path = tuple[str | int, ...]

WRONG: dict[str, list[Any]] = {
    "string": [17, True, {}, ["text"]],
    "integer": ["seventeen", True, 1.5, {}, []],
    "number": ["much", False, {}, []],
    "boolean": ["yes", 1, {}, []],
    "list": ["text", 17, True, {"0": "text"}],
    "map": ["text", 17, False, ["text"]],
    "object": ["text", 17, True, ["text"]],
    "enum": [17, True, {}, ["text"]],
}
# What Azure requires of a creation though no schema says so; [] is each item of a list. A path
# counts only where the body has it.
REQUIRED_BY_AZURE = {
    "VirtualNetwork": "properties.subnets[].name properties.subnets[].properties.addressPrefix",
    "Subnet": "properties.addressPrefix",
    "NetworkSecurityGroup": "properties.securityRules[].name",
    "NetworkInterface": """
        properties.ipConfigurations[].name
        properties.ipConfigurations[].properties.subnet
        properties.ipConfigurations[].properties.subnet.id
    """,
    "VirtualMachine": """
        properties.hardwareProfile properties.hardwareProfile.vmSize properties.storageProfile
        properties.storageProfile.imageReference properties.storageProfile.imageReference.offer
        properties.osProfile properties.osProfile.adminUsername properties.networkProfile
        properties.networkProfile.networkInterfaces
    """,
    "VirtualMachineScaleSet": """
        sku sku.name properties.virtualMachineProfile.storageProfile
        properties.virtualMachineProfile.storageProfile.imageReference
        properties.virtualMachineProfile.osProfile
        properties.virtualMachineProfile.osProfile.adminUsername
        properties.virtualMachineProfile.networkProfile
        properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations
    """,
}


class Mutation(NamedTuple):
    what: str
    body: Json


def mutations(provider: str, kind: str, body: Json) -> Iterator[Mutation]:
    """All of them, one by one."""
    known = [re.compile(_pattern(path)) for path in REQUIRED_BY_AZURE.get(kind, "").split()]
    for path, member, word, owner in places(schema_types.load(provider), kind, body):
        shown = _shown(path)
        if member.required or any(pattern.fullmatch(shown) for pattern in known):
            yield Mutation(f"without {shown}", _changed(body, path))
        for wrong in WRONG[word]:
            yield Mutation(f"{shown} = {wrong!r}", _changed(body, path, wrong))
        if word == "enum" and not owner.is_open(member.kind.removeprefix("[]")):
            yield Mutation(f"{shown} = NoSuchWord", _changed(body, path, "NoSuchWord"))


def _pattern(path: str) -> str:
    return re.escape(path).replace(r"\[\]", r"\[\d+\]")


def places(
    schemas: schema_types.Schemas, kind: str, value: Json, here: Path = ()
) -> Iterator[tuple[Path, Member, str, schema_types.Schemas]]:
    """Each member and list item below value, with what kind of value belongs there."""
    members = schemas.members(kind)
    for name, item in value.items():
        member = members[name.lower()]
        if item is None or member.read_only or member.kind == "any":
            continue
        yield from _place(schemas, member, member.kind, item, (*here, name))


def _place(
    schemas: schema_types.Schemas, member: Member, kind: str, item: Any, path: Path
) -> Iterator[tuple[Path, Member, str, schema_types.Schemas]]:
    if kind.startswith("[]"):
        yield path, member, "list", schemas
        optional = Member(member.name, kind, False, False, False, False)
        for at, one in enumerate(item):
            yield from _place(schemas, optional, kind[2:], one, (*path, at))
    elif kind.startswith("{}"):
        yield path, member, "map", schemas
    elif kind in WRONG:
        yield path, member, kind, schemas
    elif schemas.words(kind) is not None:
        yield path, member, "enum", schemas
    else:
        yield path, member, "object", schemas
        yield from places(schemas, kind, item, path)


def _shown(path: Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


GONE = object()


def _changed(body: Json, path: Path, value: Any = GONE) -> Json:
    changed = copy.deepcopy(body)
    place: Any = changed
    for part in path[:-1]:
        place = place[part]
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed

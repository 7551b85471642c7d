"""Writes the emulator's body schemas from the models of the installed Azure SDK.

    python tools/generate_schemas.py            writes azure_emulator/base/schemas/*.json
    python tools/generate_schemas.py --check    fails when they differ from what it would write

The format is described in azure_emulator/base/schema_types.py.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import sys
import typing
from collections.abc import Iterator
from enum import EnumMeta
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

DIRECTORY = Path(__file__).parents[1] / "azure_emulator" / "base" / "schemas"


class Source(NamedTuple):
    """roots: the types of the request bodies; what they refer to is found from them."""

    distribution: str
    models: str
    roots: str


SOURCES = {
    "resources": Source(
        "azure-mgmt-resource",
        "azure.mgmt.resource.resources.models",
        "ResourceGroup ResourceGroupPatchable TagsResource TagsPatchResource ExportTemplateRequest",
    ),
    "network": Source(
        "azure-mgmt-network",
        "azure.mgmt.network.models",
        "VirtualNetwork Subnet VirtualNetworkPeering NetworkSecurityGroup SecurityRule "
        "PublicIPAddress NetworkInterface NatGateway TagsObject",
    ),
    "compute": Source(
        "azure-mgmt-compute",
        "azure.mgmt.compute.models",
        "VirtualMachine VirtualMachineUpdate RunCommandInput VirtualMachineScaleSet "
        "VirtualMachineRunCommand VirtualMachineRunCommandUpdate "
        "VirtualMachineScaleSetUpdate VirtualMachineScaleSetVM "
        "VirtualMachineScaleSetVMInstanceIDs VirtualMachineScaleSetVMInstanceRequiredIDs "
        "VirtualMachineScaleSetReimageParameters VirtualMachineReimageParameters "
        "Disk DiskUpdate GrantAccessData Snapshot SnapshotUpdate Image ImageUpdate "
        "AvailabilitySet AvailabilitySetUpdate ProximityPlacementGroup UpdateResource "
        "SshPublicKeyResource SshPublicKeyUpdateResource ProximityPlacementGroupUpdate "
        "VirtualMachineExtension VirtualMachineExtensionUpdate "
        "VirtualMachineScaleSetExtension VirtualMachineScaleSetExtensionUpdate",
    ),
}

SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean", Any: "any"}
TEXTS = ("datetime", "timedelta", "date", "time", "bytes")  # JSON writes them as strings


class Models:
    """The models of one package; `types` and `enums` fill up with what was asked for."""

    def __init__(self, source: Source) -> None:
        self._module: ModuleType = importlib.import_module(source.models)
        self.types: dict[str, dict[str, str]] = {}
        self.enums: dict[str, list[str]] = {}
        for root in source.roots.split():
            self._add(root)

    def _add(self, name: str) -> None:
        if name in self.types or name in self.enums:
            return
        model = getattr(self._module, name)
        if isinstance(model, EnumMeta):
            self.enums[name] = [str(word.value) for word in model]  # type: ignore[var-annotated]
            return
        members: dict[str, str] = {}
        self.types[name] = members
        for member, annotation, visibility in fields(model):
            # nobody sends what is only read, so its type is of no use
            members[member] = "~" if visibility == ["read"] else self._kind(annotation)

    def _kind(self, annotation: Any) -> str:
        """How the format writes this annotation; ends in ! when a value is required."""
        parts = typing.get_args(annotation)
        if typing.get_origin(annotation) is typing.Union:
            wanted = [part for part in parts if part not in (str, type(None))] or [str]
            if len(wanted) != 1:
                raise TypeError(f"several types at once: {annotation}")
            kind = self._kind(wanted[0]).rstrip("!")
            return kind if type(None) in parts else f"{kind}!"
        return f"{self._plain(annotation, parts)}!"

    def _plain(self, annotation: Any, parts: tuple[Any, ...]) -> str:
        origin = typing.get_origin(annotation)
        if origin is list:
            return "[]" + self._kind(parts[0]).rstrip("!")
        if origin is dict:
            return "{}" + self._kind(parts[1]).rstrip("!")
        if annotation in SCALARS:
            return SCALARS[annotation]
        name = getattr(annotation, "__forward_arg__", annotation)
        if isinstance(name, str):
            name = name.removeprefix("_models.")
            self._add(name)
            return name
        if annotation.__name__ in TEXTS:
            return "string"
        raise TypeError(f"unknown annotation: {annotation}")


def fields(model: type) -> Iterator[tuple[str, Any, list[str] | None]]:
    """(name in JSON, annotation, visibility) of a model's members, the base classes' first."""
    for base in reversed(model.__mro__):
        for attribute, annotation in inspect.get_annotations(base).items():
            field = vars(base).get(attribute)
            if type(field).__name__ == "_RestField":
                yield field._rest_name_input or attribute, annotation, field._visibility


def schema(source: Source) -> dict[str, Any]:
    models = Models(source)
    return {
        "generated by": "tools/generate_schemas.py",
        "from": f"{source.distribution} {version(source.distribution)}",
        "licence": "MIT, Copyright (c) Microsoft Corporation",
        "types": dict(sorted(models.types.items())),
        "enums": dict(sorted(models.enums.items())),
    }


def text(source: Source) -> str:
    """One line for each type, so that changes are seen in a diff."""
    content = schema(source)
    lines = [f"{json.dumps(name)}: {json.dumps(content[name])}" for name in list(content)[:3]]
    for part in ("types", "enums"):
        items = (f"{json.dumps(name)}: {json.dumps(item)}" for name, item in content[part].items())
        lines.append(f'"{part}": {{\n' + ",\n".join(items) + "\n}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail on differences")
    check = parser.parse_args().check
    for name, source in SOURCES.items():
        path = DIRECTORY / f"{name}.json"
        written = text(source)
        if not check:
            path.write_text(written)
        elif path.read_text() != written:
            sys.exit(f"{path} is out of date: make schemas")


if __name__ == "__main__":
    main()

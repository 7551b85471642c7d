"""POST .../resourcegroups/{group}/exportTemplate: a template that makes what a group has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..base import resource_types as types
from ..base.errors import GATEWAY, ArmError
from ..base.messages import ArmRequest, ArmResponse, Json
from ..base.schema import Problem, check_resources, normalise
from ..base.store import Resource
from ..resources.views import show
from ..state import Emulator

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
# Of which schema each type's body is, and with which api-version the template makes it.
BODIES: dict[str, tuple[str, str, str]] = {
    types.AVAILABILITY_SET: ("compute", "AvailabilitySet", "2024-07-01"),
    types.DISK: ("compute", "Disk", "2024-03-02"),
    types.IDENTITY: ("management", "Identity", "2023-01-31"),
    types.IMAGE: ("compute", "Image", "2024-07-01"),
    types.NAT_GATEWAY: ("network", "NatGateway", "2024-05-01"),
    types.NIC: ("network", "NetworkInterface", "2024-05-01"),
    types.NSG: ("network", "NetworkSecurityGroup", "2024-05-01"),
    types.PROXIMITY_GROUP: ("compute", "ProximityPlacementGroup", "2024-07-01"),
    types.PUBLIC_IP: ("network", "PublicIPAddress", "2024-05-01"),
    types.SCALE_SET: ("compute", "VirtualMachineScaleSet", "2024-07-01"),
    types.SNAPSHOT: ("compute", "Snapshot", "2024-03-02"),
    types.SSH_KEY: ("compute", "SshPublicKeyResource", "2024-07-01"),
    types.VM: ("compute", "VirtualMachine", "2024-07-01"),
    types.VNET: ("network", "VirtualNetwork", "2024-05-01"),
}
# What Azure alone gives, though the models don't say so.
GIVEN = ("ipAddress", "ipConfiguration", "requireGuestProvisionSignal", "vmId")
# Disks with these are made of what the machine says. Azure exports them, too, and with them a
# template that can't be deployed.
MADE_WITH_MACHINE = ("FromImage", "Empty")
SKIPPING = "SkipResourceNameParameterization"


def export(em: Emulator, request: ArmRequest) -> ArmResponse:
    """Answer a template; what has no exportable type is told in `error`, as Azure does."""
    group = em.store.group(request.params["group"])
    body = check_resources("ExportTemplateRequest", request.json_object())
    wanted = [str(item).lower() for item in body.get("resources") or []]
    if not wanted:
        raise ArmError(
            400,
            "InvalidExportTemplateRequest",
            "The request must name the resources to export, or '*' for all.",
            headers=GATEWAY,
        )
    found = [item for item in group.resources.values() if not item.nested]
    if "*" not in wanted:
        found = [item for item in found if item.key in wanted]
        missing = [name for name in wanted if name not in {item.key for item in found}]
        if missing:
            raise ArmError(
                400,
                "ExportTemplateResourceNotFound",
                f"The resource '{missing[0]}' is not in resource group '{group.name}'.",
                headers=GATEWAY,
            )
    parameterized = SKIPPING.lower() not in body.get("options", "").lower()
    exporter = _Exporter(em, found, parameterized=parameterized)
    answer: Json = {"template": exporter.template()}
    if exporter.problems:
        answer["error"] = {
            "code": "ExportTemplateCompletedWithErrors",
            "message": "Export template operation completed with errors. Some resources were not "
            "exported. Please see details for more information.",
            "details": exporter.problems,
        }
    return ArmResponse(200, answer)


class _Exporter:
    """Makes one template. problems: a detail for each resource that can't be in it."""

    def __init__(self, em: Emulator, found: list[Resource], *, parameterized: bool) -> None:
        self._em = em
        self._parameterized = parameterized
        self.problems: list[Json] = []
        made = set(_made_with_machines(found))
        self._exported = [
            item for item in found if item.key not in made and self._is_exported(item)
        ]
        self._by_id = {item.key: item for item in self._exported}

    def _is_exported(self, resource: Resource) -> bool:
        if resource.type in BODIES:
            return True
        self.problems.append(
            {
                "code": "ResourceTypeSchemaNotFound",
                "target": resource.id,
                "message": f"The schema of resource type '{resource.type}' is not available. "
                "Resources of this type will not be exported.",
            }
        )
        return False

    def template(self) -> Json:
        resources = [self._resource(item) for item in self._exported]
        parameters = {
            _parameter(item): {"defaultValue": item.name, "type": "String"}
            for item in self._exported
            if self._parameterized
        }
        return {
            "$schema": SCHEMA,
            "contentVersion": "1.0.0.0",
            "parameters": parameters,
            "variables": {},
            "resources": resources,
        }

    def _resource(self, resource: Resource) -> Json:
        provider, kind, version = BODIES[resource.type]
        shown = show(self._em, resource, version)
        try:
            body: Json = normalise(provider, kind, _writable(shown, resource.id), "replace")
        except Problem as problem:  # a machine shows more than a request may say
            raise ArmError(409, "ExportTemplateFailed", str(problem), headers=GATEWAY) from None
        own = resource.id
        others: set[str] = set()
        filled = self._with_references(body, own, others)
        result: Json = {"type": resource.type, "apiVersion": version}
        result["name"] = f"[{self._name(resource)}]" if self._parameterized else resource.name
        own_members = ("id", "name", "type")
        result |= {name: item for name, item in filled.items() if name not in own_members}
        if others:
            result["dependsOn"] = sorted(others)
        return result

    def _with_references(self, value: Any, own: str, others: set[str]) -> Any:
        """Return the value with ids of what is exported, too, as expressions; note them."""
        if isinstance(value, dict):
            return {key: self._with_references(item, own, others) for key, item in value.items()}
        if isinstance(value, list):
            return [self._with_references(item, own, others) for item in value]
        if not isinstance(value, str) or not value.startswith("/subscriptions/"):
            return f"[{value}" if isinstance(value, str) and value.startswith("[") else value
        for target in (self._by_id.get(value.lower()), self._above(value)):
            if target is not None and target.id != own:
                expression = self._reference(target)
                others.add(f"[{expression}]")
                rest = value[len(target.id) :]
                return f"[concat({expression}, '{rest}')]" if rest else f"[{expression}]"
        return value

    def _above(self, identifier: str) -> Resource | None:
        """Return the resource of which the id names a part, such as a subnet."""
        top = re.match(r"(/[^/]+){8}", identifier)
        return self._by_id.get(top[0].lower()) if top else None

    def _reference(self, target: Resource) -> str:
        return f"resourceId('{target.type}', {self._name(target)})"

    def _name(self, resource: Resource) -> str:
        if self._parameterized:
            return f"parameters('{_parameter(resource)}')"
        return f"'{resource.name}'"


def _made_with_machines(found: list[Resource]) -> Iterator[str]:
    """Yield, in lower case, the ids of disks that come with their machine."""
    for vm in found:
        storage = vm.properties.get("storageProfile") if vm.type == types.VM else None
        for disk in [storage["osDisk"], *storage.get("dataDisks", [])] if storage else []:
            if disk.get("createOption") in MADE_WITH_MACHINE:
                yield str((disk.get("managedDisk") or {}).get("id")).lower()


def _parameter(resource: Resource) -> str:
    kind = resource.type.rsplit("/", 1)[-1]
    return re.sub(r"[^A-Za-z0-9]+", "_", f"{kind}_{resource.name}_name")


def _writable(value: Any, own: str, path: tuple[str, ...] = ()) -> Any:
    """Return what is shown without what no request says, such as addresses that Azure gave.

    own: the id of the resource. Its parts, such as subnets, are shown with ids of theirs.
    """
    if isinstance(value, list):
        return [_writable(item, own, path) for item in value]
    if not isinstance(value, dict):
        return value
    if "managedDisk" in value and value.get("createOption") in MADE_WITH_MACHINE:
        managed = {key: item for key, item in value["managedDisk"].items() if key != "id"}
        value = {key: item for key, item in value.items() if key != "name"}
        value["managedDisk"] = managed
    dynamic = value.get("privateIPAllocationMethod") == "Dynamic"
    is_part = str(value.get("id")).startswith(f"{own}/")
    return {
        name: _writable(item, own, (*path, name))
        for name, item in value.items()
        if name not in GIVEN
        and not (name == "privateIPAddress" and dynamic)
        and not (is_part and name in ("id", "etag", "type"))
        and not (name == "virtualMachine" and path == ("properties",))
    }

"""What may be added to request bodies: all but what other settings give, or the launcher relies on.

As Azure does, all names of members are compared without regard to case. Pure.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ConfigurationError

RELIED_ON = ""  # no setting gives it
# members, below the body's top, with the setting that gives each
_TOP = {
    "location": "location",
    "tags": "tags",
    "zones": "zones",
    "plan": "image",
    **dict.fromkeys(("name", "type", "id", "apiVersion", "dependsOn"), RELIED_ON),
}
_MACHINE = {
    "hardwareProfile.vmSize": "vm_size",
    "osProfile.adminUsername": "admin_username",
    "storageProfile.imageReference": "image",
    "storageProfile.osDisk.diskSizeGB": "os_disk_gb",
    "diagnosticsProfile.bootDiagnostics.enabled": "boot_diagnostics",
    "priority": "priority",
    "evictionPolicy": "priority",
    "networkProfile": "extra_nic",
    **{
        f"osProfile.{name}": RELIED_ON
        for name in (
            *("computerName", "computerNamePrefix", "adminPassword", "customData"),
            *("linuxConfiguration.disablePasswordAuthentication", "linuxConfiguration.ssh"),
            "windowsConfiguration",
        )
    },
    **{
        f"storageProfile.osDisk.{name}": RELIED_ON
        for name in ("createOption", "deleteOption", "name", "image", "vhd", "osType")
    },
    "storageProfile.osDisk.managedDisk.securityProfile": RELIED_ON,
    "securityProfile.securityType": RELIED_ON,
    "virtualMachineScaleSet": RELIED_ON,
}
_NIC = dict.fromkeys(
    ("ipConfigurations", "networkSecurityGroup", "primary", "deleteOption"), RELIED_ON
)


def _below(path: str, members: Mapping[str, str]) -> dict[str, str]:
    return {f"{path}.{name}": setting for name, setting in members.items()}


GIVEN: dict[str, Mapping[str, str]] = {
    "extra_vm": {**_TOP, "identity": "self_deletion", **_below("properties", _MACHINE)},
    "extra_scale_set": {
        **_TOP,
        "identity": "engine_identity",
        "sku": "vm_size",
        "properties.orchestrationMode": RELIED_ON,
        **_below("properties.virtualMachineProfile", _MACHINE),
    },
    "extra_nic": {**_TOP, **_below("properties", _NIC)},
}


def check_extra(name: str, extra: Mapping[str, Any]) -> None:
    """Raise ConfigurationError for members that the setting `name` can't add to a body."""
    try:
        json.dumps(extra, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name} must be what JSON can say: {error}.") from None
    for node in _dictionaries(extra):
        folded = [str(member).lower() for member in node]
        if any(not isinstance(member, str) for member in node):
            raise ConfigurationError(f"{name}: names of members must be texts, not {[*node]}.")
        if twice := {member for member in folded if folded.count(member) > 1}:
            names = ", ".join(sorted(twice))
            raise ConfigurationError(
                f"{name} has {names} twice: Azure ignores upper and lower case."
            )
    for path, setting in GIVEN[name].items():
        if _reaches(extra, path.lower().split(".")):
            advice = f"Use the setting {setting}." if setting else "The launcher relies on it."
            raise ConfigurationError(f"{name} can't give {path}. {advice}")
    for disk in _data_disks(extra):
        kept = str(disk.get("deleteoption")).lower() != "delete"
        if kept and str(disk.get("createoption")).lower() != "attach":
            raise ConfigurationError(
                f'{name}: a data disk needs "deleteOption": "Delete", else it would outlive its '
                "machine, and cost."
            )


def _dictionaries(value: Any) -> Iterator[Mapping[Any, Any]]:
    if isinstance(value, Mapping):
        yield value
        for item in value.values():
            yield from _dictionaries(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _dictionaries(item)


def _data_disks(extra: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the data disks that machines get, with their members' names in lower case."""
    for node in _dictionaries(extra):
        for name, disks in node.items():
            if name.lower() == "datadisks" and isinstance(disks, list | tuple):
                for disk in filter(lambda item: isinstance(item, Mapping), disks):
                    yield {member.lower(): value for member, value in disk.items()}


def _reaches(extra: Any, path: list[str]) -> bool:
    """Whether `extra` has what is at the path, or takes the place of all that is around it."""
    for part in path:
        if not isinstance(extra, Mapping):
            return True
        extra = {str(name).lower(): value for name, value in extra.items()}.get(part, {})
        if extra == {}:
            return False
    return True

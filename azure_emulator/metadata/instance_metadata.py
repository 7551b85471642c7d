"""A VM's own document in the metadata service: /metadata/instance."""

from __future__ import annotations

import json
from typing import Any

from ..base.messages import Json
from ..base.store import Resource
from ..compute import vm_network
from ..guest.addresses import Network
from ..network import networks
from ..state import Emulator

VERSIONS = (
    *("2017-04-02", "2017-08-01", "2017-12-01", "2018-02-01", "2018-04-02", "2018-10-01"),
    *("2019-02-01", "2019-03-11", "2019-04-30", "2019-06-01", "2019-06-04", "2019-08-01"),
    *("2019-08-15", "2019-11-01", "2020-06-01", "2020-07-15", "2020-09-01", "2020-10-01"),
    *("2020-12-01", "2021-01-01", "2021-02-01", "2021-03-01", "2021-05-01", "2021-08-01"),
    *("2021-10-01", "2021-11-01", "2021-11-15", "2021-12-13", "2023-07-01", "2023-11-15"),
)
# Members of `compute` that came later than the first version.
SINCE = {
    "placementGroupId": "2017-08-01",
    "resourceGroupName": "2017-08-01",
    "subscriptionId": "2017-08-01",
    "tags": "2017-08-01",
    "vmScaleSetName": "2017-12-01",
    "zone": "2017-12-01",
    "plan": "2018-04-02",
    "provider": "2018-10-01",
    "publicKeys": "2018-04-02",
    "azEnvironment": "2018-10-01",
    "customData": "2019-02-01",
    "resourceId": "2019-03-11",
    "storageProfile": "2019-06-01",
    "tagsList": "2019-06-04",
    "securityProfile": "2020-06-01",
    "osProfile": "2020-07-15",
    "evictionPolicy": "2020-12-01",
    "priority": "2020-12-01",
    "userData": "2021-01-01",
    "virtualMachineScaleSet": "2021-03-01",
}


def document(em: Emulator, vm: Resource, version: str) -> Json:
    compute = _compute(em, vm)
    shown = {name: compute[name] for name in sorted(compute) if SINCE.get(name, "") <= version}
    interfaces = [_interface(em, nic) for nic, _ in vm_network.nics(em, vm)]
    return {"compute": shown, "network": {"interface": interfaces}}


def _compute(em: Emulator, vm: Resource) -> Json:
    properties = vm.properties
    image = properties["storageProfile"].get("imageReference") or {}
    scale_set = str((properties.get("virtualMachineScaleSet") or {}).get("id", ""))
    tags = vm.tags or {}
    return {
        "azEnvironment": "AzurePublicCloud",
        "customData": "",  # never told here
        "evictionPolicy": properties.get("evictionPolicy", ""),
        "location": vm.location,
        "name": vm.name,
        "offer": image.get("offer", ""),
        "osProfile": _os_profile(properties["osProfile"]),
        "osType": "Linux",
        "placementGroupId": "",
        "plan": {name: (vm.top.get("plan") or {}).get(name, "") for name in PLAN},
        "platformFaultDomain": str(properties.get("platformFaultDomain", 0)),
        "platformUpdateDomain": "0",
        "priority": properties.get("priority", ""),
        "provider": "Microsoft.Compute",
        "publicKeys": _public_keys(properties["osProfile"]),
        "publisher": image.get("publisher", ""),
        "resourceGroupName": vm.group,
        "resourceId": vm.id,
        "securityProfile": _security(properties.get("securityProfile") or {}),
        "sku": image.get("sku", ""),
        "storageProfile": _storage(properties["storageProfile"]),
        "subscriptionId": em.store.subscription_id,
        "tags": ";".join(f"{name}:{value}" for name, value in tags.items()),
        "tagsList": [{"name": name, "value": value} for name, value in tags.items()],
        "userData": vm.hidden.get("userData") or "",
        "version": image.get("exactVersion") or image.get("version", ""),
        "virtualMachineScaleSet": {"id": scale_set},
        "vmId": properties["vmId"],
        "vmScaleSetName": scale_set.rsplit("/", 1)[-1],
        "vmSize": properties["hardwareProfile"]["vmSize"],
        "zone": (vm.top.get("zones") or [""])[0],
    }


PLAN = ("name", "product", "publisher")


def _os_profile(profile: Json) -> Json:
    linux = profile.get("linuxConfiguration") or {}
    disabled = bool(linux.get("disablePasswordAuthentication"))
    return {
        "adminUsername": profile.get("adminUsername", ""),
        "computerName": profile.get("computerName", ""),
        "disablePasswordAuthentication": _word(disabled),
    }


def _word(value: object) -> str:
    """Return a value as the text it is in this document, where all leaves are strings."""
    return str(bool(value)).lower()


def _public_keys(profile: Json) -> list[Json]:
    keys = ((profile.get("linuxConfiguration") or {}).get("ssh") or {}).get("publicKeys") or []
    return [{"keyData": key.get("keyData", ""), "path": key.get("path", "")} for key in keys]


def _security(profile: Any) -> Json:
    settings = profile.get("uefiSettings") if isinstance(profile, dict) else None
    settings = settings if isinstance(settings, dict) else {}
    return {
        "secureBootEnabled": _word(settings.get("secureBootEnabled")),
        "virtualTpmEnabled": _word(settings.get("vTpmEnabled")),
    }


def _storage(profile: Json) -> Json:
    image = profile.get("imageReference") or {}
    disk = profile["osDisk"]
    managed = disk.get("managedDisk") or {}
    return {
        "dataDisks": [],
        "imageReference": {
            name: image.get(name, "") for name in ("id", "offer", "publisher", "sku", "version")
        },
        "osDisk": {
            "caching": disk.get("caching", "None"),
            "createOption": disk.get("createOption", "FromImage"),
            "diffDiskSettings": {"option": (disk.get("diffDiskSettings") or {}).get("option", "")},
            "diskSizeGB": str(disk.get("diskSizeGB", "")),
            "managedDisk": {
                "id": managed.get("id", ""),
                "storageAccountType": managed.get("storageAccountType", ""),
            },
            "name": disk.get("name", ""),
            "osType": "Linux",
        },
    }


def _interface(em: Emulator, nic: Resource) -> Json:
    """Return an interface; a Standard public address is not told here, as on Azure."""
    items = [item["properties"] for item in nic.properties["ipConfigurations"]]
    found = networks.find_subnet(em, items[0]["subnet"]["id"])
    subnets = []
    if found:
        prefix = Network(found[1]["properties"]["addressPrefix"])
        subnets = [{"address": str(prefix.network_address), "prefix": str(prefix.prefixlen)}]
    addresses = [
        {"privateIpAddress": item["privateIPAddress"], "publicIpAddress": ""} for item in items
    ]
    return {
        "ipv4": {"ipAddress": addresses, "subnet": subnets},
        "ipv6": {"ipAddress": []},
        "macAddress": str(nic.properties.get("macAddress", "")).replace("-", ""),
    }


def part(document: Any, path: list[str]) -> Any:
    """Return what lies below these names and positions; raises KeyError."""
    for name in path:
        if isinstance(document, dict):
            lower = {key.lower(): value for key, value in document.items()}
            document = lower[name.lower()]
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            raise KeyError(name)
    return document


def as_text(value: Any) -> str:
    """Return the answer to format=text: a leaf, or names, with a slash if there is more below."""
    if isinstance(value, dict):
        return "\n".join(f"{name}/" if _is_inner(below) else name for name, below in value.items())
    if isinstance(value, list):
        return "\n".join(f"{position}/" for position in range(len(value)))
    return value if isinstance(value, str) else json.dumps(value)


def _is_inner(value: Any) -> bool:
    return isinstance(value, (dict, list))

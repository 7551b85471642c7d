"""Bodies of machines and scale sets that must exist before a recorded request can be asked."""

from __future__ import annotations

import functools
from typing import Any

import asyncssh

Json = dict[str, Any]

IMAGE = {
    "publisher": "Canonical",
    "offer": "UbuntuServer",
    "sku": "18.04-LTS",
    "version": "latest",
}


@functools.cache
def public_key() -> str:
    """One RSA key for all machines."""
    return asyncssh.generate_private_key("ssh-rsa", key_size=2048).export_public_key().decode()


def network_interface(group: str, location: str) -> Json:
    return {"location": location, "properties": {"ipConfigurations": [_configuration(group)]}}


def _configuration(group: str) -> Json:
    subnet = {"id": f"{group}/providers/Microsoft.Network/virtualNetworks/replay/subnets/all"}
    return {"name": "ip", "properties": {"subnet": subnet}}


def _profile(group: str) -> Json:
    nic = {
        "name": "nic",
        "properties": {"primary": True, "ipConfigurations": [_configuration(group)]},
    }
    key = {"path": "/home/replay/.ssh/authorized_keys", "keyData": public_key()}
    login = {"disablePasswordAuthentication": True, "ssh": {"publicKeys": [key]}}
    return {
        "storageProfile": {"imageReference": IMAGE},
        "osProfile": {"adminUsername": "replay", "linuxConfiguration": login},
        "networkProfile": {
            "networkApiVersion": "2022-11-01",
            "networkInterfaceConfigurations": [nic],
        },
    }


def virtual_machine(group: str, location: str, *, spot: bool) -> Json:
    profile = _profile(group)
    profile["hardwareProfile"] = {"vmSize": "Standard_D2s_v3"}
    profile["osProfile"]["computerName"] = "replay"
    if spot:
        profile |= {"priority": "Spot", "evictionPolicy": "Deallocate"}
    return {"location": location, "properties": profile}


def scale_set(group: str, location: str, *, spot: bool) -> Json:
    profile = _profile(group)
    profile["osProfile"]["computerNamePrefix"] = "replay"
    del profile["networkProfile"]["networkApiVersion"]
    if spot:
        profile |= {"priority": "Spot", "evictionPolicy": "Deallocate"}
    properties = {"upgradePolicy": {"mode": "Manual"}, "virtualMachineProfile": profile}
    sku = {"name": "Standard_D2s_v3", "tier": "Standard", "capacity": 3}
    return {"location": location, "sku": sku, "properties": properties}


def scale_set_of(instance: Json, capacity: int) -> Json:
    """The scale set of which an answer shows a machine (without what Azure adds)."""
    shown = instance["properties"]
    login = dict(shown["osProfile"])
    login["computerNamePrefix"] = login.pop("computerName")[:-6]
    if not (login.get("linuxConfiguration") or {}).get("ssh"):
        login["adminPassword"] = "Replay-2b-or-not"
    storage = shown["storageProfile"]
    profile: Json = {
        "osProfile": login,
        "storageProfile": {
            "imageReference": {**_sent(storage["imageReference"]), "version": "latest"},
            "osDisk": _model_disk(storage["osDisk"]),
            "dataDisks": [_model_disk(disk) for disk in storage.get("dataDisks", [])],
        },
        "networkProfile": shown.get("networkProfileConfiguration") or {},
    }
    extensions = [
        {"name": item["name"], "properties": _sent(item["properties"])}
        for item in instance.get("resources", [])
    ]
    if extensions:
        profile["extensionProfile"] = {"extensions": extensions}
    profile |= {
        name: shown[name]
        for name in ("priority", "evictionPolicy", "billingProfile")
        if name in shown
    }
    return {
        "location": instance["location"],
        "tags": instance.get("tags"),
        "sku": {**instance["sku"], "capacity": capacity},
        "properties": {"upgradePolicy": {"mode": "Manual"}, "virtualMachineProfile": profile},
    }


def _sent(shown: Json) -> Json:
    """Without what Azure adds."""
    added = ("provisioningState", "exactVersion")
    return {key: item for key, item in shown.items() if key not in added}


def _model_disk(shown: Json) -> Json:
    disk = {
        key: shown[key] for key in ("lun", "caching", "createOption", "diskSizeGB") if key in shown
    }
    if "managedDisk" in shown:
        account = shown["managedDisk"].get("storageAccountType", "Standard_LRS")
        disk["managedDisk"] = {"storageAccountType": account}
    elif "vhd" in shown:
        disk["vhdContainers"] = [shown["vhd"]["uri"].rpartition("/")[0]]
        disk["name"] = "disk"
    return disk

"""A VM's request body checked and completed: what Azure refuses and what it fills in."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import asyncssh

from . import errors, images, names, skus
from .arm import Json
from .state import Emulator

SECRET = ("customData", "adminPassword")  # never shown
CUSTOM_DATA_LIMIT = 65_535


def checked_size(name: object) -> skus.Size:
    if name is None:
        raise errors.missing_parameter("vmSize")
    size = skus.find(name)
    if size is None:
        known = ",".join(item.name for item in skus.SIZES.values())
        raise errors.invalid_parameter(
            "vmSize",
            f"The value {name} provided for the VM size is not valid. The valid sizes in the "
            f"current region are: {known}. Find out more on the valid VM sizes in each region at "
            "https://aka.ms/azure-regions.",
        )
    return size


def checked_priority(body: Json, size: skus.Size) -> None:
    spot = body.get("priority") in ("Spot", "Low")
    if spot and not size.has("S"):
        raise errors.operation_not_allowed(
            f"Azure Spot Virtual Machine is not supported for VM size {size.name}."
        )
    if not spot and ("evictionPolicy" in body or "billingProfile" in body):
        raise errors.invalid_parameter(
            "evictionPolicy" if "evictionPolicy" in body else "billingProfile",
            "Eviction policy and billing profile can be set only on Azure Spot Virtual Machines.",
        )


def split_os_profile(profile: Json | None) -> tuple[Json, Json]:
    """(what is shown, what stays hidden), checked; computerName is the caller's matter."""
    if profile is None:
        raise errors.missing_parameter("osProfile")
    if not profile.get("adminUsername"):
        raise errors.missing_parameter("adminUsername")
    if "windowsConfiguration" in profile:
        raise errors.invalid_parameter(
            "windowsConfiguration", "This local endpoint has only Linux virtual machines."
        )
    names.check_admin(profile["adminUsername"])
    _check_login(profile)
    if profile.get("customData"):
        decode_custom_data(profile["customData"])
    hidden = {name: profile[name] for name in SECRET if name in profile}
    shown = {name: value for name, value in profile.items() if name not in SECRET}
    linux = {"disablePasswordAuthentication": False, **(profile.get("linuxConfiguration") or {})}
    shown["linuxConfiguration"] = {
        **linux,
        "provisionVMAgent": linux.get("provisionVMAgent", True),
        "patchSettings": linux.get("patchSettings")
        or {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"},
    }
    shown.setdefault("secrets", [])
    shown.setdefault("allowExtensionOperations", True)
    shown.setdefault("requireGuestProvisionSignal", True)
    return shown, hidden


def _check_login(profile: Json) -> None:
    linux = profile.get("linuxConfiguration") or {}
    keys = (linux.get("ssh") or {}).get("publicKeys") or []
    password = profile.get("adminPassword")
    if linux.get("disablePasswordAuthentication"):
        if password:
            raise errors.invalid_parameter(
                "adminPassword",
                "Authentication using a password cannot be disabled when an admin password is "
                "given.",
            )
        if not keys:
            raise errors.invalid_parameter(
                "linuxConfiguration",
                "Authentication using either SSH or by user name and password must be enabled in "
                "Linux profile.",
            )
    elif not password:
        raise errors.missing_parameter("adminPassword")
    for key in keys:
        _check_key(key, profile["adminUsername"])


def _check_key(key: Json, user: str) -> None:
    wanted = f"/home/{user}/.ssh/authorized_keys"
    if key.get("path") not in (None, wanted):
        raise errors.invalid_parameter(
            "linuxConfiguration.ssh.publicKeys.path",
            "Destination path for SSH public keys is currently limited to its default value "
            f"{wanted}  due to a known issue in Linux provisioning agent.",
        )
    if public_key(key.get("keyData")) is None:
        raise errors.invalid_parameter(
            "linuxConfiguration.ssh.publicKeys.keyData",
            "The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid.",
        )


def public_key(text: Any) -> asyncssh.SSHKey | None:
    """An OpenSSH key of a kind Azure takes (RSA from 2048 bits, ed25519), else None."""
    try:
        key = asyncssh.import_public_key(text)
    except (asyncssh.KeyImportError, AttributeError, TypeError, ValueError):
        return None
    return key if key.get_algorithm() in ("ssh-rsa", "ssh-ed25519") else None


def decode_custom_data(text: str) -> bytes:
    try:
        data = base64.b64decode(re.sub(r"\s", "", text), validate=True)
    except (binascii.Error, ValueError):
        data = None
    if data is None or len(data) > CUSTOM_DATA_LIMIT:
        raise errors.invalid_parameter(
            "customData",
            "Custom data in OSProfile must be in Base64 encoding and with a maximum length of "
            "87380 characters.",
        )
    return data


def storage_profile(profile: Json | None, *, delete_option: str) -> Json:
    """Without a disk name: Azure shows one only when the VM is there."""
    if profile is None:
        raise errors.missing_parameter("storageProfile")
    if "imageReference" not in profile:
        raise errors.missing_parameter("imageReference")
    if "osDisk" not in profile:
        profile = {**profile, "osDisk": {"createOption": "FromImage"}}
    disk = profile["osDisk"]
    if disk["createOption"] != "FromImage":
        raise errors.invalid_parameter(
            "osDisk.createOption", "This local endpoint makes OS disks only from an image."
        )
    managed = {"storageAccountType": "Standard_LRS", **(disk.get("managedDisk") or {})}
    return {
        **profile,
        "imageReference": images.resolve(profile["imageReference"]),
        "osDisk": {
            "osType": "Linux",
            "caching": "ReadWrite",
            "deleteOption": delete_option,
            **disk,
            "managedDisk": managed,
        },
        "dataDisks": [],
    }


def check_immutable(old: Json, old_hidden: Json, new: Json) -> None:
    """What an existing VM's PUT must not change, compared as far as the request names it."""
    os_new = new.get("osProfile") or {}
    os_old = old["osProfile"]
    for name in ("computerName", "adminUsername"):
        if name in os_new and os_new[name] != os_old.get(name):
            raise errors.property_change(f"osProfile.{name}")
    if "customData" in os_new and os_new["customData"] != old_hidden.get("customData"):
        raise errors.property_change("osProfile.customData")
    keys_new = ((os_new.get("linuxConfiguration") or {}).get("ssh") or {}).get("publicKeys")
    keys_old = (os_old["linuxConfiguration"].get("ssh") or {}).get("publicKeys")
    if keys_new is not None and keys_new != keys_old:
        raise errors.property_change("linuxConfiguration.ssh.publicKeys")
    image_new = (new.get("storageProfile") or {}).get("imageReference")
    image_old = old["storageProfile"]["imageReference"]
    if image_new and any(image_old.get(name) != value for name, value in image_new.items()):
        raise errors.property_change("imageReference")
    if "priority" in new and new["priority"] != old.get("priority", "Regular"):
        raise errors.property_change("priority")


def new_vm_properties(em: Emulator, body: Json, name: str, delete_option: str) -> tuple[Json, Json]:
    """(shown, hidden) of a new VM, without its network profile."""
    properties = body["properties"]
    size = checked_size((properties.get("hardwareProfile") or {}).get("vmSize"))
    checked_priority(properties, size)
    shown_os, hidden = split_os_profile(properties.get("osProfile"))
    computer = shown_os.pop("computerName", None) or name
    names.check_computer(computer)
    shown: Json = {
        "hardwareProfile": {**properties["hardwareProfile"], "vmSize": size.name},
        "provisioningState": "Creating",
        "vmId": em.new_uuid(),
        "storageProfile": storage_profile(
            properties.get("storageProfile"), delete_option=delete_option
        ),
        "osProfile": {"computerName": computer, **shown_os},
    }
    for other, value in properties.items():
        if other not in shown and other not in ("networkProfile", "userData"):
            shown[other] = value
    return shown, hidden | user_data(properties)


def user_data(properties: Json) -> Json:
    """What GET does not show unless asked, and the machine can read."""
    data = properties.get("userData")
    if not data:
        return {}
    decode_custom_data(data)
    return {"userData": data}

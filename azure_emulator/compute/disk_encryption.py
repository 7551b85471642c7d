"""Azure Disk Encryption: an extension encrypts the disks, and instance views show it (recorded)."""

from __future__ import annotations

from ..base.messages import Json
from ..base.store import Resource
from ..state import Emulator

PUBLISHER = "microsoft.azure.security"
WINDOWS, LINUX = "azurediskencryption", "azurediskencryptionforlinux"
STATES = {
    True: ("EncryptionState/encrypted", "Encryption is enabled on disk"),
    False: ("EncryptionState/notEncrypted", "Disk is not encrypted"),
}


def _kind(properties: Json) -> str:
    """Return which of the two extensions for encryption it is; empty for any other."""
    kind = str(properties.get("type")).lower()
    own = str(properties.get("publisher")).lower() == PUBLISHER and kind in (WINDOWS, LINUX)
    return kind if own else ""


def apply(em: Emulator, vm: Resource, properties: Json) -> None:
    """Show what the extension has done; no disk is really changed."""
    settings = properties.get("settings")
    if not _kind(properties) or not isinstance(settings, dict):
        return
    if settings.get("EncryptionOperation") == "DisableEncryption":
        vm.hidden["encryption"] = {"enabled": False}
        return
    vault = str(settings.get("KeyVaultURL", "")).rstrip("/")
    vm.hidden["encryption"] = {
        "enabled": True,
        "diskEncryptionKey": {
            "sourceVault": {"id": settings.get("KeyVaultResourceId")},
            "secretUrl": f"{vault}/secrets/{em.new_uuid().upper()}/{em.new_hex(32)}",
        },
    }


def of_disk(vm: Resource, shown: Json) -> Json:
    """Return a disk's entry in the instance view, with its encryption if there ever was one."""
    settings = vm.hidden.get("encryption")
    if settings is None:
        return shown
    code, words = STATES[settings["enabled"]]
    status = {"code": code, "level": "Info", "displayStatus": words}
    return {
        "name": shown["name"],
        "encryptionSettings": [settings],
        "statuses": [*shown["statuses"], status],
    }


def substatuses(properties: Json) -> list[Json]:
    """Return how far the extension for Linux has come; that for Windows does not tell."""
    if _kind(properties) != LINUX:
        return []
    return [
        {
            "code": f"ComponentStatus/{properties['publisher']}.{properties['type']}/succeeded",
            "level": "Info",
            "displayStatus": "Provisioning succeeded",
            "message": '{"os": "Encrypted", "data": "Encrypted"}',
        }
    ]


def is_silent(properties: Json) -> bool:
    """Return whether the extension's handler says nothing but that it is ready."""
    return _kind(properties) == WINDOWS

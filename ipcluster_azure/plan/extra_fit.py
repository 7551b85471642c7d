"""Whether VM sizes can have what users add to the requests for machines. Pure.

Azure refuses what they can't, but only when the network has been made.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from .image import Image
from .vm_sizes import SizeOffer

GIB_IN_MIB = 1024


def unmet(machine: Any, offer: SizeOffer, image: Image, os_disk_gb: int) -> str:
    """Why machines of this size can't have what is added to their properties, empty if they can for
    all we know. The answer goes on behind the size's name: "can't have Premium disks".
    """
    storage = member(machine, "storageProfile")
    disk, data_disks = member(storage, "osDisk"), member(storage, "dataDisks")
    data_disks = data_disks if isinstance(data_disks, Sequence) else ()
    accounts = [member(item, "managedDisk", "storageAccountType") for item in (disk, *data_disks)]
    if any(str(name).startswith("Premium") for name in accounts) and lacks(offer, "PremiumIO"):
        return "can't have Premium disks"
    if member(disk, "diffDiskSettings", "option"):
        reason = _without_room(offer, image, os_disk_gb)
        if reason:
            return reason
    most, count = offer.says("MaxDataDiskCount"), len(data_disks) + image.data_disks
    if data_disks and most.isdigit() and count > int(most):
        return f"takes {most} data disks at most, not {count}"
    at_host = member(machine, "securityProfile", "encryptionAtHost")
    if at_host is True and lacks(offer, "EncryptionAtHostSupported"):
        return "can't encrypt at the host"
    return ""


def unmet_network(nic: Any, offer: SizeOffer) -> str:
    """The same of what is added to the properties of the machines' network interfaces."""
    accelerated = member(nic, "enableAcceleratedNetworking") is True
    if accelerated and lacks(offer, "AcceleratedNetworkingEnabled"):
        return "has no accelerated networking"
    return ""


def member(value: Any, *path: str) -> Any:
    """What is at a path of members, whose case doesn't matter; None if there is nothing."""
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = {key.lower(): item for key, item in value.items()}.get(name.lower())
    return value


def lacks(offer: SizeOffer, capability: str) -> bool:
    return offer.says(capability) == "false"


def _without_room(offer: SizeOffer, image: Image, os_disk_gb: int) -> str:
    """Why a size has no place for an ephemeral OS disk: in its cache, or on its own disk."""
    if lacks(offer, "EphemeralOSDiskSupported"):
        return "has no place for an ephemeral OS disk"
    rooms = [
        int(said) // unit
        for name, unit in (
            ("CachedDiskBytes", 1024**3),
            ("MaxResourceVolumeMB", GIB_IN_MIB),
            ("NvmeDiskSizeInMiB", GIB_IN_MIB),
        )
        if (said := offer.says(name)).isdigit()
    ]
    wanted = os_disk_gb or image.size_gb
    if rooms and wanted > max(rooms):
        return f"has {max(rooms)} GiB for an ephemeral OS disk, and this one has {wanted}"
    return ""

"""Microsoft.Compute/disks: what a managed disk is, who holds it, and what it is made from."""

from __future__ import annotations

import re

from ..base import errors
from ..base.messages import Json
from ..base.resource_types import COMPUTE, DISK
from ..base.store import Group, Resource
from ..base.timestamps import compute_timestamp
from ..state import Emulator
from . import images

GIB = 1024**3
OWN_IMAGE = re.compile(r"/Microsoft\.Compute/images/[^/]+$", re.IGNORECASE)
UPLOAD_GB = 32
# Up to so many GB: (IOPS, MB/s); Microsoft's tables of Standard HDD, Standard SSD, Premium SSD.
PERFORMANCE: dict[str, tuple[tuple[int, int, int], ...]] = {
    "Standard": ((4096, 500, 60), (8192, 1300, 300), (32767, 2000, 500)),
    "Premium": (
        *((16, 120, 25), (64, 240, 50), (128, 500, 100), (256, 1100, 125), (512, 2300, 150)),
        *((2048, 5000, 200), (4096, 7500, 250), (8192, 16000, 500), (32767, 20000, 900)),
    ),
}


def build(em: Emulator, group: Group, name: str, body: Json) -> Resource:
    """Return a disk that exists, of a checked body; it is not stored yet."""
    disk = em.new_resource(group, DISK, name, body)
    account = (body.get("sku") or {}).get("name", "Standard_LRS")
    disk.top = {"sku": {"name": account, "tier": account.split("_")[0].removesuffix("SSD")}}
    disk.top |= {key: body[key] for key in ("zones", "extendedLocation") if key in body}
    given = body["properties"]
    disk.properties = {
        "accountType": account,  # what the oldest api-version shows for the sku
        **given,
        "encryption": {
            "type": "EncryptionAtRestWithPlatformKey",
            **(given.get("encryption") or {}),
        },
        "timeCreated": compute_timestamp(em.clock.now()),
        "provisioningState": "Succeeded",
        "diskState": "ReadyToUpload" if _is_upload(given) else "Unattached",
        "uniqueId": em.new_uuid(),
        "networkAccessPolicy": given.get("networkAccessPolicy", "AllowAll"),
        "publicNetworkAccess": given.get("publicNetworkAccess", "Enabled"),
    }
    if _is_upload(given):
        resize(disk, UPLOAD_GB)
        for unknown in ("diskSizeGB", "diskSizeBytes"):  # until the content is there
            del disk.properties[unknown]
    else:
        resize(disk, int(given["diskSizeGB"]))
    return disk


def _is_upload(given: Json) -> bool:
    return str(given["creationData"]["createOption"]).startswith("Upload")


def resize(disk: Resource, size_gb: int) -> None:
    tier = disk.top["sku"]["tier"]
    rows = PERFORMANCE["Premium" if tier == "Premium" else "Standard"]
    _, iops, mbps = next((row for row in rows if size_gb <= row[0]), rows[-1])
    disk.properties |= {
        "diskSizeGB": size_gb,
        "diskIOPSReadWrite": disk.properties.get("diskIOPSReadWrite", iops),
        "diskMBpsReadWrite": disk.properties.get("diskMBpsReadWrite", mbps),
        "diskSizeBytes": size_gb * GIB,
    }


def from_image(
    em: Emulator, group: Group, name: str, vm: Resource, reference: Json, shown: Json
) -> Resource:
    """Return the OS disk of a VM; shown: its entry in the storage profile."""
    created = source_of(em, vm, reference, 0)
    properties: Json = {
        "osType": shown["osType"],
        "hyperVGeneration": images.generation(reference),
        "creationData": created,
        "diskSizeGB": shown.get("diskSizeGB") or images.disk_gb(reference),
    }
    return build(em, group, name, disk_body(vm, shown, properties))


def source_of(em: Emulator, vm: Resource, reference: Json, number: int) -> Json:
    """Return where the content of an image's disk comes from; number 0 is the OS disk.

    An image of one's own consists of snapshots, of which the disks are copies (as recorded).
    """
    own = str(reference.get("id", ""))
    if OWN_IMAGE.search(own):
        group, _, name = own.partition("/providers/")
        snapshot = f"{name.rsplit('/', 1)[-1]}_{number}_{em.new_hex(11)}"
        return {
            "createOption": "Copy",
            "sourceResourceId": f"{group}/providers/{COMPUTE}/snapshots/{snapshot}",
            "sourceUniqueId": em.new_uuid(),
        }
    created: Json = {"createOption": "FromImage"}
    if reference:
        created["imageReference"] = {"id": _image_id(em, vm.location, reference)}
    return created


def disk_body(vm: Resource, shown: Json, properties: Json) -> Json:
    """Return the request body that makes one of the VM's disks."""
    body: Json = {
        "location": vm.location,
        "tags": vm.tags,
        "sku": {"name": shown["managedDisk"]["storageAccountType"]},
        "properties": properties,
    }
    return body | ({"zones": vm.top["zones"]} if "zones" in vm.top else {})


def _image_id(em: Emulator, location: str, reference: Json) -> str:
    own = reference.get("id") or reference.get("sharedGalleryImageId")
    own = own or reference.get("communityGalleryImageId")
    if own:
        return str(own)
    return (
        f"/Subscriptions/{em.store.subscription_id}/Providers/Microsoft.Compute/Locations/"
        f"{location}/Publishers/{reference['publisher']}/ArtifactTypes/VMImage/Offers/"
        f"{reference['offer']}/Skus/{reference['sku']}/Versions/{reference['exactVersion']}"
    )


def attachable(em: Emulator, vm: Resource, identifier: object) -> Resource:
    """Return the disk of that id; raises Azure's refusal if it can't become this VM's."""
    if not identifier:
        raise errors.missing_parameter("dataDisk.managedDisk.id")
    disk = em.store.find(identifier)
    if disk is None or disk.type != DISK:
        name = str(identifier).rsplit("/", 1)[-1]
        raise errors.resource_not_found(DISK, name, vm.group)
    if "diskSizeGB" not in disk.properties:
        raise errors.operation_not_allowed(
            f"Disk {disk.name} cannot be attached: its content has not been uploaded."
        )
    holder = disk.top.get("managedBy")
    if holder and holder.lower() != vm.key:
        raise errors.ArmError(
            409,
            "ConflictingUserInput",
            f"Disk '{disk.id}' cannot be attached as the disk is already owned by VM '{holder}'.",
            target="dataDisk",
        )
    if disk.location != vm.location:
        raise errors.ArmError(
            400,
            "BadRequest",
            f"Disk {disk.name} is in location {disk.location}, the virtual machine in "
            f"{vm.location}.",
        )
    return disk


def hold(disk: Resource, vm: Resource) -> None:
    """Mark the disk as the VM's; that of a machine that is not allocated is only reserved."""
    disk.top["managedBy"] = disk.properties["ownerId"] = vm.id
    disk.hidden["placed"] = True
    allocated = vm.hidden.get("power") != "deallocated"
    disk.properties["diskState"] = "Attached" if allocated else "Reserved"


def release(disk: Resource) -> None:
    disk.top.pop("managedBy", None)
    disk.properties.pop("ownerId", None)
    disk.properties["diskState"] = "Unattached"


def check_unused(disk: Resource) -> None:
    if "managedBy" in disk.top:
        raise errors.operation_not_allowed(
            f"Disk {disk.name} is attached to VM {disk.top['managedBy']}."
        )
    if is_shared(disk):
        raise shared(disk)


def is_shared(disk: Resource) -> bool:
    return bool(disk.properties["diskState"] == "ActiveSAS")


def shared(disk: Resource) -> errors.ArmError:
    return errors.operation_not_allowed(
        f"There is an active shared access signature outstanding for disk {disk.name}. Call "
        "EndGetAccess before attaching or deleting the disk. Learn more here: "
        "aka.ms/revokeaccessapi."
    )

"""The storageProfile of a VM or of a scale set's model: checked, completed as Azure shows it."""

from __future__ import annotations

from ..base import errors, skus
from ..base.messages import Json
from ..base.store import Resource
from ..state import Emulator
from . import disks, images

DEFAULT_ACCOUNT = "Standard_LRS"


def is_windows(profile: Json, login: Json) -> bool:
    """Return whether the image is one of Windows; of unknown images the osProfile tells."""
    reference = profile.get("imageReference") or {}
    if reference.get("publisher"):
        return images.is_windows(reference)
    system = (profile.get("osDisk") or {}).get("osType")
    return system == "Windows" if system else "windowsConfiguration" in login


def completed(profile: Json | None, *, windows: bool, delete_option: str) -> Json:
    """Return the completed profile; its disks get their names only when the VM is there."""
    if profile is None:
        raise errors.missing_parameter("storageProfile")
    given = profile.get("osDisk") or {"createOption": "FromImage"}
    _check_source(profile, given)
    shown: Json = {}
    if "imageReference" in profile:
        shown["imageReference"] = images.resolve(profile["imageReference"])
    disk: Json = {"osType": "Windows" if windows else "Linux", "caching": "ReadWrite", **given}
    if not _is_unmanaged(given):
        account = {"storageAccountType": DEFAULT_ACCOUNT}
        disk["managedDisk"] = {**account, **(given.get("managedDisk") or {})}
        disk.setdefault("deleteOption", delete_option)
    return {**profile, **shown, "osDisk": disk}


def fill_in_size(storage: Json) -> bool:
    """Give a new managed OS disk its image's size; return False if it has one, or needs none."""
    disk = storage["osDisk"]
    if "managedDisk" not in disk or "diskSizeGB" in disk or disk["createOption"] != "FromImage":
        return False
    disk["diskSizeGB"] = images.disk_gb(storage.get("imageReference") or {})
    return True


def _is_unmanaged(disk: Json) -> bool:
    return "vhd" in disk or "vhdContainers" in disk or "image" in disk


def _check_source(profile: Json, disk: Json) -> None:
    """Refuse an OS disk that neither comes from an image nor exists."""
    if disk["createOption"] == "Attach":
        existing = (disk.get("managedDisk") or {}).get("id") or disk.get("vhd")
        if not existing:
            raise errors.missing_parameter("osDisk.managedDisk.id")
        if "imageReference" in profile:
            raise errors.invalid_parameter(
                "imageReference", "Parameter 'imageReference' is not allowed."
            )
    elif disk["createOption"] != "FromImage":
        raise errors.invalid_parameter(
            "osDisk.createOption",
            f"The value '{disk['createOption']}' of parameter 'osDisk.createOption' is invalid.",
        )
    elif "imageReference" not in profile and "image" not in disk:
        raise errors.missing_parameter("imageReference")


def data_disks(em: Emulator, vm: Resource, items: list[Json], size: skus.Size) -> list[Json]:
    """Return the VM's data disks as the request wants them.

    Those it has already stay as they are.
    """
    if len(items) > skus.max_data_disks(size):
        raise errors.operation_not_allowed(
            "The maximum number of data disks allowed to be attached to a VM of this size is "
            f"{skus.max_data_disks(size)}."
        )
    _check_complete(items)
    luns = [item["lun"] for item in items]
    if len(set(luns)) < len(luns):
        raise errors.invalid_parameter(
            "dataDisk.lun", "The value of parameter dataDisk.lun must be unique for each disk."
        )
    held = {
        item["lun"]: item
        for item in (vm.properties.get("storageProfile") or {}).get("dataDisks", [])
    }
    return [_data_disk(em, vm, item, held.get(item["lun"])) for item in items]


def _check_complete(items: list[Json]) -> None:
    """Refuse disks without what a disk needs, which the schema lets a PATCH leave out."""
    for item in items:
        for name in ("lun", "createOption"):
            if name not in item:
                raise errors.missing_parameter(f"dataDisk.{name}")


def checked_model_disks(items: list[Json]) -> list[Json]:
    """Return the data disks of a scale set's model, checked and completed."""
    _check_complete(items)
    shown = []
    for item in items:
        disk = {"caching": "None", "deleteOption": "Delete", **item}
        managed = {"storageAccountType": DEFAULT_ACCOUNT, **(item.get("managedDisk") or {})}
        if item["createOption"] == "Empty" and "diskSizeGB" not in item:
            raise errors.missing_parameter("dataDisk.diskSizeGB")
        shown.append({**disk, "managedDisk": managed})
    return shown


def _data_disk(em: Emulator, vm: Resource, item: Json, held: Json | None) -> Json:
    if held and _same_disk(item, held):
        return {**held, "caching": item.get("caching", held["caching"])}
    shown: Json = {"caching": "None", **item, "toBeDetached": False}
    if _is_unmanaged(item):
        return shown
    managed = {"storageAccountType": DEFAULT_ACCOUNT, **(item.get("managedDisk") or {})}
    if item["createOption"] == "Attach":
        disk = disks.attachable(em, vm, managed.get("id"))
        account = disk.top["sku"]["name"]
        shown |= {"name": disk.name, "diskSizeGB": disk.properties["diskSizeGB"]}
        managed = {"storageAccountType": account, "id": disk.id}
    elif item["createOption"] == "Empty" and "diskSizeGB" not in item:
        raise errors.missing_parameter("dataDisk.diskSizeGB")
    shown["managedDisk"] = managed
    return shown


def _same_disk(item: Json, held: Json) -> bool:
    """Return whether both are one disk: by its id, its name, or its place alone."""
    identifier = (item.get("managedDisk") or {}).get("id")
    known = (held.get("managedDisk") or {}).get("id")
    if identifier:
        return str(known).lower() == str(identifier).lower()
    return "name" not in item or item["name"] == held.get("name")

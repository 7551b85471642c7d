"""A VM's disks: made with it, attached, detached, and deleted or left with it."""

from __future__ import annotations

from ..base import errors
from ..base.messages import Json
from ..base.store import Resource
from ..state import Emulator
from . import disks, images

UNREAD_GB = 30  # what a blob holds, which is not read here
FIRST_DATA_DISK = 2  # the OS disk is number 1 in the names that Azure gives


def make(em: Emulator, vm: Resource) -> None:
    """Make or take the disks that the storage profile names; safe to repeat."""
    storage = vm.properties["storageProfile"]
    _os_disk(em, vm, storage)
    for item in storage.get("dataDisks", []):
        _data_disk(em, vm, item)


def _prefix(vm: Resource) -> str:
    """Return how disks' names begin; those of a Uniform machine have the set's name twice."""
    return f"{vm.name.rpartition('_')[0]}_{vm.name}" if vm.nested else vm.name


def _os_disk(em: Emulator, vm: Resource, storage: Json) -> None:
    shown = storage["osDisk"]
    reference = storage.get("imageReference") or {}
    if "managedDisk" not in shown:
        if not vm.nested and "diskSizeGB" not in shown:
            shown["diskSizeGB"] = images.disk_gb(reference)
            vm.hidden["default_disk_size"] = True
        return
    if "id" in shown["managedDisk"]:
        disk = em.store.find(shown["managedDisk"]["id"])
    else:
        group = em.store.group(vm.group)
        name = shown.get("name") or f"{_prefix(vm)}_OsDisk_1_{em.new_hex(32)}"
        disk = disks.from_image(em, group, name, vm, reference, shown)
        if "diffDiskSettings" not in shown:  # an ephemeral disk is no resource
            em.store.add(disk)
            shown["managedDisk"] = {**shown["managedDisk"], "id": disk.id}
    if disk:
        disks.hold(disk, vm)
        shown |= {"name": disk.name, "diskSizeGB": disk.properties["diskSizeGB"]}


def _data_disk(em: Emulator, vm: Resource, shown: Json) -> None:
    if "managedDisk" not in shown:
        shown.setdefault("diskSizeGB", UNREAD_GB)
        return
    disk = em.store.find(shown["managedDisk"].get("id"))
    if disk is None:
        number = shown["lun"] + FIRST_DATA_DISK
        name = shown.get("name") or f"{_prefix(vm)}_disk{number}_{em.new_hex(32)}"
        properties: Json = {
            "creationData": _source(em, vm, shown),
            "diskSizeGB": shown.get("diskSizeGB", 30),
        }
        group = em.store.group(vm.group)
        disk = disks.build(em, group, name, disks.disk_body(vm, shown, properties))
        em.store.add(disk)
        shown["managedDisk"] = {**shown["managedDisk"], "id": disk.id}
    disks.hold(disk, vm)
    shown |= {"name": disk.name, "diskSizeGB": disk.properties["diskSizeGB"]}


def _source(em: Emulator, vm: Resource, shown: Json) -> Json:
    if shown["createOption"] != "FromImage":
        return {"createOption": shown["createOption"]}
    reference = vm.properties["storageProfile"].get("imageReference") or {}
    return disks.source_of(em, vm, reference, shown["lun"] + 1)


def held(em: Emulator, vm: Resource) -> list[Resource]:
    """Return the VM's managed disks that exist."""
    storage = vm.properties["storageProfile"]
    found = [
        em.store.find((shown.get("managedDisk") or {}).get("id"))
        for shown in (storage["osDisk"], *storage.get("dataDisks", []))
    ]
    return [disk for disk in found if disk]


def change(vm: Resource, wanted: list[Json]) -> None:
    """Set the wanted data disks; others are shown until let_go(), and make() makes the new ones."""
    storage = vm.properties["storageProfile"]
    new = list(wanted)
    shown: list[Json] = []
    for held_disk in storage.get("dataDisks", []):
        same = next((item for item in new if _id(item) and _id(item) == _id(held_disk)), None)
        if same:
            new.remove(same)
            shown.append(same)
        elif "managedDisk" in held_disk:
            shown.append({**held_disk, "toBeDetached": True})
    storage["dataDisks"] = [*shown, *new]


def _id(shown: Json) -> str | None:
    identifier = (shown.get("managedDisk") or {}).get("id")
    return identifier.lower() if isinstance(identifier, str) else None


def let_go(em: Emulator, vm: Resource) -> None:
    """Detach the disks that a change of the VM has left out."""
    storage = vm.properties["storageProfile"]
    held = storage.get("dataDisks", [])
    storage["dataDisks"] = [item for item in held if not item.get("toBeDetached")]
    for item in held:
        disk = em.store.find((item.get("managedDisk") or {}).get("id"))
        if disk and item.get("toBeDetached"):
            disks.release(disk)


def finish_change(em: Emulator, vm: Resource) -> None:
    """Detach and make disks as a change of the VM says, which has succeeded then."""
    if not vm.deleting:
        let_go(em, vm)
        make(em, vm)
        vm.properties["provisioningState"] = "Succeeded"


def leave(em: Emulator, vm: Resource) -> None:
    """Delete or keep each disk of a deleted VM, as its deleteOption says."""
    storage = vm.properties["storageProfile"]
    for shown in (storage["osDisk"], *storage.get("dataDisks", [])):
        disk = em.store.find((shown.get("managedDisk") or {}).get("id"))
        if disk is None:
            continue
        if shown.get("deleteOption") == "Delete":
            em.store.remove(disk)
        else:
            disks.release(disk)


def change_os_disk(em: Emulator, vm: Resource, given: Json) -> None:
    """Change the OS disk's caching and deleteOption, and its size, which can only grow."""
    shown = vm.properties["storageProfile"]["osDisk"]
    size_gb = given.get("diskSizeGB")
    old_gb = shown.get("diskSizeGB")
    if size_gb and size_gb != old_gb:
        if old_gb and size_gb < old_gb:
            raise errors.ArmError(
                400, "BadRequest", "Disk size reduction is not supported.", target="disk.diskSizeGB"
            )
        if vm.hidden.get("power") != "deallocated":
            raise errors.operation_not_allowed(
                f"Cannot resize disk '{shown.get('name')}' while it is attached to running VM "
                f"'{vm.id}'. Resizing a disk of an Azure Virtual Machine requires the virtual "
                "machine to be deallocated. Please stop your VM and retry the operation."
            )
        shown["diskSizeGB"] = size_gb
        vm.hidden.pop("default_disk_size", None)
        disk = em.store.find((shown.get("managedDisk") or {}).get("id"))
        if disk:
            disks.resize(disk, size_gb)
    shown |= {name: given[name] for name in ("caching", "deleteOption") if name in given}

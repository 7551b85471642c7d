"""What an api-version of Compute shows only if the request named it: a system, a disk's size."""

from __future__ import annotations

from ..base import versions, versions_compute
from ..base.messages import Json
from ..base.store import Resource


def scale_set(resource: Resource, api_version: str) -> Json:
    model = resource.properties.get("virtualMachineProfile") or {}
    hidden = []
    if _hides_disk_size(resource, model.get("storageProfile") or {}, api_version):
        hidden.append("diskSizeGB")
    named = not resource.hidden.get("default_os_type")
    if not (named or versions.includes(versions_compute.MODEL_OS_TYPE, api_version)):
        hidden.append("osType")
    if not (model and hidden):
        return resource.properties
    return {**resource.properties, "virtualMachineProfile": _os_disk_without(model, hidden)}


def disk(resource: Resource, api_version: str) -> Json:
    """Return a disk's properties.

    Before disks had a sku, a copy named its source by sourceUri and no system (recorded).
    """
    data = resource.properties["creationData"]
    source = data.get("sourceResourceId")
    if source is None or api_version[:10] > versions_compute.OLD_DISKS:
        return resource.properties
    shown = {name: item for name, item in resource.properties.items() if name != "osType"}
    return shown | {"creationData": {"createOption": data["createOption"], "sourceUri": source}}


def virtual_machine(vm: Resource, api_version: str) -> Json:
    tells = versions.includes(versions_compute.DISK_SIZE, api_version)
    if tells and vm.hidden.get("power") == "deallocated":
        return of_deallocated(vm)
    known = tells and vm.properties["provisioningState"] != "Creating"
    if known or not _hides_disk_size(vm, vm.properties["storageProfile"], api_version):
        return vm.properties
    return _os_disk_without(vm.properties, ["diskSizeGB"])


def of_deallocated(vm: Resource) -> Json:
    """Return a deallocated VM's properties: without size and kind of managed disks (recorded)."""
    storage = {**vm.properties["storageProfile"]}
    storage["osDisk"] = _unallocated(storage["osDisk"])
    if "dataDisks" in storage:
        storage["dataDisks"] = [_unallocated(disk) for disk in storage["dataDisks"]]
    return {**vm.properties, "storageProfile": storage}


def _unallocated(disk: Json) -> Json:
    if "managedDisk" not in disk:
        return disk
    managed = {k: v for k, v in disk["managedDisk"].items() if k != "storageAccountType"}
    return {k: v for k, v in disk.items() if k != "diskSizeGB"} | {"managedDisk": managed}


def _hides_disk_size(resource: Resource, storage: Json, api_version: str) -> bool:
    """Return whether the api-version shows the OS disk's size only if the request named it."""
    if not resource.hidden.get("default_disk_size"):
        return False
    if api_version == versions_compute.WITH_DATA_DISKS_ONLY:
        own = "id" in storage.get("imageReference", {})
        new = any(disk["createOption"] != "Attach" for disk in storage.get("dataDisks") or [])
        return not (own or new)
    return not versions.includes(versions_compute.DEFAULT_DISK_SIZE, api_version)


def _os_disk_without(holder: Json, hidden: list[str]) -> Json:
    storage = holder["storageProfile"]
    disk = {key: item for key, item in storage["osDisk"].items() if key not in hidden}
    return {**holder, "storageProfile": {**storage, "osDisk": disk}}

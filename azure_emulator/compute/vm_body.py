"""A VM's request body checked and completed: what Azure refuses and what it fills in."""

from __future__ import annotations

from ..base import errors, skus
from ..base.messages import Json
from ..base.resource_types import AVAILABILITY_SET, PROXIMITY_GROUP, SCALE_SET
from ..base.store import Resource
from ..base.timestamps import compute_timestamp
from ..state import Emulator
from . import disks, os_profile, storage_profile

SPOT = ("Spot", "Low")
# What a VM's properties may refer to, and of which type it must be.
REFERENCES = {
    "virtualMachineScaleSet": SCALE_SET,
    "availabilitySet": AVAILABILITY_SET,
    "proximityPlacementGroup": PROXIMITY_GROUP,
}


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


def all_sizes() -> list[skus.Size]:
    return list(skus.SIZES.values())


EVICTION_POLICIES = ("Deallocate", "Delete")


def checked_priority(body: Json, size: skus.Size) -> None:
    """Refuse a wrong priority, and drop, in place, an unknown eviction policy where none is needed.

    Azure takes it there: Ray's template sends the text json('null') for every Regular VM.
    """
    spot = body.get("priority") in SPOT
    if body.get("evictionPolicy", "Delete") not in EVICTION_POLICIES:
        if spot:
            raise errors.invalid_parameter(
                "evictionPolicy",
                f"The value '{body['evictionPolicy']}' of parameter 'evictionPolicy' is not valid.",
            )
        del body["evictionPolicy"]
    if spot and not size.has("S"):
        raise errors.operation_not_allowed(
            f"Azure Spot Virtual Machine is not supported for VM size {size.name}."
        )
    # An empty billing profile says nothing: SkyPilot's template always sends one.
    if not spot and ("evictionPolicy" in body or body.get("billingProfile")):
        raise errors.invalid_parameter(
            "evictionPolicy" if "evictionPolicy" in body else "billingProfile",
            "Eviction policy and billing profile can be set only on Azure Spot Virtual Machines.",
        )


def check_references(em: Emulator, referrer: Resource, properties: Json) -> None:
    for name, kind in REFERENCES.items():
        identifier = (properties.get(name) or {}).get("id")
        if identifier is None:
            continue
        found = em.store.find(identifier)
        if found is None or found.type != kind:
            raise errors.invalid_reference(identifier, referrer.id)
        if found.location != referrer.location:
            raise errors.invalid_reference(identifier, referrer.id)


def check_system(em: Emulator, windows: bool, login: Json | None) -> None:
    """Refuse VMs for which a real machine can't be made: it runs Linux and has a user to log in."""
    if em.settings.machines == "none":
        return
    if windows:
        raise errors.invalid_parameter(
            "windowsConfiguration",
            "This local endpoint has only Linux virtual machines; with --machines=none it takes "
            "Windows, too.",
        )
    if login is None:
        raise errors.missing_parameter("osProfile")


def new_vm(em: Emulator, vm: Resource, given: Json) -> None:
    """Set properties and hidden of a new VM from its request's properties, but for its network."""
    size = checked_size((given.get("hardwareProfile") or {}).get("vmSize"))
    checked_priority(given, size)
    storage = given.get("storageProfile")
    login = given.get("osProfile")
    windows = storage_profile.is_windows(storage or {}, login or {})
    check_system(em, windows, login)
    vm.properties = {
        "hardwareProfile": {**given["hardwareProfile"], "vmSize": size.name},
        "provisioningState": "Creating",
        "vmId": em.new_uuid(),
        "timeCreated": compute_timestamp(em.clock.now()),
        "storageProfile": storage_profile.completed(
            storage, windows=windows, delete_option="Detach"
        ),
    }
    if storage_profile.fill_in_size(vm.properties["storageProfile"]):
        vm.hidden["default_disk_size"] = True
    _take_os_disk(em, vm)
    attached = vm.properties["storageProfile"]["osDisk"]["createOption"] == "Attach"
    if attached and login is not None:
        raise errors.invalid_parameter("osProfile", "Parameter 'osProfile' is not allowed.")
    if not attached:
        _set_login(vm, login, windows)
    items = (storage or {}).get("dataDisks") or []
    vm.properties["storageProfile"]["dataDisks"] = []  # none is held yet
    vm.properties["storageProfile"]["dataDisks"] = storage_profile.data_disks(em, vm, items, size)
    if "userData" in given:
        os_profile.check_user_data(given["userData"])
        vm.hidden["userData"] = given["userData"]
    for other, value in given.items():
        if other not in vm.properties and other not in ("networkProfile", "userData", "osProfile"):
            vm.properties[other] = value


def _take_os_disk(em: Emulator, vm: Resource) -> None:
    """Show name and size of an existing OS disk, which has them from the first."""
    shown = vm.properties["storageProfile"]["osDisk"]
    identifier = (shown.get("managedDisk") or {}).get("id")
    if shown["createOption"] == "Attach" and identifier:
        disk = disks.attachable(em, vm, identifier)
        shown |= {"name": disk.name, "diskSizeGB": disk.properties["diskSizeGB"]}


def _set_login(vm: Resource, login: Json | None, windows: bool) -> None:
    shown, hidden = os_profile.split(login, windows=windows)
    vm.hidden |= hidden
    computer = shown.pop("computerName", None)
    # A VM's name may have "_", of which Azure makes a computer's name that it wouldn't take.
    os_profile.check_computer(computer or vm.name.replace("_", ""), windows=windows)
    computer = computer or vm.name
    vm.properties["osProfile"] = {"computerName": computer, **shown}


def check_immutable(vm: Resource, new: Json) -> None:
    """Refuse changes of what an existing VM must keep.

    What the request leaves out is not compared.
    """
    old = vm.properties
    os_new, os_old = new.get("osProfile") or {}, old.get("osProfile") or {}
    for name in ("computerName", "adminUsername"):
        if name in os_new and os_new[name] != os_old.get(name):
            raise errors.property_change(f"osProfile.{name}")
    if "customData" in os_new and os_new["customData"] != vm.hidden.get("customData"):
        raise errors.property_change("osProfile.customData")
    keys_new = _keys(os_new)
    if keys_new is not None and keys_new != _keys(os_old):
        raise errors.property_change("linuxConfiguration.ssh.publicKeys")
    image_new = (new.get("storageProfile") or {}).get("imageReference") or {}
    image_old = old["storageProfile"].get("imageReference") or {}
    if any(image_old.get(name) != value for name, value in image_new.items()):
        raise errors.property_change("imageReference")
    _check_proximity(vm, new)
    _check_price(vm, new)


def _check_proximity(vm: Resource, new: Json) -> None:
    if "proximityPlacementGroup" not in new or vm.hidden.get("power") == "deallocated":
        return
    wanted, held = (
        str((holder.get("proximityPlacementGroup") or {}).get("id")).lower()
        for holder in (new, vm.properties)
    )
    if wanted != held:
        raise errors.operation_not_allowed(
            f"Updating proximity placement group of VM {vm.name} is not allowed while the VM is "
            "running. Please stop/deallocate the VM and retry the operation."
        )


def _keys(login: Json) -> object:
    return ((login.get("linuxConfiguration") or {}).get("ssh") or {}).get("publicKeys")


def merged_diagnostics(old: Json, new: Json) -> Json:
    """Return the new boot diagnostics; turned off by a PATCH they keep their place (recorded)."""
    boot = {**(old.get("bootDiagnostics") or {}), **(new.get("bootDiagnostics") or {})}
    return {**old, **new, "bootDiagnostics": boot}


def _check_price(vm: Resource, new: Json) -> None:
    if "priority" in new:
        old = vm.properties.get("priority", "Regular")
        if (new["priority"] in SPOT) != (old in SPOT):
            raise errors.property_change("priority")
    profile = vm.properties.get("billingProfile")
    changed = "billingProfile" in new and new["billingProfile"] != profile
    if changed and vm.hidden.get("power") != "deallocated":
        link = "For more information, see https://aka.ms/low-priority/errormessages."
        reason = (
            f"Billing Profile change is not allowed when the VM '{vm.name}' is currently "
            f"allocated. Please deallocate and try again. {link}"
        )
        detail = {"code": "OperationNotAllowed", "message": reason, "target": vm.name}
        raise errors.ArmError(
            409,
            "OperationNotAllowed",
            f"Billing Profile change is not allowed. {link}",
            details=[detail],
        )

"""The model of a scale set: its properties checked, completed, and changed."""

from __future__ import annotations

from ..base import errors
from ..base.messages import Json
from ..base.store import Resource
from ..base.timestamps import compute_timestamp
from ..state import Emulator
from . import os_profile, storage_profile, vm_body
from .scale_set_extensions import check_possible
from .scale_set_interfaces import check_interfaces, complete_interfaces
from .vm_extensions import SECRET

LARGEST = 1000
MOST_FAULT_DOMAINS = 5
# Of a Uniform scale set in one placement group.
LARGEST_PLACEMENT_GROUP = 100
# A policy of rolling upgrades that says nothing else.
ROLLING_UPGRADES: Json = {
    "maxBatchInstancePercent": 20,
    "maxUnhealthyInstancePercent": 20,
    "maxUnhealthyUpgradedInstancePercent": 20,
    "pauseTimeBetweenBatches": "PT0S",
}
MEMBERS = (
    *("storageProfile", "securityProfile", "diagnosticsProfile", "extensionProfile", "licenseType"),
    *("billingProfile", "scheduledEventsProfile", "hardwareProfile", "applicationProfile"),
    *("capacityReservation", "securityPostureReference", "serviceArtifactReference"),
)


def checked_sku(sku: Json | None) -> Json:
    if not sku or not sku.get("name"):
        raise errors.missing_parameter("sku")
    size = vm_body.checked_size(sku["name"])
    capacity = sku.get("capacity", 0)
    check_capacity(capacity)
    tier = size.name.split("_")[0]
    if "tier" in sku and sku["tier"].lower() not in ("", tier.lower()):
        raise errors.invalid_parameter(
            "sku.tier",
            f"The value '{sku['tier']}' of parameter 'sku.tier' is not that of the size.",
        )
    return {"name": size.name, "tier": tier, "capacity": capacity}


def check_capacity(capacity: int, largest: int = LARGEST) -> None:
    if not 0 <= capacity <= largest:
        raise errors.invalid_parameter(
            "sku.capacity",
            f"The value {capacity} of parameter 'sku.capacity' is invalid. A virtual machine "
            f"scale set has between 0 and {largest} instances.",
        )


def is_uniform(scale_set: Resource) -> bool:
    return bool(scale_set.properties.get("orchestrationMode", "Uniform") == "Uniform")


def set_properties(em: Emulator, scale_set: Resource, given: Json) -> None:
    """Set properties and hidden of a new scale set; its model is checked as each VM would be."""
    uniform = given.get("orchestrationMode", "Uniform") == "Uniform"
    _check_numbers(given)
    profile = dict(given.get("virtualMachineProfile") or {})
    sku = scale_set.top["sku"]
    if profile:
        profile, scale_set.hidden = _profile(em, profile, sku["name"])
        check_interfaces(profile.get("networkProfile") or {}, uniform)
        complete_interfaces(profile["networkProfile"])
    common: Json = {
        "provisioningState": "Creating",
        "uniqueId": em.new_uuid(),
        "timeCreated": compute_timestamp(em.clock.now()),
    }
    shown = _uniform(scale_set, given, profile) if uniform else _flexible(given)
    scale_set.properties = {**shown, **common}
    if profile:
        scale_set.properties["virtualMachineProfile"] = profile


def _check_numbers(given: Json) -> None:
    mix = given.get("priorityMixPolicy") or {}
    if mix.get("baseRegularPriorityCount", 0) < 0 or not (
        0 <= mix.get("regularPriorityPercentageAboveBase", 0) <= 100
    ):
        raise errors.invalid_parameter(
            "priorityMixPolicy", "Its count must be 0 or more, its percentage 0 to 100."
        )
    domains = given.get("platformFaultDomainCount", 1)
    if not 1 <= domains <= MOST_FAULT_DOMAINS:
        raise errors.invalid_parameter(
            "platformFaultDomainCount",
            f"The value '{domains}' of parameter 'platformFaultDomainCount' is invalid. It must be "
            f"between 1 and {MOST_FAULT_DOMAINS}.",
        )


def _uniform(scale_set: Resource, given: Json, profile: Json) -> Json:
    if not given.get("upgradePolicy"):
        raise errors.missing_parameter("upgradePolicy")
    if not profile:
        raise errors.missing_parameter("virtualMachineProfile")
    zones = scale_set.top.get("zones", [])
    single = given.get("singlePlacementGroup", len(zones) < 2)
    if single:
        check_capacity(scale_set.top["sku"]["capacity"], LARGEST_PLACEMENT_GROUP)
    shown = {
        "singlePlacementGroup": single,
        "overprovision": True,
        "doNotRunExtensionsOnOverprovisionedVMs": False,
        "orchestrationMode": "Uniform",
        **given,
    }
    complete_policies(shown)
    if zones:
        shown.setdefault("zoneBalance", False)
    if zones or profile.get("priority") in vm_body.SPOT:
        shown.setdefault("platformFaultDomainCount", 1 if zones else 5)
    return shown


def complete_policies(shown: Json) -> None:
    """Fill in the policies that a request leaves out (recorded)."""
    upgrades = shown.get("upgradePolicy") or {}
    if upgrades.get("rollingUpgradePolicy"):
        rolling = {**ROLLING_UPGRADES, **upgrades["rollingUpgradePolicy"]}
        shown["upgradePolicy"] = {**upgrades, "rollingUpgradePolicy": rolling}
    repairs = shown.get("automaticRepairsPolicy") or {}
    if repairs.get("enabled"):
        shown["automaticRepairsPolicy"] = {"repairAction": "Replace", **repairs}


def _flexible(given: Json) -> Json:
    if given.get("overprovision"):
        raise errors.invalid_parameter(
            "overprovision",
            "Overprovisioning is not supported for a scale set with orchestration mode Flexible.",
        )
    if given.get("singlePlacementGroup"):
        raise errors.invalid_parameter(
            "singlePlacementGroup",
            "The value 'true' of parameter 'singlePlacementGroup' is not supported for a scale set "
            "with orchestration mode Flexible.",
        )
    return {"singlePlacementGroup": False, "platformFaultDomainCount": 1, **given}


def _profile(em: Emulator, profile: Json, size_name: str) -> tuple[Json, Json]:
    """Return (what is shown, what stays hidden) of a virtualMachineProfile."""
    vm_body.checked_priority(profile, vm_body.checked_size(size_name))
    storage, login = profile.get("storageProfile"), profile.get("osProfile")
    windows = storage_profile.is_windows(storage or {}, login or {})
    vm_body.check_system(em, windows, login)
    shown, hidden = os_profile.split(login, windows=windows)
    if prefix := shown.get("computerNamePrefix"):
        os_profile.check_prefix(prefix, windows=windows)
    if "userData" in profile:
        os_profile.check_user_data(profile["userData"])
        hidden["userData"] = profile.pop("userData")
    if (profile.get("extensionProfile") or {}).get("extensions"):
        check_possible(em)
        profile["extensionProfile"] = _without_secrets(profile["extensionProfile"])
    profile["osProfile"] = shown
    completed = storage_profile.completed(storage, windows=windows, delete_option="Delete")
    # The model keeps "latest"; each machine shows what that was for it.
    completed["imageReference"] = (storage or {}).get("imageReference", {})
    if "osType" not in ((storage or {}).get("osDisk") or {}):
        hidden["default_os_type"] = True
    if storage_profile.fill_in_size(completed):
        hidden["default_disk_size"] = True
    if completed.get("dataDisks"):
        completed["dataDisks"] = storage_profile.checked_model_disks(completed["dataDisks"])
    profile["storageProfile"] = completed
    return profile, hidden


def _without_secrets(extensions: Json) -> Json:
    items = [
        {**item, "properties": {k: v for k, v in item["properties"].items() if k not in SECRET}}
        if item.get("properties")
        else item
        for item in extensions.get("extensions") or []
    ]
    return {**extensions, "extensions": items}


def change(em: Emulator, scale_set: Resource, given: Json) -> None:
    """Change an existing scale set as a PUT or PATCH says; what must not change is refused."""
    mode = scale_set.properties.get("orchestrationMode", "Uniform")
    if given.get("orchestrationMode", mode) != mode:
        raise errors.property_change("orchestrationMode")
    new, old = given.get("virtualMachineProfile") or {}, scale_set.properties
    model = old.get("virtualMachineProfile")
    if new and model:
        _check_login(new.get("osProfile") or {}, model["osProfile"])
        if "priority" in new and new["priority"] != model.get("priority", "Regular"):
            raise errors.property_change("priority")
        scale_set.properties["virtualMachineProfile"] = _changed_profile(em, scale_set, model, new)
    for name, value in given.items():
        if name not in ("virtualMachineProfile", "provisioningState", "uniqueId"):
            scale_set.properties[name] = value
    complete_policies(scale_set.properties)


def _check_login(new: Json, old: Json) -> None:
    for name in ("adminUsername", "computerNamePrefix"):
        if name in new and new[name] != old.get(name):
            raise errors.property_change(f"osProfile.{name}")


def _changed_profile(em: Emulator, scale_set: Resource, model: Json, new: Json) -> Json:
    """Return the changed model, after which new machines are made.

    A Uniform set's old machines get it only when they are upgraded.
    """
    login = {**model["osProfile"], **(new.get("osProfile") or {})}
    for name in os_profile.SECRET:
        if name in login:
            scale_set.hidden[name] = login.pop(name)
    merged: Json = {**model, "osProfile": login}
    merged |= {name: new[name] for name in MEMBERS if name in new and name != "storageProfile"}
    if "diagnosticsProfile" in new and "diagnosticsProfile" in model:
        old = model["diagnosticsProfile"]
        merged["diagnosticsProfile"] = vm_body.merged_diagnostics(old, new["diagnosticsProfile"])
    if "extensionProfile" in new:
        merged["extensionProfile"] = _without_secrets(new["extensionProfile"])
    if "storageProfile" in new:
        merged["storageProfile"] = _merged_storage(model["storageProfile"], new["storageProfile"])
    network = new.get("networkProfile") or {}
    if network.get("networkInterfaceConfigurations"):
        merged["networkProfile"] = {**model["networkProfile"], **network}
        complete_interfaces(merged["networkProfile"])
    if "userData" in new:
        os_profile.check_user_data(new["userData"])
        scale_set.hidden["userData"] = new["userData"]
    return merged


def _merged_storage(old: Json, new: Json) -> Json:
    disk = {**old["osDisk"], **(new.get("osDisk") or {})}
    if "managedDisk" in old["osDisk"]:
        disk["managedDisk"] = {
            **old["osDisk"]["managedDisk"],
            **((new.get("osDisk") or {}).get("managedDisk") or {}),
        }
    merged = {**old, **new, "osDisk": disk}
    if new.get("dataDisks"):
        merged["dataDisks"] = storage_profile.checked_model_disks(new["dataDisks"])
    return merged

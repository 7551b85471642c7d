"""The operation groups by which Microsoft.Compute counts requests, as recorded headers name them.

Types and actions are in lower case; action is "list" for the GET of several. Recorded names end in
3Min and 30Min; since 2024 in SubscriptionMaximum and Resource (D), which is what is shown here.
"""

from __future__ import annotations

_QUEUE = ("VmssQueuedVMOperations",)
_BATCH = ("VMScaleSetBatchedVMRequests", *_QUEUE)

_VM = "virtualmachines"
_EXTENSION = "virtualmachines/extensions"
_SET = "virtualmachinescalesets"
_SET_EXTENSION = "virtualmachinescalesets/extensions"
_SET_UPGRADE = "virtualmachinescalesets/rollingupgrades"
_INSTANCE = "virtualmachinescalesets/virtualmachines"
_ACTIONS = ("VMScaleSetActions", *_BATCH)
_INSTANCE_ACTIONS = ("VMScaleSetActions", "VMScaleSetVMActions", *_BATCH)

# (method, type, action) -> groups; action "" stands for the request itself, "*" for any other.
_TABLE: dict[tuple[str, str, str], tuple[str, ...]] = {
    ("PUT", _VM, ""): ("PutVM",),
    ("PATCH", _VM, ""): ("PutVM",),
    ("GET", _VM, ""): ("LowCostGet",),
    ("GET", _VM, "list"): ("HighCostGet",),
    ("GET", _VM, "*"): ("LowCostGet",),
    ("DELETE", _VM, ""): ("DeleteVM",),
    ("POST", _VM, "*"): ("UpdateVM",),
    ("POST", _VM, "deallocate"): ("DeleteVM",),
    ("POST", _VM, "simulateeviction"): ("DeleteVM",),
    ("PUT", _EXTENSION, ""): ("UpdateVM",),
    ("PATCH", _EXTENSION, ""): ("UpdateVM",),
    ("DELETE", _EXTENSION, ""): ("UpdateVM",),
    ("GET", _EXTENSION, ""): ("LowCostGet",),
    ("GET", _EXTENSION, "list"): ("LowCostGet",),
    ("PUT", _SET, ""): ("CreateVMScaleSet", *_BATCH),
    ("PATCH", _SET, ""): ("VMScaleSetActions", *_BATCH),
    ("GET", _SET, ""): ("GetVMScaleSet",),
    ("GET", _SET, "list"): ("HighCostGetVMScaleSet",),
    ("GET", _SET, "*"): ("HighCostGetVMScaleSet",),
    ("DELETE", _SET, ""): ("DeleteVMScaleSet", *_BATCH),
    ("POST", _SET, "*"): _ACTIONS,
    ("POST", _SET, "deallocate"): ("DeleteVMScaleSet", *_BATCH),
    ("POST", _SET, "poweroff"): ("DeleteVMScaleSet", *_BATCH),
    ("POST", _SET_UPGRADE, "*"): ("VMScaleSetActions", *_QUEUE),
    ("GET", _SET_UPGRADE, "*"): ("GetVMScaleSet",),
    ("PUT", _SET_EXTENSION, ""): ("VMScaleSetActions", *_QUEUE),
    ("PATCH", _SET_EXTENSION, ""): ("VMScaleSetActions", *_QUEUE),
    ("DELETE", _SET_EXTENSION, ""): ("VMScaleSetActions", *_QUEUE),
    ("GET", _SET_EXTENSION, ""): ("LowCostGet",),
    ("GET", _SET_EXTENSION, "list"): ("LowCostGet",),
    ("PUT", _INSTANCE, ""): _ACTIONS,
    ("GET", _INSTANCE, ""): ("GetVMScaleSetVM", "VMScaleSetVMViews"),
    ("GET", _INSTANCE, "list"): ("HighCostGetVMScaleSet", "VMScaleSetVMViews"),
    ("GET", _INSTANCE, "*"): ("GetVMScaleSetVM", "VMScaleSetVMViews"),
    ("DELETE", _INSTANCE, ""): ("DeleteVMScaleSetVM", *_QUEUE),
    ("POST", _INSTANCE, "*"): _ACTIONS,
    ("POST", _INSTANCE, "deallocate"): ("DeleteVMScaleSetVM", *_BATCH),
    ("POST", _INSTANCE, "poweroff"): ("DeleteVMScaleSetVM", *_BATCH),
    ("POST", _INSTANCE, "simulateeviction"): (),
    ("POST", _INSTANCE, "start"): _INSTANCE_ACTIONS,
    ("POST", _INSTANCE, "restart"): _INSTANCE_ACTIONS,
    ("POST", _INSTANCE, "reimage"): _INSTANCE_ACTIONS,
    ("POST", _INSTANCE, "reimageall"): _INSTANCE_ACTIONS,
    ("PUT", "disks", ""): ("CreateUpdateDisks",),
    ("PATCH", "disks", ""): ("CreateUpdateDisks",),
    ("GET", "disks", ""): ("LowCostGet",),
    ("GET", "disks", "list"): ("HighCostGet",),
    ("DELETE", "disks", ""): ("DeleteDisks",),
    ("POST", "disks", "*"): ("HighCostDiskHydrate",),
    ("PUT", "availabilitysets", ""): ("PutVM",),
    ("PATCH", "availabilitysets", ""): ("PutVM",),
    ("DELETE", "availabilitysets", ""): ("DeleteVM",),
    ("GET", "availabilitysets", ""): ("LowCostGet",),
    ("GET", "availabilitysets", "list"): ("LowCostGet",),
    ("GET", "availabilitysets", "*"): ("LowCostGet",),
    ("PUT", "proximityplacementgroups", ""): ("PutDeletePPG",),
    ("PATCH", "proximityplacementgroups", ""): ("PutDeletePPG",),
    ("DELETE", "proximityplacementgroups", ""): ("PutDeletePPG",),
    ("GET", "proximityplacementgroups", ""): ("HighCostGet",),
    ("GET", "proximityplacementgroups", "list"): ("HighCostGet",),
    ("GET", "locations/operations", ""): ("GetOperation",),
    ("GET", "locations/diskoperations", ""): ("GetOperation",),
    ("GET", "locations/usages", "list"): ("GetSubscriptionInfo",),
    ("GET", "locations/vmsizes", "list"): ("GetSubscriptionInfo",),
    ("GET", "locations/virtualmachines", "list"): ("HighCostGet",),
    ("GET", "locations/runcommands", ""): ("GetSubscriptionInfo",),
    ("GET", "locations/runcommands", "list"): ("GetSubscriptionInfo",),
}


def groups(method: str, what: str, *, several: bool) -> tuple[str, ...]:
    """Return the groups in which a call counts, none for what is not counted.

    what: the path without names, such as virtualmachines/start.
    """
    kind, _, last = what.rpartition("/")
    found = _TABLE.get((method, kind, last)) or (
        _TABLE.get((method, kind, "*")) if not kind.startswith("locations") else None
    )
    own = _TABLE.get((method, what, "list" if several else ""))
    return own or found or ()

"""The operation groups by which Microsoft.Compute counts requests, as the headers name them.

A request answers x-ms-ratelimit-remaining-resource: "Microsoft.Compute/PutVM3Min;239,...": what is
left in each group that it belongs to. Types and actions are in lower case; action is "list" for
the GET of several.
"""

from __future__ import annotations

# Groups that are counted over 3 and 30 minutes; requests of Azure since 2024 answer with
# "SubscriptionMaximum" and "Resource" instead (D).
MODERN_API = "2024-03-01"
_OVER_TIME = ("3Min", "30Min")
_MODERN = ("SubscriptionMaximum", "Resource")

# Counted once.
_SINGLE = {
    "GetSubscriptionInfo3Min",
    "VMScaleSetBatchedVMRequests5Min",
    "VmssQueuedVMOperations",
    "VMScaleSetVMViews3Min",
}
_QUEUE = ("VmssQueuedVMOperations",)
_BATCH = ("VMScaleSetBatchedVMRequests5Min", *_QUEUE)

_VM = "virtualmachines"
_SET = "virtualmachinescalesets"
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
    ("PUT", _SET, ""): ("CreateVMScaleSet", *_BATCH),
    ("PATCH", _SET, ""): ("VMScaleSetActions", *_BATCH),
    ("GET", _SET, ""): ("GetVMScaleSet",),
    ("GET", _SET, "list"): ("HighCostGetVMScaleSet",),
    ("GET", _SET, "*"): ("HighCostGetVMScaleSet",),
    ("DELETE", _SET, ""): ("DeleteVMScaleSet", *_BATCH),
    ("POST", _SET, "*"): _ACTIONS,
    ("POST", _SET, "deallocate"): ("DeleteVMScaleSet", *_BATCH),
    ("POST", _SET, "poweroff"): ("DeleteVMScaleSet", *_BATCH),
    ("PUT", _INSTANCE, ""): _ACTIONS,
    ("GET", _INSTANCE, ""): ("GetVMScaleSetVM", "VMScaleSetVMViews3Min"),
    ("GET", _INSTANCE, "list"): ("HighCostGetVMScaleSet", "VMScaleSetVMViews3Min"),
    ("GET", _INSTANCE, "*"): ("GetVMScaleSetVM", "VMScaleSetVMViews3Min"),
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
    ("GET", "locations/usages", "list"): ("GetSubscriptionInfo3Min",),
    ("GET", "locations/vmsizes", "list"): ("GetSubscriptionInfo3Min",),
    ("GET", "locations/virtualmachines", "list"): ("HighCostGet",),
    ("GET", "locations/runcommands", ""): ("GetSubscriptionInfo3Min",),
    ("GET", "locations/runcommands", "list"): ("GetSubscriptionInfo3Min",),
}


def groups(method: str, resource_type: str, action: str, api_version: str) -> list[str]:
    """The names, without "Microsoft.Compute/"; none for what Azure does not count."""
    found = _TABLE.get((method, resource_type, action))
    if found is None and action not in ("", "list"):
        found = _TABLE.get((method, resource_type, "*"))
    endings = _MODERN if api_version[:10] >= MODERN_API else _OVER_TIME
    return [
        name
        for group in found or ()
        for name in ([group] if group in _SINGLE else [group + ending for ending in endings])
    ]


def split_path(method: str, path: str) -> tuple[str, str]:
    """(type, action) of a path below .../providers/Microsoft.Compute, for groups()."""
    parts = path.lower().partition("/providers/microsoft.compute/")[2].strip("/").split("/")
    names = parts[::2]
    if parts[0] == "locations":
        return "/".join(names), "list" if len(parts) % 2 else ""
    if len(parts) % 2 == 0:
        return "/".join(names), ""
    if method == "POST" or names[-1] in ("instanceview", "vmsizes", "skus"):
        return "/".join(names[:-1]), names[-1]
    return "/".join(names), "list"

"""vCPU quotas of a region: in all, per family, and for Spot."""

from __future__ import annotations

from . import errors, skus
from .arm import Json
from .state import Emulator
from .views import SCALE_SET, VM


def in_use(em: Emulator, location: str) -> dict[str, int]:
    """Usage name -> count. Spot machines count towards lowPriorityCores alone."""
    used: dict[str, int] = {"cores": 0, "lowPriorityCores": 0, "virtualMachines": 0}
    for vm in em.store.all(VM):
        if vm.location != location:
            continue
        used["virtualMachines"] += 1
        size = skus.find(vm.properties["hardwareProfile"]["vmSize"])
        if size is None:
            continue
        for name in _names(size, vm.properties.get("priority")):
            used[name] = used.get(name, 0) + size.vcpus
    used["virtualMachineScaleSets"] = sum(
        1 for item in em.store.all(SCALE_SET) if item.location == location
    )
    return used


def _names(size: skus.Size, priority: object) -> tuple[str, ...]:
    return ("lowPriorityCores",) if priority in ("Spot", "Low") else ("cores", size.family)


def check(em: Emulator, location: str, size: skus.Size, count: int, priority: object) -> None:
    """Refuse count more machines of this size if they would exceed a quota."""
    used = in_use(em, location)
    limit = em.settings.quota_cores
    required = size.vcpus * count
    for name in _names(size, priority):
        current = used.get(name, 0)
        if current + required > limit:
            shown = {"cores": "Total Regional", "lowPriorityCores": "LowPriorityCores"}
            text = shown.get(name, name)
            cores = "" if name == "lowPriorityCores" else " Cores"
            raise errors.operation_not_allowed(
                f"Operation could not be completed as it results in exceeding approved {text}"
                f"{cores} quota. Additional details - Deployment Model: Resource Manager, "
                f"Location: {location}, Current Limit: {limit}, Current Usage: {current}, "
                f"Additional Required: {required}, (Minimum) New Limit Required: "
                f"{current + required}. Setup Alerts when Quota reaches threshold. Learn more at "
                "https://aka.ms/quotamonitoringalerting . Submit a request for Quota increase at "
                "https://aka.ms/ProdportalCRP/#blade/Microsoft_Azure_Capacity/UsageAndQuota.ReactView"
                " by specifying parameters listed in the 'Details' section for deployment to "
                "succeed. Please read more about quota limits at "
                "https://docs.microsoft.com/en-us/azure/azure-supportability/per-vm-quota-requests"
            )


def usages(em: Emulator, location: str) -> list[Json]:
    used = in_use(em, location)
    limit = em.settings.quota_cores
    rows = [
        ("availabilitySets", "Availability Sets", 2500),
        ("cores", "Total Regional vCPUs", limit),
        ("virtualMachines", "Virtual Machines", 25_000),
        ("virtualMachineScaleSets", "Virtual Machine Scale Sets", 2500),
        ("lowPriorityCores", "Total Regional Low-priority vCPUs", limit),
    ]
    rows += [(family, _spoken(family), limit) for family in skus.FAMILIES]
    return [
        {
            "limit": most,
            "unit": "Count",
            "currentValue": used.get(name, 0),
            "name": {"value": name, "localizedValue": spoken},
        }
        for name, spoken, most in rows
    ]


def _spoken(family: str) -> str:
    if " " in family:
        return f"{family} vCPUs"
    core = family.removesuffix("Family")
    return f"Standard {core[len('standard') :]} Family vCPUs"

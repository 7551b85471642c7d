"""vCPU quotas of a region: in all, per family, and for Spot; as POST /emulator/quotas sets them."""

from __future__ import annotations

from ..base import errors, provider_errors, regions, skus
from ..base.declared import COUNT, TEXT, checked
from ..base.messages import Json
from ..base.resource_types import AVAILABILITY_SET, SCALE_SET, VM
from ..state import Emulator

TOTAL, SPOT = "cores", "lowPriorityCores"


def declare(em: Emulator, body: Json) -> Json:
    """Set a quota: {"name", "limit", "location"}, in the place of an earlier one."""
    values = checked(
        body, {"name": TEXT, "limit": COUNT, "location": TEXT}, required=("name", "limit")
    )
    known = {name.lower(): name for name in (TOTAL, SPOT, *skus.FAMILIES)}
    name = known.get(values["name"].lower())
    if name is None:
        raise errors.invalid_parameter("name", f"There is no quota '{values['name']}' here.")
    location = values.get("location", "*").replace(" ", "").lower()
    if location != "*" and location not in regions.REGIONS:
        raise errors.invalid_parameter("location", f"There is no region '{location}'.")
    em.quotas[location, name] = int(values["limit"])
    return listed(em)


def listed(em: Emulator) -> Json:
    found = [
        {"location": location, "name": name, "limit": limit}
        for (location, name), limit in em.quotas.items()
    ]
    return {"quotas": found}


def withdraw_all(em: Emulator) -> Json:
    em.quotas.clear()
    return listed(em)


def _limit(em: Emulator, location: str, name: str) -> int:
    """Return the limit in a region: what is declared for it alone counts before what is for all."""
    everywhere = em.quotas.get(("*", name), em.settings.quota_cores)
    return em.quotas.get((location, name), everywhere)


def in_use(em: Emulator, location: str) -> dict[str, int]:
    """Return how many vCPUs are used, by the usage's name; deallocated machines count.

    Spot machines count as lowPriorityCores alone.
    """
    used: dict[str, int] = {TOTAL: 0, SPOT: 0, "virtualMachines": 0}
    for vm in em.store.all(VM):
        if vm.location != location:
            continue
        used["virtualMachines"] += not vm.nested
        size = skus.find(vm.properties["hardwareProfile"]["vmSize"])
        if size is None:
            continue
        for name in _names(size, vm.properties.get("priority")):
            used[name] = used.get(name, 0) + size.vcpus
    for name, kind in (
        ("virtualMachineScaleSets", SCALE_SET),
        ("availabilitySets", AVAILABILITY_SET),
    ):
        used[name] = sum(1 for item in em.store.listed(kind) if item.location == location)
    return used


def _names(size: skus.Size, priority: object) -> tuple[str, ...]:
    return (SPOT,) if priority in ("Spot", "Low") else (TOTAL, size.family)


def check(em: Emulator, location: str, size: skus.Size, count: int, priority: object) -> None:
    """Refuse `count` more machines of this size if they would exceed a quota."""
    used = in_use(em, location)
    required = size.vcpus * count
    for name in _names(size, priority):
        current, limit = used.get(name, 0), _limit(em, location, name)
        if current + required > limit:
            raise provider_errors.quota_exceeded(
                location, _in_words(name), limit, current, required
            )


def _in_words(name: str) -> str:
    return {TOTAL: "Total Regional Cores", SPOT: "LowPriorityCores"}.get(name, f"{name} Cores")


def usages(em: Emulator, location: str) -> list[Json]:
    used = in_use(em, location)
    rows = [
        ("availabilitySets", "Availability Sets", 2500),
        (TOTAL, "Total Regional vCPUs", _limit(em, location, TOTAL)),
        ("virtualMachines", "Virtual Machines", 25_000),
        ("virtualMachineScaleSets", "Virtual Machine Scale Sets", 2500),
        (SPOT, "Total Regional Low-priority vCPUs", _limit(em, location, SPOT)),
    ]
    rows += [(family, _spoken(family), _limit(em, location, family)) for family in skus.FAMILIES]
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

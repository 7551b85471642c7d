"""Template functions on availability zones. Physical zones are those of the same number here."""

from __future__ import annotations

import re
from typing import Any

from ..base import geography
from .signatures import Function, checked, refused

ZONAL = {
    "microsoft.compute": ("virtualmachines", "virtualmachinescalesets", "disks"),
    "microsoft.network": ("publicipaddresses", "natgateways"),
}
PHYSICAL = re.compile(r"(?P<region>[a-z0-9]+)-az(?P<zone>\d)", re.ASCII)


def functions(subscription_id: str) -> dict[str, Function]:
    """Return the functions by their names in lower case."""

    def pick_zones(
        namespace: str, kind: str, location: str, count: int = 1, offset: int = 0
    ) -> list[str]:
        region = location.replace(" ", "").lower()
        zonal = kind.lower() in ZONAL.get(namespace.lower(), ())
        found = list(_zones(region)) if zonal else []
        if count < 1 or not 0 <= offset < 3:
            raise refused("pickZones", "The count must be 1 to 3, the offset 0 to 2.")
        if found and offset + count > len(found):
            raise refused("pickZones", f"The region has {len(found)} zones.")
        return found[offset : offset + count]

    def to_physical(of: str, location: str, zone: str) -> str:
        _check_own("toPhysicalZone", of)
        region = location.replace(" ", "").lower()
        if zone not in _zones(region):
            raise refused("toPhysicalZone", f"The region '{location}' has no zone '{zone}'.")
        return f"{region}-az{zone}"

    def to_logical(of: str, location: str, zone: str) -> str:
        _check_own("toLogicalZone", of)
        match = PHYSICAL.fullmatch(zone)
        if match is None or match["zone"] not in _zones(match["region"]):
            raise refused("toLogicalZone", f"There is no physical zone '{zone}'.")
        return match["zone"]

    def _check_own(name: str, given: str) -> None:
        if given.lower() != subscription_id.lower():
            raise refused(name, f"The subscription '{given}' could not be found.")

    def each(one: Any) -> Any:
        return lambda of, location, zones: [one(of, location, zone) for zone in zones]

    one, several = ("string", "string", "string"), ("string", "string", "array")
    kinds = ("string", "string", "string", "int?", "int?")
    return {
        "pickzones": checked("pickZones", kinds, pick_zones),
        "tophysicalzone": checked("toPhysicalZone", one, to_physical),
        "tophysicalzones": checked("toPhysicalZones", several, each(to_physical)),
        "tologicalzone": checked("toLogicalZone", one, to_logical),
        "tologicalzones": checked("toLogicalZones", several, each(to_logical)),
    }


def _zones(region: str) -> tuple[str, ...]:
    known = geography.REGIONS.get(region)
    return ("1", "2", "3") if known and known.zones else ()

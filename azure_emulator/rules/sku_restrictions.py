"""Which sizes can't be had where: by Azure's zones, and as declared by POST /emulator/skus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..base import errors, provider_errors, regions, skus
from ..base.declared import OBJECTS, TEXT, checked
from ..base.messages import Json

ZONES = ("1", "2", "3")
# Regions without availability zones.
UNZONED = {
    *("westus", "northcentralus", "westcentralus", "japanwest", "southafricawest"),
    *("australiacentral", "australiacentral2", "australiasoutheast", "koreasouth", "southindia"),
    *("westindia", "canadaeast", "francesouth", "germanynorth", "norwaywest", "switzerlandwest"),
    *("ukwest", "uaecentral", "brazilsoutheast"),
}


@dataclass(frozen=True)
class Restriction:
    """A size that can't be had: in all zones if zone is empty; reason: as in the list of SKUs."""

    sku: str
    location: str
    zone: str
    reason: str

    def concerns(self, size: skus.Size, location: str) -> bool:
        return self.sku in ("*", size.name.lower()) and self.location in ("*", location)


def declare(restrictions: list[Restriction], body: Json) -> Json:
    """Restrict sizes: {"restrict": [{"sku", "location", "zone", "reason"}, ...]}.

    What is left out means all.
    """
    given = checked(body, {"restrict": OBJECTS}, required=("restrict",))["restrict"]
    restrictions += [_restriction(item) for item in given]
    return listed(restrictions)


def listed(restrictions: Sequence[Restriction]) -> Json:
    return {"restrict": [vars(item) for item in restrictions]}


def _restriction(item: Json) -> Restriction:
    rules = dict.fromkeys(("sku", "location", "zone", "reason"), TEXT)
    words = {**dict.fromkeys(rules, ""), **checked(item, rules)}
    if words["sku"] not in ("", "*") and skus.find(words["sku"]) is None:
        raise errors.invalid_parameter("sku", f"There is no size '{words['sku']}' here.")
    location = words["location"].replace(" ", "").lower()
    if location not in ("", "*", *regions.REGIONS):
        raise errors.invalid_parameter("location", f"There is no region '{words['location']}'.")
    return Restriction(
        words["sku"].lower() or "*",
        location or "*",
        words["zone"],
        words["reason"] or "NotAvailableForSubscription",
    )


def zones_of(location: str) -> tuple[str, ...]:
    return () if location in UNZONED else ZONES


def check_zones(zones: Sequence[str], location: str, identifier: str) -> None:
    known = zones_of(location)
    if zones and not known:
        raise errors.ArmError(
            400,
            "LocationNotSupportAvailabilityZones",
            f"The resource '{identifier}' does not support availability zones at location "
            f"'{location}'.",
        )
    if len(set(zones)) < len(zones):
        raise errors.invalid_parameter(
            "zones", f"The zones '{','.join(zones)}' of '{identifier}' name a zone twice."
        )
    wrong = [zone for zone in zones if zone not in known]
    if wrong:
        raise errors.ArmError(
            400,
            "InvalidAvailabilityZone",
            f"The zone(s) '{','.join(wrong)}' for resource '{identifier}' is not supported. The "
            f"supported zones for location '{location}' are '{','.join(known)}'",
        )


def check(
    declared: Sequence[Restriction], size: skus.Size, location: str, zones: Sequence[str]
) -> None:
    """Refuse a request if one of its zones is closed, or, without zones, the whole region."""
    for item in declared:
        if item.concerns(size, location) and item.zone in ("", *zones):
            raise provider_errors.sku_not_available(size.name, location)


def shown(declared: Sequence[Restriction], size: skus.Size, location: str) -> list[Json]:
    """Return the "restrictions" of an entry of Microsoft.Compute/skus."""
    found = [item for item in declared if item.concerns(size, location)]
    whole = next((item for item in found if not item.zone), None)
    restrictions: list[Json] = []
    if whole:
        restrictions.append(_entry("Location", location, list(zones_of(location)), whole.reason))
    closed = sorted({item.zone for item in found if item.zone})
    if closed:
        restrictions.append(_entry("Zone", location, closed, found[0].reason))
    return restrictions


def _entry(kind: str, location: str, zones: list[str], reason: str) -> Json:
    info = {"locations": [location], "zones": zones}
    return {"type": kind, "values": [location], "restrictionInfo": info, "reasonCode": reason}

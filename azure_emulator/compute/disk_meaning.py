"""Refusals of disks for what their members mean together: Microsoft's documentation of disks.

Codes and words are unverified.
"""

from __future__ import annotations

from ..base import errors, regions
from ..base.messages import Json
from ..rules.sku_restrictions import check_zones

PREMIUM = ("Premium_LRS", "Premium_ZRS")
LEAST_BURST_GB = 513
PERFORMANCE = ("diskIOPSReadWrite", "diskMBpsReadWrite")


def check(name: str, body: Json) -> None:
    """Refuse a new or changed disk of a checked body with its size filled in."""
    properties = body["properties"]
    account = (body.get("sku") or {}).get("name", "Standard_LRS")
    zones = body.get("zones") or []
    if len(zones) > 1:
        raise errors.invalid_parameter("zones", f"Disk '{name}' can be in one zone only.")
    check_zones(zones, regions.normal(body["location"], "Microsoft.Compute/disks"), name)
    if properties.get("maxShares", 1) < 1:
        raise errors.invalid_parameter("disk.maxShares", "'maxShares' must be 1 or more.")
    if properties.get("networkAccessPolicy") == "AllowPrivate" and not properties.get(
        "diskAccessId"
    ):
        raise errors.missing_parameter("disk.diskAccessId")
    bursts = properties.get("burstingEnabled")
    if bursts and (account not in PREMIUM or properties["diskSizeGB"] < LEAST_BURST_GB):
        raise errors.invalid_parameter(
            "disk.burstingEnabled", "Only Premium SSDs of more than 512 GB can burst on demand."
        )
    if "tier" in properties and account not in PREMIUM:
        raise errors.invalid_parameter("disk.tier", "Only Premium SSDs have a 'tier'.")

"""Disks that Azure refuses for what their members mean together, when new and when changed."""

from __future__ import annotations

from typing import Any

import pytest

from ..cloud import Site

EMPTY = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}
WRONG: list[tuple[Any, Any]] = [
    ({"maxShares": 0}, {}),
    ({"networkAccessPolicy": "AllowPrivate"}, {}),
    ({"burstingEnabled": True}, {}),
    ({"burstingEnabled": True}, {"sku": {"name": "Premium_LRS"}}),  # too small
    ({"tier": "P30"}, {}),
    ({}, {"zones": ["1", "2"]}),
]


@pytest.mark.parametrize(("properties", "top"), WRONG)
def test_refused(site: Site, properties: Any, top: Any) -> None:
    new = site.put("disks", "disk", {**EMPTY, **properties}, **top)
    assert (new.status, new.code) == (400, "InvalidParameter")
    assert site.get("disks", "disk").status == 404
    site.cloud.wait_for(site.put("disks", "disk", EMPTY))
    changed = site.put("disks", "disk", {**EMPTY, **properties}, **top)
    assert changed.status in (400, 409), changed
    assert site.get("disks", "disk").body["properties"]["diskSizeGB"] == 4


def test_taken(site: Site) -> None:
    large = {**EMPTY, "diskSizeGB": 1024, "burstingEnabled": True, "tier": "P40", "maxShares": 2}
    made = site.put("disks", "disk", large, sku={"name": "Premium_LRS"}, zones=["2"])
    assert made.status == 202, made
    assert site.put("disks", "other", EMPTY, zones=["9"]).code == "InvalidAvailabilityZone"


def test_how_fast_a_disk_is_can_be_said_and_read_back(site: Site) -> None:
    fast = {**EMPTY, "diskIOPSReadWrite": 4000, "diskMBpsReadWrite": 200}
    site.cloud.wait_for(site.put("disks", "fast", fast, sku={"name": "PremiumV2_LRS"}))
    faster = {"diskMBpsReadWrite": 300}
    site.cloud.wait_for(
        site.cloud.call("PATCH", site.provider("disks", "fast"), {"properties": faster})
    )
    shown = site.get("disks", "fast").body["properties"]
    assert (shown["diskIOPSReadWrite"], shown["diskMBpsReadWrite"]) == (4000, 300)
    site.cloud.wait_for(site.put("disks", "slow", EMPTY))
    read = site.get("disks", "slow").body
    again = site.cloud.call("PUT", site.provider("disks", "slow"), read)
    assert again.status in (200, 202), again

"""Snapshots of disks, and disks of snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from ..cloud import LOCATION, Answer, Cloud, Site

VERSION = "2024-03-02"


def path(site: Site, name: str, child: str = "") -> str:
    return f"{site.path}/providers/Microsoft.Compute/snapshots/{name}{child}"


def put(site: Site, name: str, data: Any, **properties: Any) -> Answer:
    body = {"location": LOCATION, "properties": {"creationData": data, **properties}}
    return site.cloud.call("PUT", path(site, name), body, version=VERSION)


def made(site: Site, name: str, data: Any, **properties: Any) -> dict[str, Any]:
    answer = put(site, name, data, **properties)
    assert (answer.status, answer.body["properties"]["provisioningState"]) == (202, "Updating")
    assert site.cloud.wait_for(answer)["status"] == "Succeeded"
    return dict(site.cloud.call("GET", path(site, name), version=VERSION).body)


def copy_of(identifier: str) -> dict[str, str]:
    return {"createOption": "Copy", "sourceResourceId": identifier}


def new_disk(site: Site, name: str, properties: Any) -> dict[str, Any]:
    site.cloud.wait_for(site.put("disks", name, properties))
    return dict(site.get("disks", name).body)


@pytest.fixture
def disk(site: Site) -> dict[str, Any]:
    data = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32, "osType": "Linux"}
    return new_disk(site, "disk", data)


def test_a_copy_of_a_disk_and_of_a_snapshot(site: Site, disk: dict[str, Any]) -> None:
    first = made(site, "first", copy_of(disk["id"]), incremental=True)
    properties = first["properties"]
    assert (properties["diskSizeGB"], properties["osType"]) == (32, "Linux")
    assert properties["creationData"]["sourceUniqueId"] == disk["properties"]["uniqueId"]
    assert properties["incremental"] is True
    assert first["sku"] == {"name": "Standard_LRS", "tier": "Standard"}
    second = made(site, "second", copy_of(first["id"]), diskSizeGB=64)
    assert second["properties"]["diskSizeGB"] == 64
    listed = site.cloud.call("GET", path(site, "").rstrip("/"), version=VERSION).body["value"]
    assert [item["name"] for item in listed] == ["first", "second"]
    back = new_disk(site, "back", {"creationData": copy_of(second["id"])})
    assert back["properties"]["diskSizeGB"] == 64
    assert back["properties"]["creationData"]["sourceUniqueId"] == second["properties"]["uniqueId"]


def test_changes_access_and_deletion(site: Site, arm: Cloud, disk: dict[str, Any]) -> None:
    made(site, "one", copy_of(disk["id"]))
    body = {"tags": {"a": "b"}, "properties": {"diskSizeGB": 40}}
    changed = arm.call("PATCH", path(site, "one"), body, version=VERSION)
    assert arm.wait_for(changed)["status"] == "Succeeded"
    shown = arm.call("GET", path(site, "one"), version=VERSION).body
    assert (shown["tags"], shown["properties"]["diskSizeGB"]) == ({"a": "b"}, 40)
    given = {"access": "Read", "durationInSeconds": 600}
    answer = arm.call("POST", path(site, "one", "/beginGetAccess"), given, version=VERSION)
    output = arm.wait_for(answer)["properties"]["output"]
    assert output["accessSAS"].startswith("https://")
    held = arm.call("DELETE", path(site, "one"), version=VERSION)
    assert (held.status, held.code) == (409, "OperationNotAllowed")
    arm.wait_for(arm.call("POST", path(site, "one", "/endGetAccess"), version=VERSION))
    gone = arm.call("DELETE", path(site, "one"), version=VERSION)
    assert arm.wait_for(gone)["status"] == "Succeeded"
    assert arm.call("DELETE", path(site, "one"), version=VERSION).status == 204


@pytest.mark.parametrize(
    ("data", "more", "status", "code"),
    [
        ({"createOption": "Empty"}, {"diskSizeGB": 4}, 400, "InvalidParameter"),
        ({"createOption": "Copy"}, {}, 400, "InvalidParameter"),
        ({"createOption": "Import"}, {}, 400, "InvalidParameter"),
        (copy_of("{site}/disks/nowhere"), {}, 404, "ResourceNotFound"),
        (copy_of("{site}/snapshots/nowhere"), {}, 404, "ResourceNotFound"),
        (copy_of("{site}/disks/disk"), {"diskSizeGB": 31}, 400, "InvalidParameter"),
        (copy_of("{site}/disks/disk"), {"diskSizeGB": 32768}, 400, "InvalidParameter"),
    ],
)
def test_refusals(
    site: Site, disk: dict[str, Any], data: dict[str, str], more: Any, status: int, code: str
) -> None:
    base = f"{site.id}/providers/Microsoft.Compute"
    filled = {name: text.replace("{site}", base) for name, text in data.items()}
    answer = put(site, "one", filled, **more)
    assert (answer.status, answer.code) == (status, code)


def test_a_snapshot_has_the_api_versions_of_disks(site: Site, arm: Cloud) -> None:
    answer = arm.call("GET", path(site, "one"), version="2026-04-01")
    assert answer.code == "InvalidResourceType"

"""Managed disks: made, copied, attached, detached, and left or deleted with their machine."""

from __future__ import annotations

from typing import Any

import pytest

from ..cloud import Answer, Keys, Site, vm_body


def disk(site: Site, name: str, **properties: Any) -> Answer:
    given = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 64, **properties}
    return site.put("disks", name, {key: item for key, item in given.items() if item is not None})


def made(site: Site, name: str, **properties: Any) -> dict[str, Any]:
    answer = disk(site, name, **properties)
    assert answer.status == 202, answer
    assert site.cloud.wait_for(answer)["status"] == "Succeeded"
    return dict(site.get("disks", name).body)


def change(site: Site, body: dict[str, Any]) -> Answer:
    return site.cloud.call("PATCH", site.provider("virtualMachines", "vm"), {"properties": body})


@pytest.fixture
def machine(site: Site, keys: Keys) -> dict[str, Any]:
    """The body of a machine named vm; it is not asked for yet."""
    return vm_body(keys, site.nic("nic", site.network())["id"])


def create(site: Site, body: dict[str, Any]) -> dict[str, Any]:
    answer = site.cloud.call("PUT", site.provider("virtualMachines", "vm"), body)
    assert answer.status == 201, answer
    assert site.cloud.wait_for(answer)["status"] == "Succeeded"
    return dict(site.get("virtualMachines", "vm").body["properties"])


def test_the_first_answer_echoes_the_request(site: Site) -> None:
    answer = disk(site, "data")
    assert answer.status == 202
    assert set(answer.body) == {"name", "id", "type", "location", "properties"}
    assert answer.body["properties"]["isArmResource"] is True
    assert answer.body["properties"]["provisioningState"] == "Updating"
    assert "/DiskOperations/" in answer.headers["azure-asyncoperation"]
    assert "azure-asyncnotification" not in answer.headers
    state = site.cloud.wait_for(answer)
    shown = state["properties"]["output"]
    assert shown == site.get("disks", "data").body
    assert shown["properties"]["diskSizeBytes"] == 64 * 1024**3
    assert shown["properties"]["diskState"] == "Unattached"
    assert shown["sku"] == {"name": "Standard_LRS", "tier": "Standard"}


@pytest.mark.parametrize(
    ("properties", "code", "target"),
    [
        ({"creationData": None}, "InvalidParameter", "creationData"),
        ({"diskSizeGB": None}, "InvalidParameter", "disk.diskSizeGB"),
        ({"diskSizeGB": 0}, "InvalidParameter", "disk.diskSizeGB"),
        ({"diskSizeGB": 40_000}, "InvalidParameter", "disk.diskSizeGB"),
        (
            {"creationData": {"createOption": "Import"}},
            *("InvalidParameter", "disk.creationData.sourceUri"),
        ),
    ],
)
def test_what_is_refused(site: Site, properties: dict[str, Any], code: str, target: str) -> None:
    answer = disk(site, "data", **properties)
    assert (answer.status, answer.code) == (400, code), answer
    assert answer.body["error"]["target"] == target


def test_a_copy_is_as_large_as_its_source(site: Site) -> None:
    source = made(site, "source")
    data = {"createOption": "Copy", "sourceResourceId": source["id"]}
    copy = made(site, "copy", creationData=data, diskSizeGB=None)
    assert copy["properties"]["diskSizeGB"] == 64
    unique = source["properties"]["uniqueId"]
    assert copy["properties"]["creationData"]["sourceUniqueId"] == unique
    smaller = disk(site, "smaller", creationData=data, diskSizeGB=32)
    assert (smaller.status, smaller.body["error"]["target"]) == (400, "disk.diskSizeGB")
    missing = {**data, "sourceResourceId": source["id"] + "-2"}
    assert disk(site, "other", creationData=missing).status == 404


def test_a_disk_grows_and_does_not_shrink(site: Site) -> None:
    made(site, "data")
    path = site.provider("disks", "data")
    larger = site.cloud.call("PATCH", path, {"properties": {"diskSizeGB": 128}, "tags": {"a": "b"}})
    assert larger.status == 202
    site.cloud.wait_for(larger)
    shown = site.get("disks", "data").body
    assert (shown["properties"]["diskSizeGB"], shown["tags"]) == (128, {"a": "b"})
    answer = site.cloud.call("PATCH", path, {"properties": {"diskSizeGB": 64}})
    assert (answer.status, answer.code) == (400, "BadRequest")


def test_access_from_elsewhere_keeps_a_disk(site: Site) -> None:
    made(site, "data")
    path = site.provider("disks", "data")
    wanted = {"access": "Read", "durationInSeconds": 60}
    answer = site.cloud.call("POST", f"{path}/beginGetAccess", wanted)
    assert answer.status == 202
    address = site.cloud.wait_for(answer)["properties"]["output"]["accessSAS"]
    assert site.cloud.call("GET", answer.headers["location"]).body == {"accessSAS": address}
    assert site.get("disks", "data").body["properties"]["diskState"] == "ActiveSAS"
    assert site.delete("disks", "data").status == 409
    site.cloud.wait_for(site.cloud.call("POST", f"{path}/endGetAccess"))
    site.deleted("disks", "data")


def test_data_disks_come_with_the_machine(site: Site, machine: dict[str, Any]) -> None:
    existing = made(site, "existing")
    machine["properties"]["storageProfile"]["dataDisks"] = [
        {"lun": 0, "createOption": "Empty", "diskSizeGB": 32},
        {"lun": 5, "createOption": "Attach", "managedDisk": {"id": existing["id"]}},
    ]
    first, second = create(site, machine)["storageProfile"]["dataDisks"]
    assert first["name"].startswith("vm_disk2_")
    assert first["managedDisk"]["id"].endswith(first["name"])
    assert (second["name"], second["diskSizeGB"]) == ("existing", 64)
    shown = site.get("disks", "existing").body
    assert shown["managedBy"].endswith("/virtualMachines/vm")
    assert shown["properties"]["diskState"] == "Attached"
    assert site.delete("disks", "existing").status == 409


def test_disks_are_attached_and_detached(site: Site, machine: dict[str, Any]) -> None:
    existing = made(site, "existing")
    create(site, machine)
    item = {"lun": 1, "createOption": "Attach", "managedDisk": {"id": existing["id"]}}
    site.cloud.wait_for(change(site, {"storageProfile": {"dataDisks": [item]}}))
    assert "managedBy" in site.get("disks", "existing").body
    site.cloud.wait_for(change(site, {"storageProfile": {"dataDisks": []}}))
    assert "managedBy" not in site.get("disks", "existing").body
    shown = site.get("virtualMachines", "vm").body["properties"]["storageProfile"]
    assert shown["dataDisks"] == []


def test_a_disk_belongs_to_one_machine(site: Site, machine: dict[str, Any], keys: Keys) -> None:
    existing = made(site, "existing")
    item = {"lun": 1, "createOption": "Attach", "managedDisk": {"id": existing["id"]}}
    machine["properties"]["storageProfile"]["dataDisks"] = [item]
    create(site, machine)
    subnet = site.get("virtualNetworks", "vnet").body["properties"]["subnets"][0]["id"]
    other = vm_body(keys, site.nic("nic2", subnet)["id"])
    other["properties"]["storageProfile"]["dataDisks"] = [item]
    answer = site.cloud.call("PUT", site.provider("virtualMachines", "other"), other)
    assert (answer.status, answer.code) == (409, "ConflictingUserInput")


@pytest.mark.parametrize(
    ("items", "status", "code"),
    [
        ([{"lun": 0, "createOption": "Empty"}], 400, "InvalidParameter"),
        ([{"lun": 0, "createOption": "Empty", "diskSizeGB": 1}] * 2, 400, "InvalidParameter"),
        ([{"lun": 0, "createOption": "Attach"}], 400, "InvalidParameter"),
        (
            [{"lun": n, "createOption": "Empty", "diskSizeGB": 1} for n in range(9)],
            *(409, "OperationNotAllowed"),
        ),
    ],
)
def test_data_disks_that_are_refused(
    site: Site, machine: dict[str, Any], items: list[Any], status: int, code: str
) -> None:
    machine["properties"]["storageProfile"]["dataDisks"] = items
    answer = site.cloud.call("PUT", site.provider("virtualMachines", "vm"), machine)
    assert (answer.status, answer.code) == (status, code), answer


def test_each_disk_goes_or_stays_as_it_says(site: Site, machine: dict[str, Any]) -> None:
    storage = machine["properties"]["storageProfile"]
    storage["osDisk"]["deleteOption"] = "Delete"
    storage["dataDisks"] = [
        {"lun": 0, "createOption": "Empty", "diskSizeGB": 1, "deleteOption": "Delete"},
        {"lun": 1, "createOption": "Empty", "diskSizeGB": 2, "name": "stays"},
    ]
    create(site, machine)
    site.deleted("virtualMachines", "vm")
    left = site.get("disks").body["value"]
    assert [item["name"] for item in left] == ["stays"]
    assert left[0]["properties"]["diskState"] == "Unattached"


def test_older_api_versions_show_less(site: Site) -> None:
    made(site, "data")
    path = site.provider("disks", "data")
    oldest = site.cloud.call("GET", path, version="2016-04-30-preview").body
    assert "sku" not in oldest
    assert oldest["properties"]["accountType"] == "Standard_LRS"
    assert "uniqueId" not in oldest["properties"]
    newer = site.cloud.call("GET", path, version="2020-09-30").body["properties"]
    assert newer["networkAccessPolicy"] == "AllowAll"
    assert "publicNetworkAccess" not in newer


def test_disks_that_leave_are_shown_until_they_have(site: Site, machine: dict[str, Any]) -> None:
    existing = made(site, "existing")
    item = {"lun": 1, "createOption": "Attach", "managedDisk": {"id": existing["id"]}}
    machine["properties"]["storageProfile"]["dataDisks"] = [item]
    create(site, machine)
    answer = change(site, {"storageProfile": {"dataDisks": []}})
    (leaving,) = answer.body["properties"]["storageProfile"]["dataDisks"]
    assert (leaving["name"], leaving["toBeDetached"]) == ("existing", True)
    site.cloud.wait_for(answer)
    shown = site.get("virtualMachines", "vm").body["properties"]["storageProfile"]
    assert shown["dataDisks"] == []


def test_a_shared_disk_keeps_its_group(site: Site) -> None:
    made(site, "data")
    made(site, "other")
    path = site.provider("disks", "data")
    wanted = {"access": "Read", "durationInSeconds": 60}
    site.cloud.wait_for(site.cloud.call("POST", f"{path}/beginGetAccess", wanted))
    answer = site.cloud.call("DELETE", site.path)
    ended = site.cloud.call("GET", answer.headers["location"])
    while ended.status == 202:
        ended = site.cloud.call("GET", answer.headers["location"])
    error = ended.body["Error"]
    assert (ended.status, error["Code"]) == (409, "ResourceGroupDeletionBlocked")
    assert [item["Target"].rsplit("/", 1)[1] for item in error["Details"]] == ["data"]
    assert "EndGetAccess" in error["Details"][0]["Message"]
    site.cloud.wait_for(site.cloud.call("POST", f"{path}/endGetAccess"))


def test_an_imported_disk_tells_its_size_if_it_was_not_said(site: Site) -> None:
    blob = {"createOption": "Import", "sourceUri": "https://a.blob.core.windows.net/c/d.vhd"}
    blob["storageAccountId"] = f"{site.id}/providers/Microsoft.Storage/storageAccounts/a"
    unsaid = disk(site, "one", creationData=blob, diskSizeGB=None).body["properties"]
    assert "diskSizeBytes" in unsaid
    assert "diskSizeBytes" not in disk(site, "two", creationData=blob).body["properties"]


def test_a_change_tells_where_a_disk_in_use_lies(site: Site, machine: dict[str, Any]) -> None:
    def changed(name: str, version: str) -> dict[str, Any]:
        body = {"tags": {"a": "b"}}
        answer = site.cloud.call("PATCH", site.provider("disks", name), body, version=version)
        site.cloud.wait_for(answer)
        return dict(answer.body["properties"])

    made(site, "unused")
    name = create(site, machine)["storageProfile"]["osDisk"]["name"]
    assert changed(name, "2019-11-01")["faultDomain"] == 0
    assert changed(name, "2019-11-01")["osState"] == "Generalized"
    assert "faultDomain" not in changed(name, "2021-04-01")
    assert "faultDomain" not in changed("unused", "2019-11-01")


def test_the_oldest_version_names_a_source_otherwise(site: Site) -> None:
    source = made(site, "source")["id"]
    copied = {"createOption": "Copy", "sourceResourceId": source}
    made(site, "copy", creationData=copied, diskSizeGB=None)
    path = site.provider("disks", "copy")
    old = site.cloud.call("GET", path, version="2016-04-30-preview").body["properties"]
    assert old["creationData"] == {"createOption": "Copy", "sourceUri": source}
    new = site.get("disks", "copy").body["properties"]["creationData"]
    assert new["sourceResourceId"] == source
    assert "sourceUri" not in new

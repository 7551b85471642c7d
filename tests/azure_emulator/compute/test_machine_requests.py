"""Requests on virtual machines: actions, zones, sizes, extensions, and what they join."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from ..cloud import IMAGE, LOCATION, Answer, Keys, Site, encoded, vm_body


@pytest.fixture
def body(site: Site, keys: Keys) -> dict[str, Any]:
    return vm_body(keys, site.nic("nic", site.network())["id"])


def put(site: Site, body: dict[str, Any], name: str = "vm") -> Answer:
    return site.cloud.call("PUT", site.provider("virtualMachines", name), body)


def post(site: Site, action: str, body: Any = None) -> Answer:
    return site.cloud.call("POST", site.provider("virtualMachines", "vm", action), body)


@pytest.fixture
def vm(site: Site, body: dict[str, Any]) -> Site:
    site.cloud.wait_for(put(site, body))
    return site


def compute(site: Site, kind: str, name: str) -> str:
    return f"{site.path}/providers/Microsoft.Compute/{kind}/{name}"


def test_user_data_is_shown_on_request_and_custom_data_never(
    site: Site, body: dict[str, Any]
) -> None:
    body["properties"]["userData"] = encoded("for all")
    body["properties"]["osProfile"]["customData"] = encoded("for none")
    answer = put(site, body)
    assert "userData" not in answer.body["properties"]
    path = site.provider("virtualMachines", "vm")
    shown = site.cloud.call("GET", f"{path}?$expand=userData").body["properties"]
    assert shown["userData"] == encoded("for all")
    assert encoded("for none") not in str(shown)
    body["properties"]["userData"] = "no base64!"
    assert put(site, body, "other").body["error"]["target"] == "userData"


def test_run_command_answers_as_recorded(vm: Site) -> None:
    given = {"commandId": "RunShellScript", "script": ["echo"]}
    answer = post(vm, "runCommand", given)
    assert answer.status == 202
    value = vm.cloud.wait_for(answer)["properties"]["output"]["value"]
    assert value[0]["message"] == "Enable succeeded: \n[stdout]\n\n[stderr]\n"
    assert vm.cloud.call("GET", answer.headers["location"]).body == {"value": value}
    assert post(vm, "runCommand", {"commandId": "NoSuch"}).status == 404
    vm.cloud.wait_for(post(vm, "powerOff?skipShutdown=true"))
    stopped = post(vm, "runCommand", given)
    assert (stopped.status, stopped.code) == (409, "OperationNotAllowed")


@pytest.mark.parametrize("action", ["reapply", "redeploy"])
def test_maintenance_leaves_the_machine_running(vm: Site, action: str) -> None:
    assert vm.cloud.wait_for(post(vm, action))["status"] == "Succeeded"
    view = vm.get("virtualMachines", "vm", "instanceView").body
    assert view["statuses"][-1]["code"] == "PowerState/running"


def test_a_machine_is_generalized_when_stopped(vm: Site) -> None:
    assert post(vm, "generalize").status == 409
    vm.cloud.wait_for(post(vm, "deallocate"))
    assert post(vm, "generalize").status == 200
    codes = [s["code"] for s in vm.get("virtualMachines", "vm", "instanceView").body["statuses"]]
    assert "OSState/generalized" in codes
    assert vm.cloud.wait_for(post(vm, "start"))["error"]["code"] == "OperationNotAllowed"


@pytest.mark.parametrize("action", ["performMaintenance", "reimage", "convertToManagedDisks"])
def test_what_azure_refuses_of_such_a_machine(vm: Site, action: str) -> None:
    answer = post(vm, action)
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")


@pytest.mark.parametrize("policy", ["Deallocate", "Delete"])
def test_a_spot_machine_is_evicted(site: Site, body: dict[str, Any], policy: str) -> None:
    body["properties"] |= {"priority": "Spot", "evictionPolicy": policy}
    site.cloud.wait_for(put(site, body))
    answer = post(site, "simulateEviction")
    assert (answer.status, answer.body) == (204, None)
    deadline = time.monotonic() + 10
    while not _evicted(site, policy):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _evicted(site: Site, policy: str) -> bool:
    answer = site.get("virtualMachines", "vm", "instanceView")
    if policy == "Delete":
        return answer.status == 404
    return bool(answer.body["statuses"][-1]["code"] == "PowerState/deallocated")


def test_price_and_priority_are_kept(site: Site, body: dict[str, Any]) -> None:
    body["properties"] |= {"priority": "Spot", "billingProfile": {"maxPrice": 1.0}}
    site.cloud.wait_for(put(site, body))
    path = site.provider("virtualMachines", "vm")
    other = {"properties": {"billingProfile": {"maxPrice": 2.0}}}
    answer = site.cloud.call("PATCH", path, other)
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")
    assert answer.body["error"]["details"][0]["target"] == "vm"
    regular = site.cloud.call("PATCH", path, {"properties": {"priority": "Regular"}})
    assert (regular.status, regular.code) == (409, "PropertyChangeNotAllowed")
    site.cloud.wait_for(post(site, "deallocate"))
    assert site.cloud.call("PATCH", path, other).status == 200


def test_identities_come_and_go(site: Site, body: dict[str, Any]) -> None:
    site.cloud.wait_for(put(site, {**body, "identity": {"type": "SystemAssigned"}}))
    path = site.provider("virtualMachines", "vm")
    first = site.get("virtualMachines", "vm").body["identity"]["principalId"]
    place = f"{site.path}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mine"
    site.cloud.call("PUT", place, {"location": LOCATION})
    own = f"{site.id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mine"
    both = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {own: {}}}
    answer = site.cloud.call("PATCH", path, {"identity": both})
    assert answer.status == 200, answer
    shown = answer.body["identity"]
    assert shown["principalId"] == first
    assert set(shown["userAssignedIdentities"][own]) == {"principalId", "clientId"}
    gone = {"type": "SystemAssigned", "userAssignedIdentities": {own: None}}
    assert (
        "userAssignedIdentities"
        not in site.cloud.call("PATCH", path, {"identity": gone}).body["identity"]
    )
    assert "identity" not in site.cloud.call("PATCH", path, {"identity": {"type": "None"}}).body


def test_zones(site: Site, body: dict[str, Any]) -> None:
    answer = put(site, {**body, "zones": ["4"]})
    assert (answer.status, answer.code) == (400, "InvalidAvailabilityZone")
    assert put(site, {**body, "zones": ["2"]}).body["zones"] == ["2"]


@pytest.fixture
def restricted(site: Site) -> Iterator[Site]:
    yield site
    site.cloud.call("DELETE", "/emulator/skus", version=None)
    site.cloud.call("DELETE", "/emulator/quotas", version=None)


def test_sizes_are_restricted_as_declared(restricted: Site, body: dict[str, Any]) -> None:
    size = body["properties"]["hardwareProfile"]["vmSize"]
    declared = {"restrict": [{"sku": size, "location": LOCATION, "zone": "1"}]}
    restricted.cloud.call("POST", "/emulator/skus", declared, version=None)
    answer = put(restricted, {**body, "zones": ["1"]})
    assert (answer.status, answer.code) == (409, "SkuNotAvailable")
    skus = restricted.cloud.compute.resource_skus.list(filter=f"location eq '{LOCATION}'")
    shown = next(sku for sku in skus if sku.name == size)
    assert [(item.type, item.restriction_info.zones) for item in shown.restrictions] == [
        ("Zone", ["1"])
    ]
    assert put(restricted, {**body, "zones": ["2"]}).status == 201


@pytest.mark.parametrize(
    "declared", [{}, {"restrict": [{"sku": "Nope"}]}, {"restrict": [{"x": 1}]}]
)
def test_restrictions_are_checked(restricted: Site, declared: dict[str, Any]) -> None:
    answer = restricted.cloud.call("POST", "/emulator/skus", declared, version=None)
    assert (answer.status, answer.code) == (400, "InvalidParameter")


def test_quotas_are_set_for_a_region(restricted: Site, body: dict[str, Any]) -> None:
    quota = {"name": "cores", "limit": 1, "location": LOCATION}
    restricted.cloud.call("POST", "/emulator/quotas", quota, version=None)
    answer = put(restricted, body)
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")
    assert "Current Limit: 1," in answer.body["error"]["message"]
    usages = {item.name.value: item.limit for item in restricted.cloud.compute.usage.list(LOCATION)}
    assert usages["cores"] == 1


def test_what_a_machine_joins_must_exist(site: Site, body: dict[str, Any]) -> None:
    identifier = site.cloud.subscription + compute(site, "availabilitySets", "together")
    body["properties"]["availabilitySet"] = {"id": identifier}
    answer = put(site, body)
    assert (answer.status, answer.code) == (400, "InvalidResourceReference")
    path = compute(site, "availabilitySets", "together")
    assert site.cloud.call("PUT", path, {"location": LOCATION}).status == 200
    site.cloud.wait_for(put(site, body))
    members = site.cloud.call("GET", path).body["properties"]["virtualMachines"]
    assert [item["id"].rsplit("/", 1)[-1] for item in members] == ["vm"]
    assert site.cloud.call("DELETE", path).status == 409
    site.deleted("virtualMachines", "vm")
    assert site.cloud.call("DELETE", path).status == 200
    assert site.cloud.call("DELETE", path).status == 204


def test_keys_are_kept_and_made(site: Site, keys: Keys) -> None:
    path = compute(site, "sshPublicKeys", "mine")
    given = {"location": LOCATION, "properties": {"publicKey": "nonsense"}}
    assert site.cloud.call("PUT", path, given).body["error"]["target"] == "publicKey"
    given["properties"] = {"publicKey": keys.login_public}
    assert site.cloud.call("PUT", path, given).status == 201
    made = site.cloud.call("POST", f"{path}/generateKeyPair").body
    assert "PRIVATE KEY" in made["privateKey"]
    shown = site.cloud.call("GET", path).body["properties"]
    assert shown == {"publicKey": made["publicKey"]}


def test_extensions_of_a_machine(vm: Site) -> None:
    path = vm.provider("virtualMachines", "vm", "extensions/script")
    properties = {
        "publisher": "Microsoft.Azure.Extensions",
        "type": "CustomScript",
        "typeHandlerVersion": "2.1",
        "settings": {"fileUris": []},
        "protectedSettings": {"commandToExecute": "hush"},
    }
    answer = vm.cloud.call("PUT", path, {"location": LOCATION, "properties": properties})
    assert answer.status == 201
    assert vm.cloud.wait_for(answer)["status"] == "Succeeded"
    shown = vm.get("virtualMachines", "vm").body["resources"]
    assert [item["name"] for item in shown] == ["script"]
    assert "hush" not in str(shown)
    listed = vm.get("virtualMachines").body["value"][0]["resources"]
    assert [set(item) for item in listed] == [{"id"}]
    assert vm.cloud.call("DELETE", path).status == 202
    missing = vm.provider("virtualMachines", "vm", "extensions/other")
    assert vm.cloud.call("GET", missing).status == 404


def test_windows_is_accepted_without_machines(site: Site, body: dict[str, Any]) -> None:
    properties = body["properties"]
    properties["storageProfile"]["imageReference"] = {
        "publisher": "MicrosoftWindowsServer",
        "offer": "WindowsServer",
        "sku": "2016-Datacenter",
        "version": "latest",
    }
    properties["osProfile"] = {"computerName": "pc", "adminUsername": "someone"}
    assert put(site, body).body["error"]["target"] == "adminPassword"
    properties["osProfile"]["adminPassword"] = "Abcdefg-1"
    too_long = {**properties["osProfile"], "computerName": "a" * 16}
    answer = put(site, {**body, "properties": {**properties, "osProfile": too_long}})
    assert answer.body["error"]["target"] == "computerName"
    answer = put(site, body)
    shown = answer.body["properties"]
    assert shown["storageProfile"]["osDisk"]["osType"] == "Windows"
    assert shown["osProfile"]["windowsConfiguration"]["provisionVMAgent"] is True
    site.cloud.wait_for(answer)
    ran = site.cloud.wait_for(post(site, "runCommand", {"commandId": "RunPowerShellScript"}))
    codes = [item["code"] for item in ran["properties"]["output"]["value"]]
    assert codes == [f"ComponentStatus/{name}/succeeded" for name in ("StdOut", "StdErr")]


def test_images_of_a_region(site: Site) -> None:
    images = site.cloud.compute.virtual_machine_images
    assert "Canonical" in [item.name for item in images.list_publishers(LOCATION)]
    place = (LOCATION, IMAGE["publisher"], IMAGE["offer"], IMAGE["sku"])
    assert IMAGE["sku"] in [item.name for item in images.list_skus(*place[:3])]
    version = images.list(*place)[-1].name
    assert images.get(*place, version).os_disk_image.operating_system == "Linux"


def test_an_old_api_version_shows_what_it_knew(vm: Site) -> None:
    path = vm.provider("virtualMachines", "vm")
    old = vm.cloud.call("GET", path, version="2018-04-01").body["properties"]
    assert "allowExtensionOperations" not in old["osProfile"]
    assert "exactVersion" not in old["storageProfile"]["imageReference"]
    assert "timeCreated" not in old
    new = vm.cloud.call("GET", path, version="2024-07-01").body["properties"]
    assert new["osProfile"]["allowExtensionOperations"] is True
    assert "exactVersion" in new["storageProfile"]["imageReference"]
    assert "timeCreated" in new

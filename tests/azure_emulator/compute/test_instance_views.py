"""What a machine shows of itself while it runs, is stopped, encrypted, or taken as an image."""

from __future__ import annotations

from typing import Any

import pytest

from ..cloud import LOCATION, Answer, Keys, Site, vm_body

VAULT = "/subscriptions/x/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"
AT_2019 = "2019-12-01"
AT_2017 = "2017-12-01"


@pytest.fixture
def body(site: Site, keys: Keys) -> dict[str, Any]:
    return vm_body(keys, site.nic("nic", site.network())["id"])


@pytest.fixture
def vm(site: Site, body: dict[str, Any]) -> Site:
    put(site, body)
    return site


def put(site: Site, body: dict[str, Any]) -> None:
    done(site, site.cloud.call("PUT", site.provider("virtualMachines", "vm"), body))


def post(site: Site, action: str, body: Any = None) -> Answer:
    return site.cloud.call("POST", site.provider("virtualMachines", "vm", action), body)


def done(site: Site, answer: Answer) -> Any:
    ended = site.cloud.wait_for(answer)
    assert ended["status"] == "Succeeded", ended
    return ended


def patched(site: Site, properties: dict[str, Any]) -> Answer:
    path = site.provider("virtualMachines", "vm")
    return site.cloud.call("PATCH", path, {"properties": properties})


def view(site: Site, version: str = AT_2019) -> dict[str, Any]:
    path = f"{site.provider('virtualMachines', 'vm')}?$expand=instanceView"
    answer = site.cloud.call("GET", path, version=version)
    return dict(answer.body["properties"]["instanceView"])


def extension(site: Site, kind: str, publisher: str, settings: dict[str, Any]) -> None:
    properties = {
        "publisher": publisher,
        "type": kind,
        "typeHandlerVersion": "1.1",
        "settings": settings,
    }
    path = site.provider("virtualMachines", "vm", f"extensions/{kind}")
    body = {"location": LOCATION, "properties": properties}
    done(site, site.cloud.call("PUT", path, body))


def encrypt(site: Site, kind: str, operation: str = "EnableEncryption") -> None:
    settings = {
        "EncryptionOperation": operation,
        "KeyVaultURL": "https://v.vault.azure.net/",
        "KeyVaultResourceId": VAULT,
    }
    extension(site, kind, "Microsoft.Azure.Security", settings)


def test_a_stopped_machine_keeps_its_last_report_a_deallocated_one_does_not(vm: Site) -> None:
    extension(vm, "CustomScript", "Microsoft.Azure.Extensions", {"fileUris": []})
    reports = {"computerName", "vmAgent", "extensions"}
    assert set(view(vm)) >= reports
    done(vm, post(vm, "powerOff"))
    assert set(view(vm)) >= reports
    done(vm, post(vm, "deallocate"))
    assert set(view(vm)) == {"disks", "hyperVGeneration", "statuses"}
    # In 2017 the report outlived the allocation, and did not name the computer.
    assert set(view(vm, AT_2017)) == {"vmAgent", "disks", "extensions", "statuses"}


def test_the_disks_of_a_deallocated_machine_have_no_size(vm: Site) -> None:
    def disk() -> dict[str, Any]:
        shown = vm.get("virtualMachines", "vm").body["properties"]["storageProfile"]["osDisk"]
        return dict(shown)

    assert disk()["diskSizeGB"] == 30
    assert "storageAccountType" in disk()["managedDisk"]
    done(vm, post(vm, "deallocate"))
    assert "diskSizeGB" not in disk()
    assert set(disk()["managedDisk"]) == {"id"}
    done(vm, post(vm, "start"))
    assert disk()["diskSizeGB"] == 30


def test_the_os_disk_grows_while_the_machine_is_deallocated(vm: Site) -> None:
    wanted = {"storageProfile": {"osDisk": {"diskSizeGB": 64}}}
    refused = patched(vm, wanted)
    assert (refused.status, refused.code) == (409, "OperationNotAllowed")
    done(vm, post(vm, "deallocate"))
    done(vm, patched(vm, wanted))
    done(vm, post(vm, "start"))
    shown = vm.get("virtualMachines", "vm").body["properties"]["storageProfile"]["osDisk"]
    assert shown["diskSizeGB"] == 64
    assert vm.get("disks", shown["name"]).body["properties"]["diskSizeGB"] == 64
    smaller = patched(vm, {"storageProfile": {"osDisk": {"diskSizeGB": 32}}})
    assert (smaller.status, smaller.code) == (400, "BadRequest")


def test_encrypted_disks_are_shown_as_such(vm: Site) -> None:
    assert "encryptionSettings" not in view(vm)["disks"][0]
    encrypt(vm, "AzureDiskEncryptionForLinux")
    shown = view(vm)
    (disk,) = shown["disks"]
    (settings,) = disk["encryptionSettings"]
    assert settings["enabled"] is True
    assert settings["diskEncryptionKey"]["sourceVault"] == {"id": VAULT}
    assert settings["diskEncryptionKey"]["secretUrl"].startswith("https://v.vault.azure.net/sec")
    assert disk["statuses"][1]["code"] == "EncryptionState/encrypted"
    assert shown["extensions"][0]["substatuses"][0]["code"].endswith("ForLinux/succeeded")
    encrypt(vm, "AzureDiskEncryptionForLinux", "DisableEncryption")
    (disk,) = view(vm)["disks"]
    assert disk["encryptionSettings"] == [{"enabled": False}]
    assert disk["statuses"][1]["code"] == "EncryptionState/notEncrypted"


def test_the_windows_extension_says_less(vm: Site) -> None:
    encrypt(vm, "AzureDiskEncryption")
    shown = view(vm)
    assert "substatuses" not in shown["extensions"][0]
    assert "message" not in shown["vmAgent"]["extensionHandlers"][0]["status"]


def test_a_stopped_machine_stays_stopped_on_its_new_host(vm: Site) -> None:
    done(vm, post(vm, "powerOff"))
    done(vm, post(vm, "redeploy"))
    assert view(vm)["statuses"][-1]["code"] == "PowerState/stopped"
    assert post(vm, "generalize").status == 200


CAPTURE = {"vhdPrefix": "img", "destinationContainerName": "images", "overwriteVhds": True}


def test_a_machine_on_blobs_is_captured(site: Site, body: dict[str, Any]) -> None:
    blob = {"uri": "https://account.blob.core.windows.net/vhds/os.vhd"}
    disk = {"name": "os", "createOption": "FromImage", "vhd": blob}
    body["properties"]["storageProfile"]["osDisk"] = disk
    put(site, body)
    early = post(site, "capture", CAPTURE)
    assert (early.status, early.code) == (409, "OperationNotAllowed")
    done(site, post(site, "deallocate"))
    assert post(site, "generalize").status == 200
    answer = post(site, "capture", CAPTURE)
    assert answer.status == 202
    made = done(site, answer)["properties"]["output"]
    assert site.cloud.call("GET", answer.headers["location"]).body == made
    (machine,) = made["resources"]
    image = machine["properties"]["storageProfile"]["osDisk"]
    assert image["name"].startswith("img-osDisk.")
    start = "https://account.blob.core.windows.net/system/Microsoft.Compute/Images/images/img-"
    assert image["image"]["uri"].startswith(start)


def test_captures_that_are_refused(vm: Site) -> None:
    answer = post(vm, "capture", CAPTURE)
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")
    assert "Image" in answer.body["error"]["message"]
    for name in CAPTURE:
        given = {key: item for key, item in CAPTURE.items() if key != name}
        assert post(vm, "capture", given).body["error"]["target"] == name
    wrong = post(vm, "capture", {**CAPTURE, "overwriteVhds": "yes"})
    assert (wrong.status, wrong.code) == (400, "InvalidParameter")


def test_the_proximity_group_of_a_running_machine_stays(vm: Site) -> None:
    group = f"{vm.id}/providers/Microsoft.Compute/proximityPlacementGroups/near"
    assert vm.cloud.call("PUT", group, {"location": LOCATION}).status == 201
    wanted = {"proximityPlacementGroup": {"id": group}}
    answer = patched(vm, wanted)
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")
    done(vm, post(vm, "deallocate"))
    done(vm, patched(vm, wanted))
    shown = vm.get("virtualMachines", "vm").body["properties"]
    assert shown["proximityPlacementGroup"]["id"] == group


def test_an_interface_without_its_machine_has_no_domain(
    site: Site, body: dict[str, Any], vm: Site
) -> None:
    def dns() -> dict[str, Any]:
        return dict(site.get("networkInterfaces", "nic").body["properties"]["dnsSettings"])

    assert "internalDomainNameSuffix" in dns()
    vm.deleted("virtualMachines", "vm")
    assert set(dns()) == {"dnsServers", "appliedDnsServers"}
    put(site, body)
    assert "internalDomainNameSuffix" in dns()


def test_boot_diagnostics_turned_off_keep_their_place(site: Site, body: dict[str, Any]) -> None:
    kept = {"enabled": True, "storageUri": "https://account.blob.core.windows.net/"}
    body["properties"]["diagnosticsProfile"] = {"bootDiagnostics": kept}
    put(site, body)
    off = {"diagnosticsProfile": {"bootDiagnostics": {"enabled": False}}}
    done(site, patched(site, off))
    shown = site.get("virtualMachines", "vm").body["properties"]["diagnosticsProfile"]
    assert shown == {"bootDiagnostics": {**kept, "enabled": False}}


def test_an_old_view_lists_the_handlers_of_no_extension(vm: Site) -> None:
    assert view(vm, "2018-06-01")["vmAgent"]["extensionHandlers"] == []
    assert "extensionHandlers" not in view(vm)["vmAgent"]

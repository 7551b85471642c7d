"""Virtual machines as ARM shows them; nothing boots here."""

from __future__ import annotations

from typing import Any

import pytest

from ..cloud import LOCATION, Answer, Cloud, Keys, Site, encoded, scale_set_body, vm_body


@pytest.fixture
def nic(site: Site) -> str:
    return str(site.nic("nic", site.network())["id"])


def put(site: Site, name: str, body: dict[str, Any]) -> Answer:
    return site.cloud.call("PUT", site.provider("virtualMachines", name), body)


def test_a_machine_is_creating_then_succeeded(arm: Cloud, site: Site, keys: Keys, nic: str) -> None:
    answer = put(site, "vm", vm_body(keys, nic, customData=encoded("#cloud-config\n")))
    assert answer.status == 201
    properties = answer.body["properties"]
    assert properties["provisioningState"] == "Creating"
    assert properties["vmId"]
    assert "name" not in properties["storageProfile"]["osDisk"]
    assert properties["networkProfile"]["networkInterfaces"][0]["id"] == nic
    assert (
        "/Microsoft.Compute/locations/eastus/operations/" in answer.headers["azure-asyncoperation"]
    )
    assert answer.headers["azure-asyncnotification"] == "Enabled"
    assert answer.headers["x-ms-ratelimit-remaining-resource"].startswith("Microsoft.Compute/PutVM")
    state = arm.wait_for(answer)
    assert list(state) == ["startTime", "endTime", "status", "name"]
    got = site.get("virtualMachines", "vm").body["properties"]
    assert got["provisioningState"] == "Succeeded"
    assert got["storageProfile"]["osDisk"]["name"].startswith("vm_OsDisk_1_")
    assert got["storageProfile"]["osDisk"]["managedDisk"]["id"]
    shown = site.get("networkInterfaces", "nic").body["properties"]
    assert shown["virtualMachine"]["id"].endswith("/virtualMachines/vm")
    assert shown["macAddress"]


def test_custom_data_and_passwords_are_never_echoed(site: Site, keys: Keys, nic: str) -> None:
    secret = encoded("#cloud-config\n# very secret\n")
    body = vm_body(keys, nic, customData=secret)
    texts = [str(put(site, "vm", body)), str(site.get("virtualMachines", "vm"))]
    texts.append(str(site.get("virtualMachines", "vm?$expand=instanceView")))
    assert not any(secret in text or "customData" in text for text in texts)


def test_the_instance_view(arm: Cloud, site: Site, keys: Keys, nic: str) -> None:
    site.vm("vm", keys, nic)
    vm = arm.compute.virtual_machines.get(site.group, "vm", expand="instanceView")
    codes = [status.code for status in vm.instance_view.statuses]
    assert codes == ["ProvisioningState/succeeded", "PowerState/running"]
    alone = arm.compute.virtual_machines.instance_view(site.group, "vm")
    assert [status.code for status in alone.statuses] == codes


def test_power(arm: Cloud, site: Site, keys: Keys, nic: str) -> None:
    site.vm("vm", keys, nic)
    machines = arm.compute.virtual_machines
    for action, code in (
        (machines.begin_power_off, "PowerState/stopped"),
        (machines.begin_start, "PowerState/running"),
        (machines.begin_restart, "PowerState/running"),
        (machines.begin_deallocate, "PowerState/deallocated"),
    ):
        action(site.group, "vm").wait(10)
        view = machines.instance_view(site.group, "vm")
        assert view.statuses[1].code == code


@pytest.mark.parametrize(
    ("where", "value", "target", "words"),
    [
        ("hardwareProfile", {"vmSize": "Standard_Nope"}, "vmSize", "is not valid"),
        ("hardwareProfile", None, "vmSize", "is missing"),
        ("osProfile", None, "osProfile", "is missing"),
        ("osProfile.adminUsername", None, "adminUsername", "is missing (null)"),
        ("osProfile.adminUsername", "root", "adminUsername", "not allowed"),
        ("osProfile.computerName", "no spaces", "computerName", "Linux host name"),
        ("osProfile.customData", "not base64!", "customData", "Base64"),
        ("osProfile.customData", encoded(b"x" * 65_536), "customData", "87380"),
        ("osProfile.linuxConfiguration.ssh", None, "linuxConfiguration", "must be enabled"),
        (
            "osProfile.linuxConfiguration.ssh.publicKeys",
            [{"path": "/root/.ssh/authorized_keys", "keyData": "x"}],
            *("linuxConfiguration.ssh.publicKeys.path", "default value"),
        ),
        (
            "osProfile.linuxConfiguration.ssh.publicKeys",
            [{"path": "/home/ipython/.ssh/authorized_keys", "keyData": "ssh-rsa nonsense"}],
            *("linuxConfiguration.ssh.publicKeys.keyData", "is invalid"),
        ),
        ("storageProfile", None, "storageProfile", "is missing"),
        ("storageProfile.imageReference", None, "imageReference", "is missing"),
        ("storageProfile.imageReference.sku", None, "imageReference.sku", "is missing"),
        ("networkProfile", None, "networkProfile", "is missing"),
        ("evictionPolicy", "Delete", "evictionPolicy", "Spot"),
    ],
)
def test_invalid_parameters(
    site: Site, keys: Keys, nic: str, where: str, value: Any, target: str, words: str
) -> None:
    body = vm_body(keys, nic)
    place = body["properties"]
    *path, last = where.split(".")
    for part in path:
        place = place[part]
    place[last] = value
    answer = put(site, "vm", body)
    assert (answer.status, answer.code) == (400, "InvalidParameter"), answer
    assert answer.body["error"]["target"] == target
    assert words in answer.body["error"]["message"]
    assert site.get("virtualMachines", "vm").status == 404


def test_the_largest_custom_data(site: Site, keys: Keys, nic: str) -> None:
    assert put(site, "vm", vm_body(keys, nic, customData=encoded(b"#" * 65_535))).status == 201


def test_unknown_members_are_refused(site: Site, keys: Keys, nic: str) -> None:
    answer = put(site, "vm", vm_body(keys, nic, adminUserName2="x"))
    assert answer.status == 400
    assert answer.body["error"]["message"].startswith(
        "Could not find member 'adminUserName2' on object of type 'OSProfile'."
    )


def test_snake_case_is_not_camel_case(site: Site, keys: Keys, nic: str) -> None:
    body = vm_body(keys, nic)
    body["properties"]["os_profile"] = body["properties"].pop("osProfile")
    assert put(site, "vm", body).status == 400


def test_an_unknown_image(site: Site, keys: Keys, nic: str) -> None:
    body = vm_body(keys, nic)
    body["properties"]["storageProfile"]["imageReference"]["offer"] = "windows-95"
    answer = put(site, "vm", body)
    assert (answer.status, answer.code) == (404, "PlatformImageNotFound")


@pytest.mark.parametrize("name", ["-vm", "vm-", "v" * 65])
def test_machine_names(site: Site, keys: Keys, nic: str, name: str) -> None:
    answer = put(site, name, vm_body(keys, nic))
    assert (answer.status, answer.code) == (400, "InvalidParameter")


def test_a_missing_or_taken_interface(site: Site, keys: Keys, nic: str) -> None:
    missing = put(site, "vm", vm_body(keys, nic + "x"))
    assert (missing.status, missing.code) == (400, "InvalidResourceReference")
    site.vm("vm", keys, nic)
    taken = put(site, "other", vm_body(keys, nic))
    assert (taken.status, taken.code) == (400, "NicInUse")
    held = site.delete("networkInterfaces", "nic")
    assert (held.status, held.code) == (400, "NicInUse")


def test_what_cannot_change(site: Site, keys: Keys, nic: str) -> None:
    site.vm("vm", keys, nic)
    for name, value in (
        ("adminUsername", "else"),
        ("computerName", "else"),
        ("customData", "eA=="),
    ):
        body = vm_body(keys, nic, **{name: value})
        body["properties"]["osProfile"].setdefault("adminUsername", "ipython")
        answer = put(site, "vm", body)
        assert (answer.status, answer.code) == (409, "PropertyChangeNotAllowed")
        assert answer.body["error"]["target"] == f"osProfile.{name}"
    moved = vm_body(keys, nic) | {"location": "westus2"}
    assert put(site, "vm", moved).code == "InvalidResourceLocation"


def test_what_can_change(arm: Cloud, site: Site, keys: Keys, nic: str) -> None:
    site.vm("vm", keys, nic)
    same = put(site, "vm", vm_body(keys, nic) | {"tags": {"a": "b"}})
    assert (same.status, same.body["tags"]) == (200, {"a": "b"})
    arm.wait_for(same)
    bigger = arm.call(
        "PATCH",
        site.provider("virtualMachines", "vm"),
        {"properties": {"hardwareProfile": {"vmSize": "Standard_D4s_v5"}}},
    )
    assert bigger.status == 200
    arm.wait_for(bigger)
    got = site.get("virtualMachines", "vm").body
    assert got["properties"]["hardwareProfile"]["vmSize"] == "Standard_D4s_v5"
    assert got["tags"] == {"a": "b"}


# Deletion and what goes with it


def test_by_default_interface_and_disk_survive_the_machine(
    site: Site, keys: Keys, nic: str
) -> None:
    disk = site.vm("vm", keys, nic)["properties"]["storageProfile"]["osDisk"]["name"]
    held = site.delete("disks", disk)
    assert (held.status, held.code) == (409, "OperationNotAllowed")
    answer = site.delete("virtualMachines", "vm")
    assert (answer.status, answer.body) == (202, None)
    assert "monitor=true" in answer.headers["location"]
    site.cloud.wait_for(answer)
    done = site.cloud.call("GET", answer.headers["location"])
    assert (done.status, done.body) == (200, None)
    assert site.get("virtualMachines", "vm").code == "ResourceNotFound"
    assert site.names() == sorted(["nic", "vnet", disk])
    assert "virtualMachine" not in site.get("networkInterfaces", "nic").body["properties"]
    site.deleted("disks", disk)
    site.deleted("networkInterfaces", "nic")


def test_delete_options_are_honoured(site: Site, keys: Keys) -> None:
    subnet = site.network()
    body = vm_body(keys, "")
    body["properties"]["storageProfile"]["osDisk"]["deleteOption"] = "Delete"
    body["properties"]["networkProfile"] = {
        "networkApiVersion": "2022-11-01",
        "networkInterfaceConfigurations": [
            {
                "name": "own-nic",
                "properties": {
                    "ipConfigurations": [
                        {
                            "name": "ip",
                            "properties": {
                                "subnet": {"id": subnet},
                                "publicIPAddressConfiguration": {
                                    "name": "own-pip",
                                    "sku": {"name": "Standard"},
                                },
                            },
                        }
                    ]
                },
            }
        ],
    }
    answer = put(site, "vm", body)
    assert answer.status == 201
    assert "networkInterfaceConfigurations" not in answer.body["properties"]["networkProfile"]
    site.cloud.wait_for(answer)
    assert len(site.names()) == 5
    site.deleted("virtualMachines", "vm", "?forceDeletion=true")
    assert site.names() == ["vnet"]


def test_a_refused_machine_leaves_nothing_behind(site: Site, keys: Keys) -> None:
    subnet = site.network()
    body = vm_body(keys, "")
    inline = {"name": "n", "properties": {"ipConfigurations": [ip(subnet), ip(subnet + "x")]}}
    body["properties"]["networkProfile"] = {
        "networkApiVersion": "2022-11-01",
        "networkInterfaceConfigurations": [inline],
    }
    answer = put(site, "vm", body)
    assert answer.code == "InvalidResourceReference"
    assert site.names() == ["vnet"]
    site.deleted("virtualNetworks", "vnet")


def ip(subnet: str) -> dict[str, Any]:
    return {"name": subnet[-4:], "properties": {"subnet": {"id": subnet}}}


def test_a_group_being_deleted_takes_nothing_new(site: Site, keys: Keys, arm: Cloud) -> None:
    missing = arm.call("PUT", "/resourceGroups/none/providers/Microsoft.Network/virtualNetworks/v")
    assert (missing.status, missing.code) == (404, "ResourceGroupNotFound")


# Catalogue and quotas


def test_sizes(arm: Cloud) -> None:
    skus = {
        sku.name: sku
        for sku in arm.compute.resource_skus.list(filter="location eq 'westeurope'")
        if sku.resource_type == "virtualMachines"
    }
    assert len(skus) >= 60
    d4 = {item.name: item.value for item in skus["Standard_D4s_v5"].capabilities}
    assert (d4["vCPUs"], d4["MemoryGB"], d4["CpuArchitectureType"]) == ("4", "16", "x64")
    assert (d4["LowPriorityCapable"], d4["PremiumIO"]) == ("True", "True")
    assert skus["Standard_D4s_v5"].family == "standardDSv5Family"
    assert skus["Standard_D4s_v5"].locations == ["westeurope"]
    b = {item.name: item.value for item in skus["Standard_B2s"].capabilities}
    assert b["LowPriorityCapable"] == "False"


def test_usages_count_machines(arm: Cloud, site: Site, keys: Keys, nic: str) -> None:
    def used(name: str) -> int:
        usages = {item.name.value: item for item in arm.compute.usage.list(LOCATION)}
        return int(usages[name].current_value)

    cores, family = used("cores"), used("standardDSv5Family")
    site.vm("vm", keys, nic, size="Standard_D8s_v5")
    assert (used("cores") - cores, used("standardDSv5Family") - family) == (8, 8)


def test_quota(arm: Cloud, site: Site, keys: Keys) -> None:
    """The fixture's limit is 4,500."""
    subnet = site.network()
    body = scale_set_body(keys, subnet, 300, "Standard_D16s_v5")
    answer = arm.call("PUT", site.provider("virtualMachineScaleSets", "set"), body)
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")
    message = answer.body["error"]["message"]
    assert message.startswith(
        "Operation could not be completed as it results in exceeding approved Total Regional Cores"
        " quota. Additional details - Deployment Model: Resource Manager, Location: eastus, "
        "Current Limit: 4500, Current Usage: "
    )
    assert "Additional Required: 4800" in message
    assert site.names() == ["vnet"]


def test_spot(arm: Cloud, site: Site, keys: Keys, nic: str) -> None:
    body = vm_body(keys, nic)
    body["properties"] |= {
        "priority": "Spot",
        "evictionPolicy": "Delete",
        "billingProfile": {"maxPrice": -1},
    }
    assert put(site, "vm", body).body["properties"]["priority"] == "Spot"
    usages = {item.name.value: item.current_value for item in arm.compute.usage.list(LOCATION)}
    assert usages["lowPriorityCores"] == 2
    body["properties"]["hardwareProfile"]["vmSize"] = "Standard_B2s"
    assert put(site, "other", body).code == "OperationNotAllowed"


def test_image_versions(arm: Cloud) -> None:
    def versions(sku: str, **more: Any) -> list[str]:
        images = arm.compute.virtual_machine_images
        found = images.list(LOCATION, "Canonical", "ubuntu-24_04-lts", sku, **more)
        return [item.name for item in found]

    known = versions("server")
    assert known == sorted(known)
    assert versions("server", top=1, orderby="name desc") == [known[-1]]

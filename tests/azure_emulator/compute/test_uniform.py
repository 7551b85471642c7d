"""Uniform scale sets: machines that are parts of their set."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import asyncssh
import pytest

from azure_emulator.testing import fault, faults

from ..cloud import USER, Answer, Cloud, Keys, Site, scale_set_body, vm_body
from ..conftest import running


def uniform_body(keys: Keys, subnet_id: str, capacity: int, **properties: Any) -> dict[str, Any]:
    body = scale_set_body(keys, subnet_id, capacity)
    given = body["properties"]
    del given["orchestrationMode"], given["platformFaultDomainCount"]
    del given["virtualMachineProfile"]["networkProfile"]["networkApiVersion"]
    given |= {"upgradePolicy": {"mode": "Manual"}, **properties}
    return body


def path(site: Site, child: str = "", name: str = "set") -> str:
    return site.provider("virtualMachineScaleSets", name, child)


def post(site: Site, child: str, body: dict[str, Any] | None = None) -> Answer:
    return site.cloud.call("POST", path(site, child), body)


def done(site: Site, answer: Answer) -> None:
    assert site.cloud.wait_for(answer)["status"] == "Succeeded", answer


def ids(site: Site) -> list[str]:
    shown = site.cloud.compute.virtual_machine_scale_set_vms.list(site.group, "set")
    return [str(vm.instance_id) for vm in shown]


@pytest.fixture
def three(site: Site, keys: Keys) -> Site:
    """A site with a finished scale set of three, named set."""
    body = uniform_body(keys, site.network(), 3)
    answer = site.cloud.call("PUT", path(site), body)
    assert answer.status == 201, answer
    done(site, answer)
    return site


def test_uniform_is_what_a_scale_set_is_unless_it_says_flexible(three: Site) -> None:
    shown = three.get("virtualMachineScaleSets", "set").body["properties"]
    assert shown["orchestrationMode"] == "Uniform"
    assert shown["overprovision"] is True
    assert shown["singlePlacementGroup"] is True
    assert shown["virtualMachineProfile"]["storageProfile"]["osDisk"]["diskSizeGB"] == 30


def test_machines_count_up_and_are_children(three: Site) -> None:
    vms = list(three.cloud.compute.virtual_machine_scale_set_vms.list(three.group, "set"))
    assert [vm.instance_id for vm in vms] == ["0", "1", "2"]
    assert [vm.name for vm in vms] == ["set_0", "set_1", "set_2"]
    assert [vm.os_profile.computer_name for vm in vms] == [f"engine00000{n}" for n in range(3)]
    assert vms[0].id.endswith("/virtualMachineScaleSets/set/virtualMachines/0")
    assert vms[0].type == "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
    assert all(vm.latest_model_applied for vm in vms)


def test_they_are_in_no_list_of_their_kind(three: Site) -> None:
    assert list(three.cloud.compute.virtual_machines.list(three.group)) == []
    assert list(three.cloud.network.network_interfaces.list(three.group)) == []
    kinds = {
        item.type for item in three.cloud.resource.resources.list_by_resource_group(three.group)
    }
    assert "Microsoft.Compute/virtualMachineScaleSets" in kinds
    assert "Microsoft.Compute/virtualMachines" not in kinds
    assert "Microsoft.Network/networkInterfaces" not in kinds
    assert three.get("virtualMachines", "set_0").status == 404


def test_a_virtual_machine_may_have_the_name_of_one(three: Site, keys: Keys) -> None:
    subnet = three.get("virtualNetworks", "vnet").body["properties"]["subnets"][0]["id"]
    nic = three.nic("nic", subnet)
    answer = three.cloud.call(
        "PUT", three.provider("virtualMachines", "set_0"), vm_body(keys, nic["id"])
    )
    assert answer.status == 201
    done(three, answer)
    assert ids(three) == ["0", "1", "2"]
    three.deleted("virtualMachines", "set_0")
    assert ids(three) == ["0", "1", "2"]


def test_interfaces_are_below_the_machines(three: Site) -> None:
    answer = three.get("virtualMachineScaleSets", "set", "networkInterfaces")
    addresses = [
        item["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"]
        for item in answer.body["value"]
    ]
    assert len(set(addresses)) == 3
    one = three.get(
        "virtualMachineScaleSets", "set", "virtualMachines/1/networkInterfaces/engine-nic"
    )
    assert one.status == 200
    assert one.headers["etag"]
    assert one.body["id"].endswith("/virtualMachines/1/networkInterfaces/engine-nic")
    assert one.body["properties"]["virtualMachine"]["id"].endswith("/virtualMachines/1")


def test_public_addresses_are_below_the_machines(site: Site, keys: Keys) -> None:
    body = uniform_body(keys, site.network(), 2)
    nic = body["properties"]["virtualMachineProfile"]["networkProfile"]
    item = nic["networkInterfaceConfigurations"][0]["properties"]["ipConfigurations"][0]
    item["properties"]["publicIPAddressConfiguration"] = {"name": "public"}
    done(site, site.cloud.call("PUT", path(site), body))
    found = site.get("virtualMachineScaleSets", "set", "publicIPAddresses").body["value"]
    assert len({item["properties"]["ipAddress"] for item in found}) == 2
    assert list(site.cloud.network.public_ip_addresses.list(site.group)) == []


def test_numbers_are_never_given_again(three: Site) -> None:
    done(three, post(three, "delete", {"instanceIds": ["1"]}))
    assert ids(three) == ["0", "2"]
    assert three.get("virtualMachineScaleSets", "set").body["sku"]["capacity"] == 2
    answer = three.cloud.call("PATCH", path(three), {"sku": {"capacity": 3}})
    done(three, answer)
    assert ids(three) == ["0", "2", "3"]


def test_one_machine_can_be_deleted(three: Site) -> None:
    answer = three.cloud.call("DELETE", path(three, "virtualMachines/2"))
    assert answer.status == 202
    assert answer.headers["x-ms-request-charge"] == "1"
    done(three, answer)
    assert ids(three) == ["0", "1"]
    again = three.cloud.call("DELETE", path(three, "virtualMachines/2"))
    assert (again.status, again.headers["x-ms-request-charge"]) == (202, "0")


def test_an_unknown_number_is_refused(three: Site) -> None:
    answer = post(three, "delete", {"instanceIds": ["7"]})
    assert (answer.status, answer.code) == (400, "InvalidParameter")
    view = three.get("virtualMachineScaleSets", "set", "virtualMachines/7/instanceView")
    assert (view.status, view.code) == (404, "NotFound")


@pytest.mark.parametrize(
    ("action", "power"), [("powerOff", "stopped"), ("deallocate", "deallocated")]
)
def test_power_of_some_and_of_all(three: Site, action: str, power: str) -> None:
    def powers() -> list[str]:
        shown = three.get("virtualMachineScaleSets", "set", "virtualMachines?$expand=instanceView")
        views = [item["properties"]["instanceView"] for item in shown.body["value"]]
        return [view["statuses"][-1]["code"].removeprefix("PowerState/") for view in views]

    done(three, post(three, action, {"instanceIds": ["1"]}))
    assert powers() == ["running", power, "running"]
    done(three, post(three, action))
    assert powers() == [power] * 3
    done(three, post(three, "virtualMachines/0/start"))
    assert powers() == ["running", power, power]


def test_a_new_model_comes_with_manual_upgrade(three: Site) -> None:
    change = {"properties": {"virtualMachineProfile": {"licenseType": "None"}}}
    done(three, three.cloud.call("PATCH", path(three), change))

    def latest() -> list[bool]:
        shown = three.cloud.compute.virtual_machine_scale_set_vms.list(three.group, "set")
        return [bool(vm.latest_model_applied) for vm in shown]

    assert latest() == [False, False, False]
    done(three, post(three, "manualupgrade", {"instanceIds": ["0", "2"]}))
    assert latest() == [True, False, True]


def test_views_of_the_set_and_of_a_machine(three: Site) -> None:
    view = three.get("virtualMachineScaleSets", "set", "instanceView").body
    summary = view["virtualMachine"]["statusesSummary"]
    assert summary == [{"code": "ProvisioningState/succeeded", "count": 3}]
    one = three.get("virtualMachineScaleSets", "set", "virtualMachines/2/instanceView").body
    assert one["computerName"] == "engine000002"
    assert one["statuses"][-1]["code"] == "PowerState/running"


def test_a_spot_machine_is_evicted(site: Site, keys: Keys) -> None:
    body = uniform_body(keys, site.network(), 2)
    body["properties"]["virtualMachineProfile"] |= {"priority": "Spot", "evictionPolicy": "Delete"}
    done(site, site.cloud.call("PUT", path(site), body))
    assert post(site, "virtualMachines/0/simulateEviction").status == 204
    deadline = time.monotonic() + 10
    while ids(site) != ["1"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert site.get("virtualMachineScaleSets", "set").body["sku"]["capacity"] == 1


def test_a_regular_machine_is_not_evicted(three: Site) -> None:
    answer = post(three, "virtualMachines/0/simulateEviction")
    assert (answer.status, answer.code) == (409, "OperationNotAllowed")


@pytest.mark.parametrize(
    ("change", "target"),
    [
        ({"upgradePolicy": None}, "upgradePolicy"),
        ({"singlePlacementGroup": True, "capacity": 101}, "sku.capacity"),
    ],
)
def test_what_is_refused(site: Site, keys: Keys, change: dict[str, Any], target: str) -> None:
    body = uniform_body(keys, site.network(), 1)
    body["sku"]["capacity"] = change.pop("capacity", 1)
    body["properties"] |= change
    answer = site.cloud.call("PUT", path(site), body)
    assert (answer.status, answer.code) == (400, "InvalidParameter")
    assert answer.body["error"]["target"] == target


def test_zones_are_taken_in_turn_and_must_exist(site: Site, keys: Keys) -> None:
    body = {**uniform_body(keys, site.network(), 3), "zones": ["1", "2"]}
    done(site, site.cloud.call("PUT", path(site), body))
    shown = site.get("virtualMachineScaleSets", "set", "virtualMachines").body["value"]
    assert [item["zones"] for item in shown] == [["1"], ["2"], ["1"]]
    answer = site.cloud.call("PUT", path(site, name="other"), {**body, "zones": ["4"]})
    assert (answer.status, answer.code) == (400, "InvalidAvailabilityZone")


def test_nothing_is_left_of_a_set(three: Site) -> None:
    three.deleted("virtualMachineScaleSets", "set")
    assert three.get("virtualMachineScaleSets", "set").status == 404
    subnet = three.get("virtualNetworks", "vnet").body["properties"]["subnets"][0]
    assert "ipConfigurations" not in subnet["properties"]
    assert three.get("disks").body["value"] == []


def test_extensions_of_the_model(three: Site) -> None:
    given = {
        "publisher": "Microsoft.Azure.Extensions",
        "type": "CustomScript",
        "typeHandlerVersion": "2.1",
        "protectedSettings": {"commandToExecute": "hush"},
    }
    answer = three.cloud.call("PUT", path(three, "extensions/script"), {"properties": given})
    assert answer.status == 201
    assert "hush" not in str(answer.body)
    done(three, answer)
    model = three.get("virtualMachineScaleSets", "set").body["properties"]["virtualMachineProfile"]
    assert [item["name"] for item in model["extensionProfile"]["extensions"]] == ["script"]
    assert "hush" not in str(model)
    done(three, three.cloud.call("DELETE", path(three, "extensions/script")))
    assert three.get("virtualMachineScaleSets", "set", "extensions").body["value"] == []


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    yield from running(tmp_path_factory.mktemp("uniform"), machines="process")


async def test_machines_of_a_uniform_set_are_machines(process: Cloud, keys: Keys) -> None:
    offer = process.call("GET", "/emulator/offer", version=None).body
    site = Site(process, "uniform", offer["address_prefix"])
    body = uniform_body(keys, site.network(), 2)
    profile = body["properties"]["virtualMachineProfile"]
    profile["osProfile"]["customData"] = keys.custom_data()
    done(site, process.call("PUT", path(site), body))
    nic = site.get("virtualMachineScaleSets", "set", "virtualMachines/1/networkInterfaces").body
    address = nic["value"][0]["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"]
    async with asyncssh.connect(
        address,
        offer["ssh_port"],
        username=USER,
        client_keys=[keys.login],
        known_hosts=keys.known_hosts,
        config=None,
        agent_path=None,
    ) as connection:
        assert (await connection.run("echo here", check=True)).stdout == "here\n"
    answer = post(
        site,
        "virtualMachines/1/runCommand",
        {"commandId": "RunShellScript", "script": ["echo $((6 * 7))"]},
    )
    state = process.wait_for(answer)
    assert "[stdout]\n42\n" in state["properties"]["output"]["value"][0]["message"]
    done(site, post(site, "virtualMachines/1/deallocate"))
    silent = asyncssh.connect(address, offer["ssh_port"], known_hosts=None, config=None)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(silent, timeout=2)
    process.wait_for_group("uniform")


def test_a_rolling_upgrade_is_seen_through(three: Site) -> None:
    assert three.cloud.call("GET", path(three, "rollingUpgrades/latest")).status == 404
    answer = post(three, "osRollingUpgrade")
    assert answer.status == 202
    done(three, answer)
    shown = three.cloud.call("GET", path(three, "rollingUpgrades/latest")).body
    assert shown["properties"]["policy"]["maxBatchInstancePercent"] == 20
    assert shown["properties"]["runningStatus"]["code"] == "Completed"
    assert shown["properties"]["progress"]["successfulInstanceCount"] == 3
    late = post(three, "rollingUpgrades/cancel")
    assert (late.status, late.code) == (409, "OperationNotAllowed")


def test_a_rolling_upgrade_is_cancelled(three: Site) -> None:
    latest = path(three, "rollingUpgrades/latest")

    def status() -> tuple[str, str]:
        shown = three.cloud.call("GET", latest).body["properties"]["runningStatus"]
        return shown["lastAction"], shown["code"]

    upgrade = "Microsoft.Compute/virtualMachineScaleSets/osRollingUpgrade/action"
    with faults(three.cloud.info, fault("never_ends", operation=upgrade)):
        assert post(three, "osRollingUpgrade").status == 202
        assert status() == ("Start", "RollingForward")
        done(three, post(three, "rollingUpgrades/cancel"))
        assert status() == ("Cancel", "Cancelled")


def test_a_deallocated_machine_does_not_know_its_disk(three: Site) -> None:
    def disk() -> dict[str, Any]:
        shown = three.cloud.call("GET", path(three, "virtualMachines/0")).body["properties"]
        return dict(shown["storageProfile"]["osDisk"])

    assert "diskSizeGB" in disk()
    done(three, post(three, "virtualMachines/0/deallocate"))
    assert "diskSizeGB" not in disk()
    assert "storageAccountType" not in disk()["managedDisk"]


def test_repairs_are_suspended(three: Site) -> None:
    wanted = {"serviceName": "AutomaticRepairs", "action": "Suspend"}
    answer = post(three, "setOrchestrationServiceState", wanted)
    assert answer.status == 202
    assert "x-ms-request-charge" in answer.headers
    done(three, answer)
    wrong = post(three, "setOrchestrationServiceState", {**wanted, "action": "Stop"})
    assert (wrong.status, wrong.code) == (400, "InvalidParameter")
    missing = post(three, "setOrchestrationServiceState", {"action": "Suspend"})
    assert missing.body["error"]["target"] == "serviceName"


def test_policies_are_completed(site: Site, keys: Keys) -> None:
    body = uniform_body(keys, site.network(), 1)
    policy = {"mode": "Manual", "rollingUpgradePolicy": {"maxUnhealthyInstancePercent": 100}}
    body["properties"]["upgradePolicy"] = policy
    shown = site.cloud.call("PUT", path(site), body).body["properties"]["upgradePolicy"]
    assert shown["rollingUpgradePolicy"] == {
        "maxBatchInstancePercent": 20,
        "maxUnhealthyInstancePercent": 100,
        "maxUnhealthyUpgradedInstancePercent": 20,
        "pauseTimeBetweenBatches": "PT0S",
    }

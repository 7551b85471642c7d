"""Flexible scale sets; nothing boots here."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from ..cloud import Answer, Cloud, Keys, Site, encoded, scale_set_body


def put(site: Site, name: str, body: dict[str, Any]) -> Answer:
    return site.cloud.call("PUT", site.provider("virtualMachineScaleSets", name), body)


def instances(site: Site, name: str) -> list[Any]:
    key = f"{site.id}/providers/Microsoft.Compute/virtualMachineScaleSets/{name}"
    chosen = f"'virtualMachineScaleSet/id' eq '{key}'"
    return list(site.cloud.compute.virtual_machines.list(site.group, filter=chosen))


@pytest.fixture
def four(site: Site, keys: Keys) -> str:
    """A finished scale set of four."""
    answer = put(site, "set", scale_set_body(keys, site.network(), 4))
    assert site.cloud.wait_for(answer)["status"] == "Succeeded"
    return "set"


def test_a_scale_set_is_creating_then_succeeded(site: Site, keys: Keys) -> None:
    body = scale_set_body(keys, site.network(), 2, customData=encoded("#cloud-config\n"))
    answer = put(site, "set", body)
    assert answer.status == 201
    assert answer.body["properties"]["provisioningState"] == "Creating"
    assert answer.body["sku"] == {"name": "Standard_D4s_v5", "tier": "Standard", "capacity": 2}
    assert "customData" not in str(answer.body)
    for header in ("azure-asyncoperation", "x-ms-request-charge", "retry-after"):
        assert header in answer.headers
    assert "location" not in answer.headers
    assert site.cloud.wait_for(answer)["status"] == "Succeeded"
    shown = site.get("virtualMachineScaleSets", "set").body["properties"]
    assert shown["provisioningState"] == "Succeeded"
    assert shown["orchestrationMode"] == "Flexible"


def test_instances_are_machines_like_any(site: Site, four: str) -> None:
    machines = instances(site, four)
    assert len(machines) == 4
    for vm in machines:
        assert re.fullmatch(r"set_[0-9a-f]{8}", vm.name)
        assert vm.virtual_machine_scale_set.id.endswith("/virtualMachineScaleSets/set")
        assert vm.provisioning_state == "Succeeded"
        assert vm.os_profile.computer_name.startswith("engine")
    nics = list(site.cloud.network.network_interfaces.list(site.group))
    assert {nic.virtual_machine.id for nic in nics} == {vm.id for vm in machines}
    assert all(re.fullmatch(r"engine-nic-[0-9a-f]{8}", nic.name) for nic in nics)
    assert len({nic.ip_configurations[0].private_ip_address for nic in nics}) == 4
    assert len({vm.vm_id for vm in machines}) == 4
    listed = site.get("virtualMachineScaleSets", four, "virtualMachines").body["value"]
    assert {item["instanceId"] for item in listed} == {vm.name for vm in machines}


def test_interfaces_have_the_tags_of_their_own_configuration(site: Site, keys: Keys) -> None:
    body = {**scale_set_body(keys, site.network(), 1), "tags": {"team": "set"}}
    network = body["properties"]["virtualMachineProfile"]["networkProfile"]
    (configuration,) = network["networkInterfaceConfigurations"]
    for tags in (None, {"team": "nic"}):
        if tags:
            configuration["tags"] = tags
        site.cloud.wait_for(put(site, "set", body))
        (vm,) = instances(site, "set")
        (nic,) = site.cloud.network.network_interfaces.list(site.group)
        assert vm.tags == {"team": "set"}
        assert nic.tags == tags
        path = site.provider("virtualMachineScaleSets", "set")
        for version, shown in (("2024-11-01", False), ("2025-04-01", bool(tags))):
            answer = site.cloud.call("GET", path, version=version).body["properties"]
            profile = answer["virtualMachineProfile"]["networkProfile"]
            assert ("tags" in profile["networkInterfaceConfigurations"][0]) == shown
        site.deleted("virtualMachineScaleSets", "set")


def test_named_instances_are_deleted(site: Site, four: str) -> None:
    names = [vm.name for vm in instances(site, four)]
    path = site.provider("virtualMachineScaleSets", four, "delete")
    unknown = site.cloud.call("POST", path, {"instanceIds": ["set_nope"]})
    assert (unknown.status, unknown.code) == (400, "InvalidParameter")
    answer = site.cloud.call("POST", path, {"instanceIds": names[:2]})
    assert answer.status == 202
    assert "location" in answer.headers
    site.cloud.wait_for(answer)
    assert [vm.name for vm in instances(site, four)] == names[2:]
    assert site.get("virtualMachineScaleSets", four).body["sku"]["capacity"] == 2
    assert len(site.names()) == 1 + 1 + 2 * 3  # network, set; machine, interface, disk


def test_capacity_grows_and_shrinks(site: Site, four: str) -> None:
    path = site.provider("virtualMachineScaleSets", four)
    before = [vm.name for vm in instances(site, four)]
    grown = site.cloud.call("PATCH", path, {"sku": {"capacity": 6}})
    assert (grown.status, grown.body["sku"]["capacity"]) == (200, 6)
    site.cloud.wait_for(grown)
    assert len(instances(site, four)) == 6
    shrunk = site.cloud.call("PATCH", path, {"sku": {"capacity": 3}})
    site.cloud.wait_for(shrunk)
    assert [vm.name for vm in instances(site, four)] == before[:3]


def test_a_scale_set_goes_with_its_machines(site: Site, four: str) -> None:
    answer = site.cloud.call(
        "DELETE", site.provider("virtualMachineScaleSets", four) + "?forceDeletion=true"
    )
    assert answer.status == 202
    site.cloud.wait_for(answer)
    assert site.names() == ["vnet"]
    assert site.cloud.call("GET", answer.headers["location"]).status == 200
    site.deleted("virtualNetworks", "vnet")


@pytest.mark.parametrize(
    ("path", "value", "target"),
    [
        ("properties.orchestrationMode", "Uniform", "upgradePolicy"),
        ("properties.orchestrationMode", None, "upgradePolicy"),
        ("properties.overprovision", True, "overprovision"),
        ("sku", None, "sku"),
        ("sku.capacity", 1001, "sku.capacity"),
        ("sku.capacity", -1, "sku.capacity"),
        ("sku.name", "Standard_Nope", "vmSize"),
        (
            "properties.virtualMachineProfile.networkProfile.networkApiVersion",
            *(None, "networkApiVersion"),
        ),
        ("properties.virtualMachineProfile.osProfile.adminUsername", None, "adminUsername"),
    ],
)
def test_invalid_parameters(site: Site, keys: Keys, path: str, value: Any, target: str) -> None:
    body = scale_set_body(keys, site.network(), 1)
    place: Any = body
    *parts, last = path.split(".")
    for part in parts:
        place = place[part]
    place[last] = value
    answer = put(site, "set", body)
    assert (answer.status, answer.code) == (400, "InvalidParameter"), answer
    assert answer.body["error"]["target"] == target
    assert site.names() == ["vnet"]


def test_a_subnet_too_small_is_refused_as_a_whole(site: Site, keys: Keys) -> None:
    network = site.prefix.rsplit("/", 1)[0] + "/28"
    small = Site(site.cloud, site.group, network)
    answer = put(site, "set", scale_set_body(keys, small.network(), 12))
    assert (answer.status, answer.code) == (400, "SubnetIsFull")
    assert site.names() == ["vnet"]


def test_a_thousand_machines_with_one_request(arm: Cloud, site: Site, keys: Keys) -> None:
    body = scale_set_body(keys, site.network(), 1000, "Standard_F4s_v2")
    times: dict[str, float] = {}

    def timed(label: str, method: str, path: str, body: Any = None) -> Answer:
        began = time.perf_counter()
        answer = arm.call(method, path, body)
        times[label] = time.perf_counter() - began
        return answer

    path = site.provider("virtualMachineScaleSets", "set")
    answer = timed("PUT", "PUT", path, body)
    assert answer.status == 201
    assert arm.wait_for(answer)["status"] == "Succeeded"
    machines = timed("machines", "GET", site.provider("virtualMachines"))
    nics = timed("interfaces", "GET", site.provider("networkInterfaces"))
    assert len(machines.body["value"]) == len(nics.body["value"]) == 1000
    timed("network", "GET", site.provider("virtualNetworks", "vnet"))
    timed("usages", "GET", "/providers/Microsoft.Compute/locations/eastus/usages")
    gone = timed("DELETE", "DELETE", path + "?forceDeletion=true")
    arm.wait_for(gone)
    print(times)
    assert max(times.values()) < 1.5, times  # half a second on a quiet machine

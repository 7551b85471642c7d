"""What api-versions of 2022 and later add, and bodies as az sends them."""

from __future__ import annotations

import pytest

from ..cloud import LOCATION, Answer, Cloud, Keys, Site, scale_set_body

SETS = "virtualMachineScaleSets"


@pytest.fixture
def scale_set(site: Site, keys: Keys) -> Site:
    site.cloud.wait_for(put(site, scale_set_body(keys, site.network(), 1)))
    return site


def put(site: Site, body: object) -> Answer:
    return site.cloud.call("PUT", site.provider(SETS, "set"), body)


def test_a_put_may_leave_out_what_exists(scale_set: Site) -> None:
    """As `az vmss scale` does; what does not exist needs its properties."""
    body = {"location": LOCATION, "sku": {"name": "Standard_D4s_v5", "capacity": 2}}
    before = scale_set.get(SETS, "set").body["properties"]["virtualMachineProfile"]
    scale_set.cloud.wait_for(put(scale_set, body))
    after = scale_set.get(SETS, "set").body
    assert (after["sku"]["capacity"], after["properties"]["virtualMachineProfile"]) == (2, before)
    new = scale_set.cloud.call("PUT", scale_set.provider(SETS, "other"), body)
    assert (new.status, new.code) == (400, "InvalidParameter")


def test_texts_count_as_booleans(site: Site, keys: Keys) -> None:
    """As the template of `az vmss create` has it."""
    body = scale_set_body(keys, site.network(), 0)
    network = body["properties"]["virtualMachineProfile"]["networkProfile"]
    network["networkInterfaceConfigurations"][0]["properties"]["primary"] = "True"
    made = put(site, body)
    assert made.status == 201, made
    shown = made.body["properties"]["virtualMachineProfile"]["networkProfile"]
    assert shown["networkInterfaceConfigurations"][0]["properties"]["primary"] is True
    network["networkInterfaceConfigurations"][0]["properties"]["primary"] = "yes"
    assert put(site, body).status == 400


def test_times_and_waits_of_scale_sets(scale_set: Site, arm: Cloud) -> None:
    path = scale_set.provider(SETS, "set")
    assert "timeCreated" in arm.call("GET", path, version="2024-07-01").body["properties"]
    assert "timeCreated" not in arm.call("GET", path, version="2021-07-01").body["properties"]
    assert "retry-after" in arm.call("DELETE", path, version="2024-07-01").headers


@pytest.mark.parametrize(("version", "newer"), [("2024-03-02", True), ("2021-08-01", False)])
def test_first_answers_of_disks(site: Site, arm: Cloud, version: str, newer: bool) -> None:
    path = site.provider("disks", "disk")
    properties = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}
    made = arm.call("PUT", path, {"location": LOCATION, "properties": properties}, version=version)
    assert {"id", "type"} <= set(made.body) if newer else not {"id", "type"} & set(made.body)
    arm.wait_for(made)
    changed = arm.call("PATCH", path, {"tags": {"a": "b"}}, version=version)
    assert ("retry-after" in changed.headers) is newer


@pytest.mark.parametrize(("version", "newer"), [("2024-05-01", True), ("2021-05-01", False)])
def test_the_network(site: Site, arm: Cloud, version: str, newer: bool) -> None:
    site.nic("nic", site.network())
    site.public_ip("ip")
    nic = arm.call("GET", site.provider("networkInterfaces", "nic"), version=version).body
    assert (nic.get("kind") == "Regular") is newer
    assert ("disableTcpStateTracking" in nic["properties"]) is newer
    address = arm.call("GET", site.provider("publicIPAddresses", "ip"), version=version).body
    shown = address["properties"].get("ddosSettings")
    assert (shown == {"protectionMode": "VirtualNetworkInherited"}) is newer
    # what was read can be written back
    for kind, name, body in (
        ("networkInterfaces", "nic", nic),
        ("publicIPAddresses", "ip", address),
    ):
        again = arm.call("PUT", site.provider(kind, name), body, version=version)
        assert again.status == 200, again

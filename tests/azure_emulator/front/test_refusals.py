"""Every property of every kind of body, removed where required, mistyped and misspelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..cloud import LOCATION, Answer, Keys, Site, scale_set_body, ssh_rule, vm_body
from ..mutations import mutations
from ..surroundings import (
    BODIES,
    RECORDINGS_VARIABLE,
    Creation,
    placed,
    recorded_creations,
    recordings,
    surround,
)

FOLDER = recordings()
RECORDED = list(recorded_creations(FOLDER)) if FOLDER else []


def put(site: Site, creation: Creation, body: dict[str, Any]) -> Answer:
    return site.cloud.call("PUT", location_of(site, creation), body)


def location_of(site: Site, creation: Creation) -> str:
    return f"{site.id}{creation.path or '-new'}"


def refused(site: Site, creation: Creation, body: dict[str, Any]) -> list[str]:
    """Send the body with each thing wrong; what was not refused as ARM refuses."""
    faults = []
    count = 0
    for wrong in mutations(*BODIES[creation.type], body):
        count += 1
        answer = put(site, creation, wrong.body)
        error = answer.body.get("error", {}) if isinstance(answer.body, dict) else {}
        if not 400 <= answer.status < 500 or not (error.get("code") and error.get("message")):
            faults.append(f"{wrong.what}: {answer.status} {error}")
            site.cloud.call("DELETE", location_of(site, creation))
    assert count
    stored = site.cloud.call("GET", location_of(site, creation))
    if not faults and stored.status != 404:
        faults.append(f"something is stored: {stored}")
    return faults


def network(kind: str, name: str = "new", child: str = "") -> str:
    return f"/providers/Microsoft.Network/{kind}/{name}{child}"


def group(site: Site, keys: Keys) -> Creation:
    return Creation("", {"location": LOCATION, "tags": {"a": "b"}, "managedBy": "me"})


INNER = {"addressPrefix": "10.250.0.0/24", "defaultOutboundAccess": False}


def virtual_network(site: Site, keys: Keys) -> Creation:
    properties = {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/8"]},
        "dhcpOptions": {"dnsServers": ["10.0.0.4"]},
        "subnets": [{"name": "a", "properties": INNER}],
        "enableDdosProtection": False,
    }
    return Creation(
        network("virtualNetworks"), {"location": LOCATION, "properties": properties, "tags": {}}
    )


def subnet(site: Site, keys: Keys) -> Creation:
    site.made("virtualNetworks", "v", {"addressSpace": {"addressPrefixes": ["10.0.0.0/8"]}})
    return Creation(network("virtualNetworks", "v", "/subnets/new"), {"properties": INNER})


def security_group(site: Site, keys: Keys) -> Creation:
    body = {"location": LOCATION, "properties": {"securityRules": [ssh_rule(22)]}}
    return Creation(network("networkSecurityGroups"), body)


def rule(site: Site, keys: Keys) -> Creation:
    site.made("networkSecurityGroups", "n")
    path = network("networkSecurityGroups", "n", "/securityRules/new")
    return Creation(path, {"properties": ssh_rule(22)["properties"]})


def public_ip(site: Site, keys: Keys) -> Creation:
    properties = {
        "publicIPAllocationMethod": "Static",
        "publicIPAddressVersion": "IPv4",
        "idleTimeoutInMinutes": 4,
        "dnsSettings": {"domainNameLabel": "label"},
    }
    sku = {"name": "Standard", "tier": "Regional"}
    body = {"location": LOCATION, "sku": sku, "zones": ["1"], "properties": properties}
    return Creation(network("publicIPAddresses"), body)


def interface(site: Site, keys: Keys) -> Creation:
    inner = {
        "subnet": {"id": site.network()},
        "publicIPAddress": {"id": site.public_ip("address")["id"]},
        "primary": True,
        "privateIPAllocationMethod": "Dynamic",
    }
    properties = {
        "ipConfigurations": [{"name": "ip", "properties": inner}],
        "enableAcceleratedNetworking": False,
        "dnsSettings": {"dnsServers": []},
    }
    return Creation(network("networkInterfaces"), {"location": LOCATION, "properties": properties})


def machine(site: Site, keys: Keys) -> Creation:
    body = vm_body(keys, site.nic("used", site.network())["id"], customData="eA==")
    disk = body["properties"]["storageProfile"]["osDisk"]
    disk |= {"caching": "ReadWrite", "deleteOption": "Delete", "diskSizeGB": 64}
    disk["managedDisk"] = {"storageAccountType": "Premium_LRS"}
    spot = {"priority": "Spot", "evictionPolicy": "Delete", "billingProfile": {"maxPrice": -1}}
    body["properties"] |= spot
    return Creation("/providers/Microsoft.Compute/virtualMachines/new", body | {"tags": {"a": ""}})


def scale_set(site: Site, keys: Keys) -> Creation:
    body = scale_set_body(keys, site.network(), 1)
    return Creation("/providers/Microsoft.Compute/virtualMachineScaleSets/new", body)


OWN = [
    *(group, virtual_network, subnet, security_group, rule, public_ip, interface),
    *(machine, scale_set),
]


@pytest.mark.parametrize("make", OWN, ids=lambda make: make.__name__)
def test_own_bodies(site: Site, keys: Keys, make: Callable[[Site, Keys], Creation]) -> None:
    creation = make(site, keys)
    assert refused(site, creation, creation.body) == []
    answer = put(site, creation, creation.body)
    assert answer.status == 201, answer


@pytest.mark.skipif(not RECORDED, reason=f"no recordings at hand: {RECORDINGS_VARIABLE} is unset")
@pytest.mark.parametrize("number", range(len(RECORDED)), ids=lambda n: RECORDED[n][0])
def test_recorded_bodies(site: Site, number: int) -> None:
    _, creation = RECORDED[number]
    body = placed(site, creation.body)
    surround(site, body, body.get("location", LOCATION))
    assert refused(site, creation, body) == []
    answer = put(site, creation, body)
    if answer.status != 201:
        pytest.skip(f"the emulator refuses the whole body too: {answer.code}")

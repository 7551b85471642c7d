"""Declared policies: what is denied, and what the refusal says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from azure_emulator import client
from azure_emulator.rules import policy_conditions
from azure_emulator.testing import policy, restricted

from ..cloud import LOCATION, Cloud, Keys, Site, scale_set_body, vm_body

UNTAGGED = {"field": "tags['costCenter']", "exists": False}
TAGS = {"COSTCENTER": "42"}  # names of tags have no case
IP: Any = {"location": LOCATION, "sku": {"name": "Standard"}}


def test_the_refusal_is_azures(arm: Cloud, site: Site) -> None:
    title = "Every resource has a cost centre"
    with (
        policy(arm.info, "require-costCenter", UNTAGGED, display_name=title),
        pytest.raises(HttpResponseError) as caught,
    ):
        arm.network.public_ip_addresses.begin_create_or_update(site.group, "ip", IP)
    assert caught.value.status_code == 403
    error = caught.value.error
    assert (error.code, error.target) == ("RequestDisallowedByPolicy", "ip")
    base = f"{arm.subscription}/providers/Microsoft.Authorization"
    begin = "Resource 'ip' was disallowed by policy. Policy identifiers: '"
    assert error.message.startswith(begin)
    assert json.loads(error.message[len(begin) : -2]) == [
        {
            "policyAssignment": {
                "name": title,
                "id": f"{base}/policyAssignments/require-costCenter",
            },
            "policyDefinition": {
                "name": title,
                "id": f"{base}/policyDefinitions/require-costCenter",
            },
        }
    ]
    (more,) = error.additional_info
    assert more.type == "PolicyViolation"
    assert more.info["policyDefinitionEffect"] == "deny"
    (expression,) = more.info["evaluationDetails"]["evaluatedExpressions"]
    assert expression["operator"] == "Exists"
    assert expression["expression"] == "tags['costCenter']"
    assert site.get("publicIPAddresses", "ip").status == 404


def test_what_keeps_to_it_passes(arm: Cloud, site: Site) -> None:
    with policy(arm.info, "tag", UNTAGGED):
        assert site.put("publicIPAddresses", "ip", tags=TAGS).status == 201
        path = site.provider("publicIPAddresses", "ip")
        # A PATCH is judged by what comes of it.
        assert arm.call("PATCH", path, {}).status == 200
        assert arm.call("PATCH", path, {"tags": {"other": "1"}}).code == "RequestDisallowedByPolicy"
        assert arm.call("PATCH", path, {"tags": TAGS}).status == 200
        assert site.get("publicIPAddresses", "ip").status == 200
        assert site.delete("publicIPAddresses", "ip").status == 202
    assert site.put("networkSecurityGroups", "nsg").status == 201


def test_groups_and_children_belong_to_mode_all(arm: Cloud, site: Site) -> None:
    subnet = site.network()
    body = {"properties": {"addressPrefix": site.prefix}}
    child = site.provider("virtualNetworks", "vnet", "subnets/main")
    with policy(arm.info, "tag", UNTAGGED, mode="All"):
        assert arm.call("PUT", site.path, {"location": LOCATION}).status == 403
        assert arm.call("PUT", child, body).status == 403
    with policy(arm.info, "tag", UNTAGGED, mode="Indexed"):
        assert arm.call("PUT", site.path, {"location": LOCATION}).status == 200
        assert arm.call("PUT", child, body).body["id"] == subnet
        assert site.put("publicIPAddresses", "ip").status == 403


def test_sizes_and_regions(arm: Cloud, site: Site, keys: Keys) -> None:
    subnet = site.network()
    nic = site.nic("nic", subnet)["id"]
    vm, scale_set = "Microsoft.Compute/virtualMachines", "Microsoft.Compute/virtualMachineScaleSets"
    sizes = ["Standard_D2s_v5", "standard_d4s_V5"]
    condition = {
        "anyOf": [
            {"allOf": [{"field": "type", "equals": kind},
                       {"field": f"{kind}/sku.name", "notIn": sizes}]}
            for kind in (vm, scale_set)
        ]
    }  # fmt: skip
    big_set = scale_set_body(keys, subnet, 1, size="Standard_D16s_v5")
    with policy(arm.info, "sizes", condition):
        put = site.provider("virtualMachines", "vm")
        assert arm.call("PUT", put, vm_body(keys, nic, size="Standard_D8s_v5")).status == 403
        assert arm.call("PUT", put, vm_body(keys, nic)).status == 201
        bigger = {"properties": {"hardwareProfile": {"vmSize": "Standard_D8s_v5"}}}
        assert arm.call("PATCH", put, bigger).code == "RequestDisallowedByPolicy"
        put = site.provider("virtualMachineScaleSets", "set")
        assert arm.call("PUT", put, big_set).status == 403
        assert arm.call("PUT", put, scale_set_body(keys, subnet, 1)).status == 201
        assert site.put("publicIPAddresses", "ip").status == 201
    regions = {"not": {"field": "location", "in": ["westeurope", "West US"]}}
    with policy(arm.info, "regions", {"not": {"field": "location", "equals": "eastus"}}):
        assert site.put("networkSecurityGroups", "nsg", location="West Europe").status == 403
        assert site.put("networkSecurityGroups", "nsg", location="East US").status == 201
    with policy(arm.info, "regions", regions):
        assert site.put("networkSecurityGroups", "nsg").status == 403


def test_interfaces_without_public_addresses(arm: Cloud, site: Site) -> None:
    subnet = site.network()
    public = site.public_ip("ip")["id"]
    field = "Microsoft.Network/networkInterfaces/ipconfigurations[*].publicIpAddress.id"
    kind = {"field": "type", "equals": "Microsoft.Network/networkInterfaces"}
    condition = {"allOf": [kind, {"not": {"field": field, "notLike": "*"}}]}
    properties: Any = {"subnet": {"id": subnet}}
    body: Any = {"ipConfigurations": [{"name": "primary", "properties": properties}]}
    with policy(arm.info, "no-public-ip", condition):
        assert site.put("networkInterfaces", "private", body).status == 201
        properties["publicIPAddress"] = {"id": public}
        refused = site.put("networkInterfaces", "public", body)
    assert refused.code == "RequestDisallowedByPolicy"
    assert site.put("networkInterfaces", "public", body).status == 201


def test_several_policies_are_named_together_and_permissions_come_first(
    arm: Cloud, site: Site
) -> None:
    other = {"field": "name", "like": "i*"}
    with policy(arm.info, "one", UNTAGGED), policy(arm.info, "two words", other):
        assert len(arm.call("GET", "/emulator/policies", version=None).body["policies"]) == 2
        refused = site.put("publicIPAddresses", "ip").body["error"]
        assert len(refused["additionalInfo"]) == 2
        with restricted(arm.info, ["*/read"]):
            assert site.put("publicIPAddresses", "ip").code == "AuthorizationFailed"
    assert arm.call("GET", "/emulator/policies", version=None).body == {"policies": []}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"field": "tags.env", "equals": "PROD"}, True),
        ({"field": "tags['env']", "notEquals": "prod"}, False),
        ({"field": "tags[env]", "like": "pr*"}, True),
        ({"field": "tags.owner", "notEquals": "me"}, True),
        ({"field": "tags.owner", "equals": ""}, False),
        ({"field": "tags.owner", "exists": "false"}, True),
        ({"field": "tags.env", "contains": "RO"}, True),
        ({"field": "tags.env", "notContains": "ro"}, False),
        ({"field": "name", "notLike": "vm-*"}, False),
        ({"field": "type", "in": ["A/b", "microsoft.test/things"]}, True),
        ({"field": "Microsoft.Test/things/size", "equals": 3}, True),
        ({"field": "Microsoft.Test/things/on", "equals": "true"}, True),
        ({"field": "Microsoft.Test/things/items[*].n", "in": [1, 2]}, True),
        ({"field": "Microsoft.Test/things/items[*].n", "equals": 1}, False),
        ({"field": "Microsoft.Test/things/zones", "contains": "1"}, True),
        ({"field": "Microsoft.Other/things/size", "exists": True}, False),
        ({"not": {"anyOf": []}}, True),
        ({"allOf": []}, True),
    ],
)
def test_conditions(condition: dict[str, Any], *, holds: bool) -> None:
    resource = {
        "type": "Microsoft.Test/things",
        "name": "vm-1",
        "tags": {"Env": "prod"},
        "zones": ["1"],
        "properties": {"size": 3, "on": True, "items": [{"n": 1}, {"n": 2}]},
    }
    policy_conditions.check(condition)
    assert policy_conditions.judge(condition, resource, []) is holds


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {},
        {"field": "type"},
        {"field": 1, "equals": 2},
        {"field": "type", "equals": "a", "in": []},
        {"field": "type", "in": "a"},
        {"field": "type", "like": 3},
        {"field": "type", "exists": "perhaps"},
        {"field": "type", "match": "##"},
        {"value": "[field('type')]", "equals": 1},
        {"allOf": {"field": "type", "equals": "a"}},
        {"not": [{"field": "type", "equals": "a"}]},
        {"allOf": [], "anyOf": []},
        {"anyOf": [3]},
    ],
)
def test_a_condition_that_is_not_understood_is_refused(arm: Cloud, wrong: Any) -> None:
    body = {"name": "wrong", "if": wrong}
    answer = arm.call("POST", "/emulator/policies", body, version=None)
    assert (answer.status, answer.code) == (400, "InvalidParameter")


def test_wrong_declarations(arm: Cloud) -> None:
    for more in ({"effect": "audit"}, {"mode": "Some"}, {"name": 3}, {"then": {}}):
        body = {"name": "x", "if": UNTAGGED, **more}
        assert arm.call("POST", "/emulator/policies", body, version=None).status == 400
    with pytest.raises(client.EmulatorError, match="404"):
        client.withdraw_policy(arm.info, "nobody's")


def test_bodies_of_any_kind_are_judged_without_harm(arm: Cloud, site: Site) -> None:
    condition = {"field": "Microsoft.Network/publicIPAddresses/a[*].b", "equals": 1}
    tagged = {"field": "tags.x", "equals": "1"}
    path = site.provider("publicIPAddresses", "ip")
    with policy(arm.info, "a", condition), policy(arm.info, "b", tagged):
        for body in (5, [], {"properties": 3}, {"tags": 7}, {"location": {}, "tags": ["x"]}):
            for method in ("PUT", "PATCH"):
                assert 400 <= arm.call(method, path, body).status < 500

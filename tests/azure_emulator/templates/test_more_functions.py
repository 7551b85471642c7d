"""Template functions on dates, networks, zones, providers, and those that take lambdas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from azure_emulator.base.errors import ArmError
from azure_emulator.resources.providers import resource_types
from azure_emulator.templates.expressions import ExpressionError
from azure_emulator.templates.plan import Plan

from ..template_samples import template
from .test_expressions import AROUND, SUBSCRIPTION

SITE = replace(AROUND, resource_types=resource_types, deployer_id="me")
DOGS = (
    "createArray(createObject('name','Evie','age',5),createObject('name','Casper','age',3),"
    "createObject('name','Indy','age',2))"
)
ITEM = "lambdaVariables('d')"


def value(expression: str) -> Any:
    return Plan(template(), None, SITE).evaluator.value(expression)


# Where a row has Microsoft's own numbers, they are those of its documentation of the function.
VALUES = [
    ("[dateTimeAdd('2020-04-07 14:53:14Z', 'P3Y')]", "2023-04-07T14:53:14.0000000Z"),
    ("[dateTimeAdd('2020-04-07 14:53:14Z', '-P9D')]", "2020-03-29T14:53:14.0000000Z"),
    ("[dateTimeAdd('2020-04-07 14:53:14Z', 'PT1H')]", "2020-04-07T15:53:14.0000000Z"),
    ("[dateTimeAdd('20260203T040506Z', 'PT90M', 'yyyy-MM-dd HH:mm')]", "2026-02-03 05:35"),
    ("[dateTimeAdd('2026-01-31T00:00:00+02:00', 'P1M1DT0.5S')]", "2026-03-02T22:00:00.5000000Z"),
    ("[dateTimeAdd('2026-02-03T04:05:06.7891234Z', 'P1W', 'o')]", "2026-02-10T04:05:06.7891230Z"),
    ("[dateTimeToEpoch('2026-01-01T00:00:00Z')]", 1767225600),
    ("[dateTimeFromEpoch(1767225600)]", "2026-01-01T00:00:00Z"),
    ("[dateTimeFromEpoch(-1)]", "1969-12-31T23:59:59Z"),
    ("[cidrSubnet('10.144.0.0/20', 24, 0)]", "10.144.0.0/24"),
    ("[cidrSubnet('10.144.0.0/20', 24, 15)]", "10.144.15.0/24"),
    ("[cidrSubnet('fd00::/48', 64, 3)]", "fd00:0:0:3::/64"),
    ("[cidrHost('10.144.3.0/24', 0)]", "10.144.3.1"),
    ("[cidrHost('10.144.3.0/24', 253)]", "10.144.3.254"),
    ("[parseCidr('10.144.0.0/20').firstUsable]", "10.144.0.1"),
    ("[parseCidr('10.144.0.0/20').lastUsable]", "10.144.15.254"),
    ("[parseCidr('10.144.0.0/20').broadcast]", "10.144.15.255"),
    ("[parseCidr('10.144.0.0/20').netmask]", "255.255.240.0"),
    ("[parseCidr('10.144.0.0/20').cidr]", 20),
    ("[pickZones('Microsoft.Compute', 'virtualMachines', 'eastus')]", ["1"]),
    ("[pickZones('Microsoft.Compute', 'virtualMachines', 'East US', 2, 1)]", ["2", "3"]),
    ("[pickZones('Microsoft.Network', 'virtualNetworks', 'eastus', 2)]", []),
    (f"[toPhysicalZone('{SUBSCRIPTION}', 'eastus', '2')]", "eastus-az2"),
    (f"[toLogicalZones('{SUBSCRIPTION}', 'eastus', createArray('eastus-az3'))]", ["3"]),
    ("[providers('Microsoft.Compute', 'virtualMachines').resourceType]", "virtualMachines"),
    ("[contains(providers('microsoft.network').resourceTypes[0].locations, 'East US')]", True),
    ("[deployer().objectId]", "me"),
    (
        "[managementGroupResourceId('mg', 'Microsoft.Authorization/policyDefinitions', 'p')]",
        "/providers/Microsoft.Management/managementGroups/mg/providers/"
        "Microsoft.Authorization/policyDefinitions/p",
    ),
    ("[dataUri('Hello')]", "data:text/plain;charset=utf8;base64,SGVsbG8="),
    ("[dataUriToString('data:text/plain;charset=utf8;base64,SGVsbG8=')]", "Hello"),
    ("[dataUriToString('data:,Hello%20you')]", "Hello you"),
    ("[float('3.5')]", 3.5),
    ("[indexFromEnd(createArray('a', 'b', 'c'), 2)]", "b"),
    ("[tryIndexFromEnd(createArray('a'), 2)]", None),
    ("[objectKeys(createObject('b', 1, 'a', 2))]", ["a", "b"]),
    ("[flatten(createArray(createArray(1, 2), createArray(3)))]", [1, 2, 3]),
    (
        "[shallowMerge(createArray(createObject('a', createObject('x', 1)), "
        "createObject('a', createObject('y', 2))))]",
        {"a": {"y": 2}},
    ),
    (
        f"[map(filter({DOGS}, lambda('d', less(2, {ITEM}.age))), lambda('d', {ITEM}.name))]",
        ["Evie", "Casper"],
    ),
    (
        f"[map(sort({DOGS}, lambda('a', 'b', less(lambdaVariables('a').age, "
        "lambdaVariables('b').age))), lambda('d', lambdaVariables('d').name))]",
        ["Indy", "Casper", "Evie"],
    ),
    (
        f"[reduce(map({DOGS}, lambda('d', {ITEM}.age)), 0, lambda('s', 'n', "
        "add(lambdaVariables('s'), lambdaVariables('n'))))]",
        10,
    ),
    (
        f"[toObject({DOGS}, lambda('d', {ITEM}.name), lambda('d', {ITEM}.age))]",
        {"Evie": 5, "Casper": 3, "Indy": 2},
    ),
    (
        "[groupBy(createArray('a1', 'b1', 'a2'), lambda('d', first(lambdaVariables('d'))))]",
        {"a": ["a1", "a2"], "b": ["b1"]},
    ),
    ("[mapValues(createObject('a', 1), lambda('v', add(lambdaVariables('v'), 1)))]", {"a": 2}),
    (
        "[map(createArray('x', 'y'), lambda('v', 'i', concat(lambdaVariables('v'), "
        "lambdaVariables('i'))))]",
        ["x0", "y1"],
    ),
    # a lambda within a lambda sees the variables of both
    (
        "[map(createArray(1, 2), lambda('x', map(createArray(10), lambda('y', "
        "add(lambdaVariables('x'), lambdaVariables('y'))))))]",
        [[11], [12]],
    ),
]


@pytest.mark.parametrize(("expression", "expected"), VALUES, ids=[row[0] for row in VALUES])
def test_values(expression: str, expected: Any) -> None:
    found = value(expression)
    assert (found, type(found)) == (expected, type(expected))


REFUSALS = [
    ("[dateTimeAdd('soon', 'P1D')]", "is not a date and time"),
    ("[dateTimeAdd('2026-01-01', '1 day')]", "not valid ISO 8601"),
    ("[dateTimeAdd('2026-01-01', 'P')]", "not valid ISO 8601"),
    ("[dateTimeAdd('2026-01-01', 'P99999Y')]", "beyond the years"),
    ("[cidrSubnet('10.0.0.0/24', 20, 0)]", "new prefix length"),
    ("[cidrSubnet('10.0.0.0/24', 25, 2)]", "out of range"),
    ("[cidrHost('10.0.0.0/24', 254)]", "out of range"),
    ("[parseCidr('10.0.0.0/33')]", "not a network"),
    ("[pickZones('Microsoft.Compute', 'disks', 'eastus', 4)]", "3 zones"),
    ("[providers('Microsoft.Compute', 'virtualHorses')]", "virtualHorses"),
    ("[map(createArray(1), 'x')]", "needs a lambda"),
    ("[map(createArray(1), lambda('a', 'b', 'c', 1))]", "takes 1 or 2 variables, not 3"),
    ("[filter(createArray(1), lambda('a', 1))]", "must give a boolean"),
    ("[map('text', lambda('a', 1))]", "takes an Array"),
    ("[lambda('a', 1)]", "not expected at this location"),
    ("[lambdaVariables('a')]", "is not found"),
    ("[managementGroup()]", "not expected at this location"),
    ("[listKeys('x', '2020-01-01')]", "not expected at this location"),
]


@pytest.mark.parametrize(("expression", "words"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_refusals(expression: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        value(expression)


def test_a_provider_that_azure_does_not_have() -> None:
    with pytest.raises(ArmError, match=r"Microsoft\.Nothing"):
        value("[providers('Microsoft.Nothing')]")


def test_a_subscriptions_deployment_has_no_group() -> None:
    around = replace(SITE, group={})
    with pytest.raises(ExpressionError, match="RESOURCEGROUP"):
        Plan(template(), None, around).evaluator.value("[resourceGroup().location]")

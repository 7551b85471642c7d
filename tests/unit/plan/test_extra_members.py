"""What users add to request bodies: merged, in Azure's shape, and never a template's expression."""

from dataclasses import replace
from typing import Any

import pytest

from azure_emulator.base.schema import Problem, normalise
from ipcluster_azure.plan import resource_types
from ipcluster_azure.plan.arm_template import controller_template, engine_set_template
from ipcluster_azure.plan.extra_members import merged
from ipcluster_azure.plan.requests import requests

from ..plans import CLUSTER, ENGINES
from .test_arm_template import KINDS, PARAMETERS

NIC = {"properties": {"enableAcceleratedNetworking": True, "dnsSettings": {"dnsServers": ["10.9"]}}}
DISK = {"storageProfile": {"osDisk": {"managedDisk": {"storageAccountType": "Premium_LRS"}}}}
VM = {"properties": {"licenseType": "RHEL_BYOS", **DISK}}
SCALE_SET = {"properties": {"platformFaultDomainCount": 2, "virtualMachineProfile": DISK}}


def bodies(**changes: Any) -> dict[str, Any]:
    """The requests' bodies by type, with the members that are added."""
    cluster = replace(CLUSTER, extra_vm=VM, extra_nic=NIC)
    engines = replace(ENGINES, extra_scale_set=SCALE_SET, extra_nic=NIC, identity="/i")
    templates = (
        controller_template(replace(cluster, **changes)),
        engine_set_template(cluster, engines),
    )
    planned = [item for one in templates for item in requests(one, PARAMETERS, cluster)]
    return {item.type: item.body for item in planned}


@pytest.mark.parametrize(
    ("body", "extra", "expected"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3, "d": 4}}, {"a": {"b": 1, "c": 3, "d": 4}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"sku": {"Name": 1}}, {"SKU": {"name": 2}}, {"sku": {"Name": 2}}),
        ({}, {"a": {"b": ("[x]", "x")}}, {"a": {"b": ["[[x]", "x"]}}),
        ({"a": 1}, {}, {"a": 1}),
    ],
)
def test_dictionaries_are_merged_and_all_else_is_replaced(
    body: Any, extra: Any, expected: Any
) -> None:
    before = repr(body)
    assert merged(body, extra) == expected
    assert repr(body) == before


def test_bodies_with_more_members_have_azures_shape() -> None:
    found = bodies()
    assert found[resource_types.VIRTUAL_MACHINE]["properties"]["licenseType"] == "RHEL_BYOS"
    for kind, body in found.items():
        assert normalise(*KINDS[kind], body) == body


def test_what_is_not_added_stays() -> None:
    disk = bodies()[resource_types.VIRTUAL_MACHINE]["properties"]["storageProfile"]["osDisk"]
    assert disk["managedDisk"] == {"storageAccountType": "Premium_LRS"}
    assert (disk["createOption"], disk["deleteOption"]) == ("FromImage", "Delete")


def test_a_member_that_azure_does_not_know_is_not_passed_over() -> None:
    body = bodies(extra_vm={"properties": {"licence": "x"}})[resource_types.VIRTUAL_MACHINE]
    with pytest.raises(Problem, match="licence"):
        normalise(*KINDS[resource_types.VIRTUAL_MACHINE], body)


def test_a_text_in_brackets_is_no_expression() -> None:
    found = bodies(extra_vm={"properties": {"userData": "[parameters('customData')]"}})
    properties = found[resource_types.VIRTUAL_MACHINE]["properties"]
    assert properties["userData"] == "[parameters('customData')]"

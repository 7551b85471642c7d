"""Golden files: whole templates, compared whole. `UPDATE_GOLDEN=1 make test` writes them anew."""

import base64
import json
import os
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from azure_emulator.base.schema import normalise
from ipcluster_azure.plan import resource_types
from ipcluster_azure.plan.arm_template import cloud_config, controller_template, engine_set_template
from ipcluster_azure.plan.requests import ResourceRequest, requests

from ..plans import CLUSTER, ENGINES, MACHINE, SUBNET_ID

GOLDEN = Path(__file__).parents[2] / "golden"
GALLERY_IMAGE = (
    "/subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/images/providers"
    "/Microsoft.Compute/galleries/lab/images/python"
)
SPOT = replace(MACHINE, priority="Spot", os_disk_gb=128, image=GALLERY_IMAGE)
IN_OFFICE = replace(
    CLUSTER, subnet_id=SUBNET_ID, public_ip=False, owns_resource_group=False, resource_group="team"
)
TEMPLATES = {
    "controller": controller_template(CLUSTER),
    "controller-existing-subnet": controller_template(IN_OFFICE),
    "engines": engine_set_template(CLUSTER, ENGINES),
    "engines-spot": engine_set_template(IN_OFFICE, replace(ENGINES, machine=SPOT)),
}
PARAMETERS = {"sshPublicKey": "ssh-rsa AAAA", "customData": "I2Nsb3Vk"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_is_as_it_was(name: str) -> None:
    path = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(json.dumps(TEMPLATES[name], indent=2) + "\n")
    assert TEMPLATES[name] == json.loads(path.read_text())


def _requests(name: str) -> list[ResourceRequest]:
    return requests(TEMPLATES[name], PARAMETERS, replace(CLUSTER, resource_group="team"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_requests_hold_no_expressions_and_depend_on_what_comes_before(name: str) -> None:
    seen: set[str] = set()
    for request in _requests(name):
        assert "[" not in "".join(_strings(request.body))
        assert set(request.depends_on) <= seen
        assert request.id.startswith(
            f"/subscriptions/{CLUSTER.subscription_id}/resourceGroups/team/"
        )
        seen.add(request.id)


def _strings(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [text for item in node.values() for text in _strings(item)]
    if isinstance(node, list):
        return [text for item in node for text in _strings(item)]
    return [node] if isinstance(node, str) else []


def test_every_resource_carries_all_tags() -> None:
    for name in TEMPLATES:
        for request in _requests(name):
            assert request.body["tags"] == CLUSTER.tags


def test_only_ssh_from_the_sources_reaches_the_controller_and_nothing_the_engines() -> None:
    (group,) = [item for item in _requests("controller") if item.type == resource_types.NSG]
    (rule,) = group.body["properties"]["securityRules"]
    assert rule["properties"]["sourceAddressPrefixes"] == ["203.0.113.7/32"]
    assert rule["properties"]["destinationPortRange"] == "22"
    (engines,) = _requests("engines")
    assert "publicIPAddress" not in json.dumps(engines.body)


def test_no_secret_is_in_a_template() -> None:
    text = json.dumps(TEMPLATES)
    assert PARAMETERS["sshPublicKey"] not in text
    for name in TEMPLATES:
        assert TEMPLATES[name]["parameters"]["customData"]["type"] == "securestring"


def test_without_public_ip_there_is_none() -> None:
    assert resource_types.PUBLIC_IP not in {
        item.type for item in _requests("controller-existing-subnet")
    }


def test_seven_writes_whatever_the_number_of_engines() -> None:
    # the resource group is the one that is not in the templates
    assert 1 + len(_requests("controller")) + len(_requests("engines")) == 7


def test_cloud_config_carries_the_host_key() -> None:
    text = base64.b64decode(cloud_config("PRIVATE\nKEY", "ssh-ed25519 AAAA")).decode()
    first, rest = text.split("\n", 1)
    assert first == "#cloud-config"
    assert json.loads(rest) == {
        "ssh_deletekeys": True,  # the image's own
        "ssh_keys": {"ed25519_private": "PRIVATE\nKEY", "ed25519_public": "ssh-ed25519 AAAA"},
    }


def test_an_unknown_expression_is_refused() -> None:
    odd = {**TEMPLATES["engines"]}
    odd["resources"] = [{**odd["resources"][0], "location": "[resourceGroup().location]"}]
    with pytest.raises(ValueError, match="not an expression"):
        requests(odd, PARAMETERS, CLUSTER)


def test_only_what_azure_would_evaluate_is_escaped() -> None:
    tags = {"a": "[x]", "b": "[x", "c": "x]", "d": "x"}
    default = controller_template(replace(CLUSTER, tags=tags))["parameters"]["tags"]["defaultValue"]
    assert default.items() >= {**tags, "a": "[[x]"}.items()


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_is_deployed_by_hand_is_not_tagged_as_a_cluster(name: str) -> None:
    """It has no record and no end: nobody may take it for a cluster that runs, or is over."""
    template = TEMPLATES[name]
    assert template["parameters"]["tags"]["defaultValue"] == {
        "costCenter": "7",
        "ipcluster-azure-job-file": CLUSTER.names.base,
    }
    for resource in template["resources"]:
        assert resource["tags"] == "[parameters('tags')]"
    without = {**template, "parameters": {}}
    assert "ipcluster-azure-profile" not in json.dumps(without)


def test_a_literal_in_brackets_is_no_expression() -> None:
    odd = {**TEMPLATES["engines"]}
    odd["resources"] = [{**odd["resources"][0], "tags": {"a": "[[x]", "b": "[x", "c": "x]"}}]
    (request,) = requests(odd, PARAMETERS, CLUSTER)
    assert request.body["tags"] == {"a": "[x]", "b": "[x", "c": "x]"}


def test_an_id_of_a_template_has_as_many_names_as_types() -> None:
    odd = {**TEMPLATES["engines"]}
    for names in ("", ", 'a', 'b', 'c'"):
        text = f"[resourceId('{resource_types.SUBNET}'{names})]"
        odd["resources"] = [{**odd["resources"][0], "location": text}]
        with pytest.raises(ValueError, match=r"zip\(\)"):
            requests(odd, PARAMETERS, CLUSTER)


def test_a_request_is_what_its_resource_says() -> None:
    group, *_, machine = _requests("controller")
    (resource,) = [
        item
        for item in TEMPLATES["controller"]["resources"]
        if item["type"] == resource_types.VIRTUAL_MACHINE
    ]
    assert (machine.type, machine.name) == (resource["type"], resource["name"])
    assert machine.api_version == resource["apiVersion"]
    assert set(machine.body) == set(resource) - {"type", "name", "apiVersion", "dependsOn"}
    assert [item.split("/")[-2] for item in machine.depends_on] == ["networkInterfaces"]
    assert group.depends_on == ()
    assert machine.body["properties"]["osProfile"]["customData"] == PARAMETERS["customData"]
    with pytest.raises(FrozenInstanceError):
        machine.name = "other"  # type: ignore[misc]


def test_api_versions_by_provider_and_whatever_the_case() -> None:
    assert resource_types.api_version(resource_types.DISK.upper()) == resource_types.DISKS_API
    assert resource_types.api_version("microsoft.network/networkinterfaces") == (
        resource_types.NETWORK_API
    )
    assert resource_types.api_version(resource_types.ROLE_ASSIGNMENT) == (
        resource_types.AUTHORIZATION_API
    )
    assert resource_types.api_version(resource_types.SCALE_SET) == resource_types.COMPUTE_API
    assert resource_types.api_version(resource_types.NIC) == resource_types.NETWORK_API
    assert (
        len({resource_types.DISKS_API, resource_types.COMPUTE_API, resource_types.NETWORK_API}) == 3
    )


def test_a_long_name_is_cut_to_what_a_computer_can_be_called() -> None:
    engines = replace(ENGINES, scale_set="x" * 40 + "-" + "y" * 40)
    (scale_set,) = engine_set_template(CLUSTER, engines)["resources"]
    profile = scale_set["properties"]["virtualMachineProfile"]["osProfile"]
    assert profile["computerNamePrefix"] == "x" * 17 + "-" + "y" * 40  # 58, and six for a number


KINDS = {
    resource_types.NSG: ("network", "NetworkSecurityGroup"),
    resource_types.PUBLIC_IP: ("network", "PublicIPAddress"),
    resource_types.VIRTUAL_NETWORK: ("network", "VirtualNetwork"),
    resource_types.NIC: ("network", "NetworkInterface"),
    resource_types.VIRTUAL_MACHINE: ("compute", "VirtualMachine"),
    resource_types.SCALE_SET: ("compute", "VirtualMachineScaleSet"),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_bodies_have_azures_shape_and_spelling(name: str) -> None:
    for request in _requests(name):
        # brings what Azure would accept into Azure's own spelling: nothing is to be brought
        assert normalise(*KINDS[request.type], request.body) == request.body

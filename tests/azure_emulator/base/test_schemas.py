"""The types of request bodies: generated from the SDK, corrected by what Azure is known to do."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from azure_emulator.base import schema_corrections, schema_types
from azure_emulator.base.errors import ArmError
from azure_emulator.base.schema import check_compute, check_network, check_resources

GENERATOR = runpy.run_path(str(Path(__file__).parents[3] / "tools" / "generate_schemas.py"))
PROVIDERS = ("compute", "network", "resources")
RULE = {"protocol": "Tcp", "access": "Allow", "direction": "Inbound", "priority": 100}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_schemas_are_those_of_the_sdk(provider: str) -> None:
    text = (schema_types.DIRECTORY / f"{provider}.json").read_text()
    source = GENERATOR["SOURCES"][provider]
    made_from = json.loads(text)["from"]
    installed = f"{source.distribution} {version(source.distribution)}"
    if made_from != installed:
        pytest.skip(f"made from {made_from}, but {installed} is installed")
    assert GENERATOR["text"](source) == text, "make schemas"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_kind_that_a_schema_names_is_in_it(provider: str) -> None:
    content = json.loads((schema_types.DIRECTORY / f"{provider}.json").read_text())
    known = {"string", "integer", "number", "boolean", "any", "", *content["types"]}
    known |= set(content["enums"])
    for name, members in content["types"].items():
        for member, spec in members.items():
            kind = spec.rstrip("!~").replace("[]", "").replace("{}", "")
            assert kind in known, (name, member, spec)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_corrections_name_types_and_members_that_exist(provider: str) -> None:
    """A correction that a new SDK has made needless is to go."""
    types = json.loads((schema_types.DIRECTORY / f"{provider}.json").read_text())["types"]
    for name, required in schema_corrections.REQUIRED[provider].items():
        for member in required.split():
            assert not types[name][member].endswith("!"), (name, member)
    for name, older in schema_corrections.OLDER_MEMBERS[provider].items():
        now = {member.lower() for member in types[name]}
        assert not now & {member.lower() for member in older}, name
    everywhere = {member for members in types.values() for member in members}
    assert schema_corrections.REFERENCES[provider] <= everywhere


def test_the_emulator_needs_no_azure_package() -> None:
    program = """
import sys
from azure_emulator import cli
from azure_emulator.base import schema_types, schema
assert schema_types.load.cache_info().currsize == 0, "read before it is needed"
schema.check_network("TagsObject", {})
schema.check_compute("RunCommandInput", {"commandId": "RunShellScript"})
print([name for name in sys.modules if name.split(".")[0] in ("azure", "msrest")])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


# What is refused, and in whose words


def refusal(check: Any, *arguments: Any) -> ArmError:
    with pytest.raises(ArmError) as caught:
        check(*arguments)
    assert caught.value.status == 400
    return caught.value


def test_computes_words() -> None:
    vm: dict[str, Any] = {"location": "eastus", "properties": {}}
    disk = {"createOption": "FromImage", "caching": "Sometimes"}
    vm["properties"] = {"storageProfile": {"osDisk": disk}}
    error = refusal(check_compute, "VirtualMachine", vm)
    assert (error.code, error.target) == ("BadRequest", "properties.storageProfile.osDisk.caching")
    vm["properties"] = {"storageProfile": {"osDisk": {}}}
    error = refusal(check_compute, "VirtualMachine", vm)
    assert (error.code, error.target) == ("InvalidParameter", "createOption")
    assert error.message.endswith("is missing (null).")
    vm["properties"] = {"colour": "red"}
    error = refusal(check_compute, "VirtualMachine", vm)
    assert "Could not find member 'colour' on object of type 'VirtualMachinePr" in error.message


def test_networks_words() -> None:
    rule = {"properties": {**RULE, "priority": "100"}}
    error = refusal(check_network, "SecurityRule", rule)
    assert (error.code, error.message) == ("InvalidRequestFormat", "Cannot parse the request.")
    assert error.details is not None
    assert error.details[0]["code"] == "InvalidJson"
    assert "Error converting value '100' to type 'integer'." in error.details[0]["message"]
    nic = {
        "location": "x",
        "properties": {"ipConfigurations": [{"name": "a", "properties": {"subnet": {}}}]},
    }
    error = refusal(check_network, "NetworkInterface", nic)
    assert error.details is not None
    assert error.details[0]["code"] == "MissingJsonReferenceId"
    path = "properties.ipConfigurations[0].properties.subnet"
    assert error.details[0]["message"] == f"Value for reference id is missing. Path {path}."


def test_arms_words_for_what_is_outside_the_properties() -> None:
    for check, kind in (
        (check_compute, "VirtualMachine"),
        (check_network, "VirtualNetwork"),
        (check_resources, "ResourceGroup"),
    ):
        assert refusal(check, kind, {"properties": {}}).code == "LocationRequired"
        for odd in ({"location": 1}, {"location": "x", "tags": []}, {"location": "x", "hue": 1}):
            error = refusal(check, kind, {**odd, "properties": {}})
            assert error.code == "InvalidRequestContent", (kind, odd)


# What is brought into Azure's spelling, ignored or let pass


def test_names_and_words_are_spelled_as_azure_spells_them() -> None:
    body = {"Location": "x", "PROPERTIES": {"PRIORITY": "spot", "vmID": None}}
    assert check_compute("VirtualMachine", body) == {
        "location": "x",
        "properties": {"priority": "Spot"},
    }


def test_vm_sizes_that_the_sdk_does_not_know() -> None:
    body = {"location": "x", "properties": {"hardwareProfile": {"vmSize": "Standard_Q9"}}}
    assert check_compute("VirtualMachine", body) == body


def test_members_of_older_api_versions() -> None:
    policy = {"mode": "Manual", "automaticOSUpgrade": False}
    body = {"location": "x", "properties": {"upgradePolicy": policy}}
    assert check_compute("VirtualMachineScaleSet", body) == body


def test_read_only_members_are_refused_at_a_creation_and_ignored_later() -> None:
    peering = {"etag": 'W/"1"', "properties": {"provisioningState": "Succeeded"}}
    assert check_network("VirtualNetworkPeering", peering, "replace") == {"properties": {}}
    error = refusal(check_network, "VirtualNetworkPeering", peering)
    assert error.details is not None
    assert "'provisioningState' is read-only" in error.details[0]["message"]
    machine = {"location": "x", "properties": {"vmId": "1"}}
    error = refusal(check_compute, "VirtualMachine", machine)
    assert (error.code, error.target) == ("InvalidParameter", "properties.vmId")
    assert check_compute("VirtualMachineUpdate", {"properties": {"vmId": "1"}}, "patch") == {
        "properties": {}
    }


def test_a_whole_resource_may_stand_for_its_id() -> None:
    address = {"id": "/x", "etag": "1", "properties": {"provisioningState": "Succeeded"}}
    inner = {"name": "a", "properties": {"publicIPAddress": address}}
    body = {"location": "x", "properties": {"ipConfigurations": [inner]}}
    checked = check_network("NetworkInterface", body)
    configuration = checked["properties"]["ipConfigurations"][0]["properties"]
    assert configuration == {"publicIPAddress": {"id": "/x", "properties": {}}}


def test_a_patch_may_leave_anything_out() -> None:
    disk = {"properties": {"storageProfile": {"osDisk": {"diskSizeGB": 64}}}}
    assert check_compute("VirtualMachineUpdate", disk, "patch") == disk


def test_null_removes_an_identity_but_is_no_tag() -> None:
    identities = {"identity": {"type": "None", "userAssignedIdentities": {"/a": None}}}
    assert check_compute("VirtualMachineUpdate", identities, "patch") == identities
    refusal(check_compute, "VirtualMachineUpdate", {"tags": {"a": None}}, "patch")

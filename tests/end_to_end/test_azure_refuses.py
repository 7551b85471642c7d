"""Azure says no: what can be got otherwise is, the rest is said, and nothing is left."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from azure_emulator import testing
from azure_emulator.http_client import ask
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.resource_manager.api import AzureApi

from ..complete import variant
from .conftest import Profile

VM, SCALE_SET = "Microsoft.Compute/virtualMachines", "Microsoft.Compute/virtualMachineScaleSets"
FULL: dict[str, Any] = {"status": 409, "code": "SkuNotAvailable", "message": "No D4s."}
LATER: dict[str, Any] = {"code": "AllocationFailed", "message": "No D4s."}
TWO_SIZES = 'c.AzureVMLauncher.vm_size = ["Standard_D4s_v5", "Standard_D4ds_v5"]\n'


def _add(profile: Profile, text: str) -> None:
    path = profile.folder / "ipcluster_config.py"
    profile.configure(path.read_text(encoding="utf-8") + text)


def _writes(profile: Profile) -> list[str]:
    """What this emulator was asked to create so far."""
    log = Path(profile.emulator.state_dir, "emulator.log").read_text(encoding="utf-8")
    return re.findall(r" PUT (/subscriptions\S+)", log)


def _sizes(profile: Profile) -> dict[str, str]:
    """What the job files of both sides say."""
    found = {}
    for path in profile.folder.glob("azure_*-.json"):
        for resource in json.loads(path.read_text())["resources"]:
            if resource["type"] == VM:
                found["controller"] = resource["properties"]["hardwareProfile"]["vmSize"]
            elif resource["type"] == SCALE_SET:
                found["engines"] = resource["sku"]["name"]
    return found


def test_a_quota_is_checked_before_the_first_write(profile: Profile) -> None:
    before = len(_writes(profile))
    with testing.quota(profile.emulator, "standardDSv5Family", 11):
        output = profile.ipcluster("start", "-n", "5", "--daemonize", expect=1)
    # two machines of 4 vCPUs for 5 engines, and the controller's
    assert "'Standard DSv5 Family vCPUs' (standardDSv5Family) in eastus is too small" in output
    assert "need 12 vCPUs, and 0 of 11 are in use" in output
    assert len(_writes(profile)) == before
    with testing.quota(profile.emulator, "standardDSv5Family", 12):
        profile.ipcluster("start", "-n", "5", "--daemonize")
        output = profile.ipcluster("engines", "-n", "1", "--daemonize", expect=1)
        assert "need 4 vCPUs, and 12 of 12 are in use" in output
    profile.ipcluster("stop")
    profile.assert_nothing_left()


FALLBACKS = {
    "controller, at once": testing.fault("refuse", operation=f"{VM}/write", **FULL),
    "controller, later": testing.fault("fail", operation=f"{VM}/write", **LATER),
    "engines, at once": testing.fault("refuse", operation=f"{SCALE_SET}/write", **FULL),
    "engines, later": testing.fault("fail", operation=f"{SCALE_SET}/write", **LATER),
}


@pytest.mark.parametrize(
    "case",
    [
        "controller, at once",
        pytest.param("controller, later", marks=variant),
        pytest.param("engines, at once", marks=variant),
        "engines, later",
    ],
)
def test_the_next_size_is_tried(profile: Profile, case: str) -> None:
    _add(profile, TWO_SIZES)
    with testing.faults(profile.emulator, FALLBACKS[case]) as met:
        output = profile.ipcluster("start", "-n", "2", "--daemonize")
    assert met.fired == [1]
    assert "No D4s." in output
    sizes = {"controller": "Standard_D4s_v5", "engines": "Standard_D4s_v5"}
    assert _sizes(profile) == {**sizes, case.split(",")[0]: "Standard_D4ds_v5"}
    assert (
        profile.python("import ipyparallel as p; print(len(p.Client(profile='azure').ids))") == "2"
    )
    profile.ipcluster("stop")
    profile.assert_nothing_left()


@variant  # of test_the_next_size_is_tried
def test_a_size_that_is_refused_at_once_follows_one_that_failed_later(profile: Profile) -> None:
    _add(profile, TWO_SIZES.replace("]", ', "Standard_D2s_v5"]'))
    later = testing.fault("fail", operation=f"{VM}/write", **LATER)
    at_once = testing.fault("refuse", operation=f"{VM}/write", skip=1, **FULL)
    with testing.faults(profile.emulator, later, at_once) as met:
        output = profile.ipcluster("start", "-n", "2", "--daemonize")
    assert met.fired == [1, 1]
    assert "Trying Standard_D2s_v5 for the controller" in output
    assert _sizes(profile)["controller"] == "Standard_D2s_v5"
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_the_next_zone_is_tried_and_then_it_is_said(profile: Profile) -> None:
    _add(profile, 'c.AzureVMLauncher.zones = ["1", "2"]\n')
    closed = {"sku": "Standard_D4s_v5", "zone": "1"}
    with testing.restricted_sizes(profile.emulator, closed):
        output = profile.ipcluster("start", "-n", "1", "--daemonize")
    assert "Requesting the controller, Standard_D4s_v5 in zone 2" in output
    assert "1 x Standard_D4s_v5 in zone 2 for 1 engine " in output
    profile.ipcluster("stop")
    full = testing.fault(
        "fail", operation=f"{SCALE_SET}/write", code="ZonalAllocationFailed", times=2
    )
    with testing.faults(profile.emulator, full) as met:
        output = profile.ipcluster("start", "-n", "1", "--daemonize", expect=1)
    assert met.fired == [2]
    assert "1 x Standard_D4s_v5 in zone 1 for 1" in output
    assert "1 x Standard_D4s_v5 in zone 2 for 1" in output
    assert "Try another vm_size" in output
    profile.assert_nothing_left()


def test_machines_that_azure_does_not_make_are_borne_up_to_a_minimum(profile: Profile) -> None:
    _add(
        profile,
        "c.AzureVMEngineSetLauncher.engines_per_vm = 1\nc.AzureVMLauncher.min_engines = 2\n",
    )
    # not the first, which is the controller's
    one = testing.fault("fail", operation=f"{VM}/write", code="InternalExecutionError", skip=1)
    with testing.faults(profile.emulator, one) as met:
        output = profile.ipcluster("start", "-n", "3", "--daemonize")
    assert met.fired == [1]
    assert "2 of 3 engines registered; missing because: " in output
    assert "InternalExecutionError" in output
    # the one that failed would only cost; the controller's and two engines' are left
    assert len(profile.left_on_azure()["virtual_machines"]) == 3
    shown = profile.run("ipcluster-azure", "status", f"--profile={profile.name}").stdout
    assert "running, 2 of 3 engines registered" in shown
    assert "ready, 2 VMs (2 Succeeded) for 2 of 3 engines; 1 engine did not start\n" in shown
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_a_provider_that_is_not_registered_is(profile: Profile) -> None:
    refused: dict[str, Any] = {
        "status": 409,
        "code": "MissingSubscriptionRegistration",
        "message": "The subscription is not registered to use namespace 'Microsoft.Network'. "
        "See https://aka.ms/rps-not-found for how to register subscriptions.",
    }
    missing = testing.fault(
        "refuse", type="Microsoft.Network/virtualNetworks", method="PUT", **refused
    )
    with testing.faults(profile.emulator, missing) as met:
        output = profile.ipcluster("start", "-n", "1", "--daemonize")
    assert met.fired == [1]
    assert "Registering Microsoft.Network" in output
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_a_locked_group_is_said_and_the_stop_can_be_repeated(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    locked = testing.fault(
        "refuse",
        method="DELETE",
        times=None,
        status=409,
        code="ScopeLocked",
        message="The scope cannot perform delete operation because following scope(s) are locked.",
    )
    with testing.faults(profile.emulator, locked):
        output = profile.ipcluster("stop", expect=1)
    assert "az lock list" in output
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_a_policy_that_wants_tags_everywhere_is_met(profile: Profile) -> None:
    _add(profile, 'c.AzureVMLauncher.tags = {"costCenter": "7"}\n')
    untagged = {"field": "tags['costCenter']", "exists": False}
    with testing.policy(profile.emulator, "require-costCenter", untagged, mode="All"):
        profile.ipcluster("start", "-n", "1", "--daemonize")
    # what Azure makes for machines, too: disks, and interfaces of scale sets
    path = f"/subscriptions/{profile.emulator.subscription_id}/resources?api-version=2025-04-01"
    found = ask(profile.emulator, "GET", path)["value"]
    kinds = {item["type"].split("/")[1] for item in found}
    assert {"disks", "networkInterfaces", "virtualMachines", "virtualNetworks"} <= kinds
    assert [item["id"] for item in found if item["tags"].get("costCenter") != "7"] == []
    profile.ipcluster("stop")
    forbidden = {"field": "type", "equals": "Microsoft.Network/publicIPAddresses"}
    with testing.policy(profile.emulator, "no-public-addresses", forbidden):
        output = profile.ipcluster("start", "-n", "1", "--daemonize", expect=1)
    assert "RequestDisallowedByPolicy" in output
    assert "no-public-addresses" in output
    profile.assert_nothing_left()


def test_a_network_that_is_never_made_ends_the_start(profile: Profile) -> None:
    endless = testing.fault("never_ends", type="Microsoft.Network/virtualNetworks")
    code = (
        "import ipcluster_azure.start.provision as p\n"
        "p.SETTLING_TIMEOUT_S = 3.0\n"
        "import sys; sys.argv = ['ipcluster', 'start', '--profile=azure', '-n', '1']\n"
        "from ipyparallel.cluster.app import main; main()\n"
    )
    with testing.faults(profile.emulator, endless):
        output = profile.run("python", "-c", code, expect=1).stdout
    assert re.search(r"not finished ipp-azure-\w+-vnet within 3 s; it is still Updating", output)
    profile.assert_nothing_left()


def test_a_stop_bears_throttling_and_a_failing_server(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    troubles = [
        testing.fault("refuse", method="DELETE", status=429, retry_after_s=1),
        testing.fault("refuse", method="DELETE", status=503),
        testing.fault("lose_reply", method="DELETE", type="*/resourceGroups"),
    ]
    with testing.faults(profile.emulator, *troubles) as met:
        profile.ipcluster("stop")
    assert met.fired[:2] == [1, 1]
    profile.assert_nothing_left()


def test_a_name_that_is_taken_is_passed_over(profile: Profile) -> None:
    info = profile.emulator
    endpoint = Endpoint(info.endpoint, info.endpoint, str(info.ca_file), str(info.token_file))
    with AzureApi(endpoint, info.subscription_id) as api:
        api.put_group("ipp-azure-00000000", "eastus", {"whose": "somebody else's"})
        code = (
            "import ipcluster_azure.naming as naming\n"
            "suffixes = iter(['00000000', '11111111'])\n"
            "naming.random_suffix = lambda: next(suffixes)\n"
            "import sys\n"
            "sys.argv = ['ipcluster', 'start', '--profile=azure', '-n=1', '--daemonize']\n"
            "from ipyparallel.cluster.app import main; main()\n"
        )
        profile.run("python", "-c", code)
        groups = profile.left_on_azure()["resource_groups"]
        assert sorted(groups) == ["ipp-azure-00000000", "ipp-azure-11111111"]
        profile.ipcluster("stop")
        assert profile.left_on_azure()["resource_groups"] == ["ipp-azure-00000000"]
        api.delete_group("ipp-azure-00000000")
    profile.assert_nothing_left()


def test_a_group_that_is_being_deleted_is_said(profile: Profile) -> None:
    going = testing.fault(
        "refuse",
        operation="Microsoft.Network/*/write",
        times=None,
        status=409,
        code="ResourceGroupBeingDeleted",
        message="The resource group 'team' is in deprovisioning state and cannot perform this "
        "operation.",
    )
    with testing.faults(profile.emulator, going):
        output = profile.ipcluster("start", "-n", "1", "--daemonize", expect=1)
    assert "is in deprovisioning state" in output
    assert "ResourceGroupBeingDeleted" in output
    profile.assert_nothing_left()

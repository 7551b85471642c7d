"""In a group and a network of the user's, only what is recorded is deleted."""

from collections.abc import Iterator

import pytest

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from azure_emulator.testing import fault, faults
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.plan.requests import ResourceRequest
from ipcluster_azure.plan.resource_types import NETWORK_API, PUBLIC_IP, SCALE_SET, VIRTUAL_NETWORK
from ipcluster_azure.resource_manager.api import AzureApi

from ..azure_emulator.cloud import Cloud
from ..complete import one_in
from .conftest import Profile

GROUP, NETWORK = "team", "office"


@pytest.fixture
def subnet_id(emulator: EmulatorInfo) -> Iterator[str]:
    """An existing group with a network in it, gone after the test."""
    endpoint = Endpoint(emulator.endpoint, emulator.endpoint, emulator.ca_file, emulator.token_file)
    prefix = client.offer(emulator)["address_prefix"]
    root = f"/subscriptions/{emulator.subscription_id}/resourceGroups/{GROUP}/providers"
    network_id = f"{root}/{VIRTUAL_NETWORK}/{NETWORK}"
    body = {
        "location": "eastus",
        "properties": {
            "addressSpace": {"addressPrefixes": [prefix]},
            "subnets": [{"name": "compute", "properties": {"addressPrefix": prefix}}],
        },
    }
    with AzureApi(endpoint, emulator.subscription_id) as api:
        api.put_group(GROUP, "eastus", {"team": "ours"})
        api.put(ResourceRequest(VIRTUAL_NETWORK, NETWORK, network_id, NETWORK_API, (), body))
        yield f"{network_id}/subnets/compute"
        assert api.exists(network_id)
        cloud = Cloud(emulator)
        left = [item.name for item in cloud.resource.resources.list_by_resource_group(GROUP)]
        cloud.close()
        api.delete_group(GROUP)
    assert left == [NETWORK]


@pytest.mark.parametrize(
    "own_network", one_in(2, [False, True]), ids=["existing subnet", "own network"]
)
def test_a_cluster_in_a_given_group(profile: Profile, subnet_id: str, own_network: bool) -> None:
    config = (profile.folder / "ipcluster_config.py").read_text()
    config += f"c.AzureVMLauncher.resource_group = {GROUP!r}\n"
    if not own_network:
        config += f"c.AzureVMLauncher.subnet_id = {subnet_id!r}\n"
    profile.configure(config)
    profile.ipcluster("start", "-n", "5", "--daemonize")
    assert profile.left_on_azure()["resource_groups"] == [GROUP]
    assert len(profile.engine_ids()) == 5
    output = profile.ipcluster("stop")
    assert "Azure has accepted the deletion of the machines" in output
    assert f"Deleted the cluster's resources in resource group {GROUP}" in output
    assert profile.files() == set()
    assert profile.left_on_azure() == {"resource_groups": [GROUP], "virtual_machines": []}


def test_a_deletion_that_azure_accepts_and_fails_is_asked_for_again(
    profile: Profile, subnet_id: str
) -> None:
    config = (profile.folder / "ipcluster_config.py").read_text()
    profile.configure(f"{config}c.AzureVMLauncher.resource_group = {GROUP!r}\n")
    profile.ipcluster("start", "-n", "1", "--daemonize")
    kinds = (SCALE_SET, PUBLIC_IP)
    failing = [fault("fail", type=kind, method="DELETE") for kind in kinds]
    with faults(profile.emulator, *failing) as met:
        profile.ipcluster("stop")
        assert met.fired == [1, 1]
    assert profile.files() == set()
    assert profile.left_on_azure() == {"resource_groups": [GROUP], "virtual_machines": []}


def test_without_a_public_address(profile: Profile, subnet_id: str) -> None:
    config = (profile.folder / "ipcluster_config.py").read_text()
    config += f"c.AzureVMLauncher.subnet_id = {subnet_id!r}\nc.AzureVMLauncher.public_ip = False\n"
    profile.configure(config)
    profile.ipcluster("start", "-n", "1", "--daemonize")
    assert profile.engine_ids() == [0]
    profile.ipcluster("stop")
    assert profile.left_on_azure() == {"resource_groups": [GROUP], "virtual_machines": []}
    assert profile.files() == set()

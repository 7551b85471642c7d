"""What no setting covers: an identity for tasks, and members added to the requests."""

import re
from collections.abc import Iterator
from typing import Any

import ipyparallel as ipp
import jwt
import pytest

from azure_emulator.testing import restricted
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.plan.requests import ResourceRequest
from ipcluster_azure.plan.resource_types import IDENTITY, IDENTITY_API, NIC
from ipcluster_azure.resource_ids import group_scope, resource_id
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.start.engine_identity import ASSIGN

from .conftest import ON_EMULATOR, Profile, wait_for
from .test_caretaker import record_of

GROUP = "people"
EXTRAS = """
c.AzureVMLauncher.extra_vm = {"properties": {"licenseType": "RHEL_BYOS"}}
c.AzureVMLauncher.extra_scale_set = {
    "properties": {"virtualMachineProfile": {"licenseType": "RHEL_BYOS"}}
}
c.AzureVMLauncher.extra_nic = {"properties": {"enableAcceleratedNetworking": True}}
"""


@ipp.interactive
def get_token() -> str:
    """As a task of a user's gets it."""
    from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential().get_token("https://storage.azure.com/.default").token


@pytest.fixture
def api(profile: Profile) -> Iterator[AzureApi]:
    info = profile.emulator
    endpoint = Endpoint(info.endpoint, info.endpoint, info.ca_file, info.token_file)
    with AzureApi(endpoint, info.subscription_id) as api:
        api.put_group(GROUP, "eastus", {})
        yield api
        api.delete_group(GROUP)
    wait_for(lambda: not profile.left_on_azure()["resource_groups"], 30)


@pytest.fixture
def identity(api: AzureApi) -> dict[str, Any]:
    """A user-assigned identity, as Azure shows it."""
    id_ = resource_id(group_scope(api.subscription_id, GROUP), IDENTITY, "worker")
    body = {"location": "eastus"}
    shown, _ = api.put(ResourceRequest(IDENTITY, "worker", id_, IDENTITY_API, (), body))
    return shown


def configure(profile: Profile, identity: str, more: str = "") -> None:
    profile.configure(f"{ON_EMULATOR}c.AzureVMLauncher.engine_identity = {identity!r}\n{more}")


def test_tasks_log_in_as_the_engines_identity(
    profile: Profile, api: AzureApi, identity: dict[str, Any]
) -> None:
    configure(profile, identity["id"], EXTRAS)
    profile.ipcluster("start", "-n", "1", "--daemonize")
    with profile.client() as client:
        token = client[:].apply_async(get_token).get(timeout=60)[0]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["oid"] == identity["properties"]["principalId"]
    assert claims["aud"].startswith("https://storage.azure.com")

    record = record_of(profile)
    machine = api.find(record.controller.vm_id, doing="looking")
    assert machine is not None
    assert machine["properties"]["licenseType"] == "RHEL_BYOS"
    assert identity["id"] not in machine.get("identity", {}).get("userAssignedIdentities", {})
    (nic_id,) = (item for item in record.resources if f"/{NIC}/" in item)
    nic = api.find(nic_id, doing="looking")
    assert nic is not None
    assert nic["properties"]["enableAcceleratedNetworking"] is True
    (engine_set,) = record.engine_sets.values()
    scale_set = api.find(engine_set.scale_set_id, doing="looking")
    assert scale_set is not None
    engines = scale_set["properties"]["virtualMachineProfile"]
    assert engines["licenseType"] == "RHEL_BYOS"
    (nic,) = engines["networkProfile"]["networkInterfaceConfigurations"]
    assert nic["properties"]["enableAcceleratedNetworking"] is True
    profile.ipcluster("stop")
    assert api.find(identity["id"], doing="looking") is not None


def test_an_identity_that_the_user_may_not_assign(
    profile: Profile, api: AzureApi, identity: dict[str, Any]
) -> None:
    configure(profile, identity["id"])
    with restricted(profile.emulator, ["*"], [ASSIGN]):
        said = profile.ipcluster("start", "-n", "1", expect=1)
        words = ("ipcluster-azure", "doctor", f"--profile={profile.name}", "--n=1")
        found = profile.run(*words, expect=1).stdout
    assert re.search(r"failed +engine identity: You may not give", found)
    assert re.search(r"ok +engine identity: worker: nothing", profile.run(*words).stdout)
    assert f"You may not give the identity {identity['id']} to machines" in said
    assert "Managed Identity Operator" in said
    assert profile.left_on_azure()["resource_groups"] == [GROUP]


def test_an_identity_that_does_not_exist(profile: Profile, api: AzureApi) -> None:
    missing = resource_id(group_scope(api.subscription_id, GROUP), IDENTITY, "nobody")
    configure(profile, missing)
    said = profile.ipcluster("start", "-n", "1", expect=1)
    assert f"engine_identity {missing} does not exist" in said
    assert profile.left_on_azure()["resource_groups"] == [GROUP]

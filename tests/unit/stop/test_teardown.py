"""Recorded ids -> gone: with the real SDK, on an emulator without machines."""

import asyncio
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from azure_emulator import client, testing
from azure_emulator.client import EmulatorInfo
from ipcluster_azure.errors import AzureLauncherError, ClusterStopped
from ipcluster_azure.naming import ClusterNames
from ipcluster_azure.plan.requests import ResourceRequest
from ipcluster_azure.plan.resource_types import NETWORK_API, NIC, NSG
from ipcluster_azure.record import file as record_file
from ipcluster_azure.record.contents import FORMAT, READY, Record
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.start.provision import creates_in_flight
from ipcluster_azure.stop import engine_set, teardown

from ..conftest import Clock
from ..record.test_record import _record
from .made_clusters import (
    TEAM,
    a_progress,
    assert_without_secrets,
    files_left,
    groups_at_last,
    make_cluster,
    names_in,
    until_true,
)


def test_a_stop_elsewhere_just_before_ours_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = RecordFile.of(str(tmp_path / "profile_azure"), "c1")
    file.create(_record())

    def gone() -> None:
        raise ClusterStopped("There is no cluster on record (any more).")

    monkeypatch.setattr(file, "edit", gone)
    assert teardown.mark_deleting(file) is False
    file.erase()
    assert teardown.mark_deleting(file) is False


async def test_nothing_is_left_of_a_cluster(
    api: AzureApi,
    info: EmulatorInfo,
    tmp_path: Path,
    said: pytest.LogCaptureFixture,
    visits: list[dict[str, Any]],
) -> None:
    file = await make_cluster(api, info, tmp_path)
    group = file.require().plan.resource_group
    assert len(client.status(info.state_dir)["virtual_machines"]) == 2
    await teardown.delete_cluster(file, a_progress())
    assert client.status(info.state_dir) == {"resource_groups": [], "virtual_machines": []}
    assert files_left(file) == set()
    assert names_in(tmp_path) == {"profile_azure"}
    assert f"Azure has accepted the deletion of resource group {group}" in said.text
    await teardown.delete_cluster(file, a_progress())  # harmless when repeated
    assert files_left(file) == set()
    assert visits == []  # its controller never ran


async def test_another_cluster_that_came_in_its_place_is_left_alone(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await make_cluster(api, info, tmp_path)
    base = file.require().plan.names.base
    await teardown.delete_cluster(file, a_progress(), only=f"{base}0")
    assert not file.require().deleting
    assert client.status(info.state_dir)["resource_groups"] == [base]
    await teardown.delete_cluster(file, a_progress(), only=base)
    assert client.status(info.state_dir)["resource_groups"] == []


async def test_another_cluster_that_comes_while_a_stop_waits_is_left_alone(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await make_cluster(api, info, tmp_path)
    record = file.require()
    base = record.plan.names.base
    async with record_file.held(file.teardown_lock()):
        stopping = asyncio.ensure_future(teardown.delete_cluster(file, a_progress(), only=base))
        await until_true(lambda: file.require().deleting)
        other = replace(record.plan, names=ClusterNames("ipp-azure-0ther001"))
        file.create(replace(record, plan=other))
    await stopping
    assert not file.require().deleting
    assert client.status(info.state_dir)["resource_groups"] == [base]


async def test_a_stop_that_means_another_cluster_waits_for_nobody(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await make_cluster(api, info, tmp_path)
    async with record_file.held(file.teardown_lock()):
        stopping = teardown.delete_cluster(file, a_progress(), only="ipp-azure-0ther001")
        await asyncio.wait_for(stopping, 5.0)


async def test_the_link_ends_once_all_is_deleted(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await make_cluster(api, info, tmp_path, link_pid=17)
    ended: list[tuple[int, Record | None]] = []
    monkeypatch.setattr(teardown, "end_link", lambda pid, file, _: ended.append((pid, file.read())))
    await teardown.delete_cluster(file, a_progress())
    assert ended == [(17, None)]  # it goes on with the deletion if this process dies


async def test_machines_are_deleted_before_their_group(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await make_cluster(api, info, tmp_path)
    kept = testing.fault("refuse", method="DELETE", type="*/resourceGroups", status=409)
    with testing.faults(info, {**kept, "code": "ScopeLocked"}) as met:
        with pytest.raises(AzureLauncherError, match="ScopeLocked"):
            await teardown.delete_cluster(file, a_progress())
        assert met.fired == [1]
    assert client.status(info.state_dir)["virtual_machines"] == []
    assert file.require().deleting  # and can be stopped again
    await teardown.delete_cluster(file, a_progress())
    assert client.status(info.state_dir)["resource_groups"] == []


async def test_a_machine_that_cannot_be_deleted_alone_goes_with_its_group(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await make_cluster(api, info, tmp_path)
    refuse = testing.fault("refuse", method="DELETE", type="*/virtualMachines", status=409)
    with testing.faults(info, {**refuse, "code": "Conflict"}) as met:
        await teardown.delete_cluster(file, a_progress())
    assert met.fired == [1]
    assert client.status(info.state_dir)["resource_groups"] == []


async def test_in_a_group_of_the_users_only_recorded_ids_go(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    file = await make_cluster(api, info, tmp_path, TEAM)
    similar = f"{file.require().plan.names.base}-nsg2"
    root = f"/subscriptions/{info.subscription_id}/resourceGroups/{TEAM}/providers"
    foreign = f"{root}/{NSG}/{similar}"
    body = {"location": "eastus", "properties": {}}
    api.put(ResourceRequest(NSG, similar, foreign, NETWORK_API, (), body))
    await teardown.delete_cluster(file, a_progress())
    listed = api.listed(f"resourceGroups/{TEAM}/resources", "2021-04-01", doing="looking")
    assert [item["name"] for item in listed] == [similar]
    assert files_left(file) == set()
    assert f"Deleted the cluster's resources in resource group {TEAM}" in said.text


async def test_an_interface_that_azure_keeps_for_a_machine_is_deleted_when_it_can_be(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, clock: Clock, said: pytest.LogCaptureFixture
) -> None:
    file = await make_cluster(api, info, tmp_path, TEAM)
    message = "Nic(s) in request is reserved for another Virtual Machine for 180 seconds."
    reserved = testing.fault(
        "refuse",
        method="DELETE",
        type=NIC,
        status=400,
        code="NicReservedForAnotherVm",
        message=message,
        times=3,
    )
    with testing.faults(info, reserved) as met:
        await teardown.delete_cluster(file, a_progress())
    assert met.fired == [3]
    assert said.text.count(message) == 1
    assert api.listed(f"resourceGroups/{TEAM}/resources", "2021-04-01", doing="looking") == []
    assert files_left(file) == set()


@pytest.mark.parametrize("whole", [True, False], ids=["cluster", "engine set"])
async def test_a_deletion_waits_for_creates_in_flight(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, whole: bool
) -> None:
    file = await make_cluster(api, info, tmp_path)
    landed = threading.Event()
    thread = threading.Thread(target=creates_in_flight.call, args=(file.path, landed.wait))
    thread.start()
    deletion = (
        teardown.delete_cluster(file, a_progress())
        if whole
        else engine_set.delete_engine_set(file, "s", a_progress())
    )
    deleting = asyncio.ensure_future(deletion)
    await asyncio.sleep(0.3)
    assert file.require().deleting == whole
    before = client.status(info.state_dir)
    assert (len(before["resource_groups"]), len(before["virtual_machines"])) == (1, 2)
    landed.set()
    await deleting
    thread.join()
    left = client.status(info.state_dir)
    assert len(left["virtual_machines"]) == (0 if whole else 1)
    assert left["resource_groups"] == ([] if whole else [file.require().plan.resource_group])


async def test_what_is_recorded_while_a_create_is_in_flight_is_deleted_too(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await make_cluster(api, info, tmp_path, TEAM)
    with file.edit() as record:
        *record.resources, late = record.resources
    landed = threading.Event()

    def land() -> None:
        landed.wait(10.0)
        with file.edit() as record:
            record.resources.append(late)

    thread = threading.Thread(target=creates_in_flight.call, args=(file.path, land))
    thread.start()
    deleting = asyncio.ensure_future(teardown.delete_cluster(file, a_progress()))
    await asyncio.sleep(0.3)
    landed.set()
    await deleting
    thread.join()
    assert not api.exists(late)


@pytest.mark.parametrize("state", ["creating", READY])
async def test_logs_are_fetched_from_a_controller_that_runs(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, visits: list[dict[str, Any]], state: str
) -> None:
    file = await make_cluster(api, info, tmp_path)
    with file.edit() as record:
        record.controller.state = state
    await teardown.delete_cluster(file, a_progress())
    assert visits == ([{"timeout_s": 5.0}] if state == READY else [])
    assert files_left(file) == set()


@pytest.mark.parametrize("version", [FORMAT, 99])
async def test_secrets_do_not_wait_for_a_deletion(
    api: AzureApi,
    info: EmulatorInfo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
) -> None:
    visits: list[bool] = []
    monkeypatch.setattr(teardown, "_fetch_logs", lambda file: visits.append(file.key_file.exists()))
    file = await make_cluster(api, info, tmp_path)
    with file.edit() as record:
        record.controller.state = READY
    data = json.loads(file.path.read_text())
    file.path.write_text(json.dumps({**data, "format": version}))
    refused = testing.fault(
        "refuse", method="DELETE", type="*/resourceGroups", status=409, code="ScopeLocked"
    )
    with testing.faults(info, refused), pytest.raises(AzureLauncherError, match="ScopeLocked"):
        await teardown.delete_cluster(file, a_progress())
    assert [path for path in file.ways_in if path.exists()] == []
    if version == FORMAT:
        assert_without_secrets(file.require())
    await teardown.delete_cluster(file, a_progress())
    assert files_left(file) == set()
    assert visits == [True] * (version == FORMAT)  # without a key nobody can log in any more


@pytest.mark.parametrize("group", ["", TEAM])
async def test_a_record_of_another_version_is_deleted_by_its_tags(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, said: pytest.LogCaptureFixture, group: str
) -> None:
    file = await make_cluster(api, info, tmp_path, group)
    text = json.loads(file.path.read_text())
    file.path.write_text(json.dumps({**text, "format": 99, "surprise": []}))
    await teardown.delete_cluster(file, a_progress())
    assert await groups_at_last(info, [group] if group else []) == ([group] if group else [])
    if group:
        assert api.listed(f"resourceGroups/{group}/resources", "2021-04-01", doing="looking") == []
    assert files_left(file) == set()
    assert "by its tags" in said.text
    assert f"accepted the deletion of cluster {text['plan']['names']['base']}" in said.text

"""One engine set is deleted, or only its engines end; the rest of the cluster stays."""

from pathlib import Path
from typing import Any

import pytest

from azure_emulator import client, testing
from azure_emulator.client import EmulatorInfo
from ipcluster_azure.errors import AzureLauncherError
from ipcluster_azure.private_files import write_private
from ipcluster_azure.record.contents import DELETING, KEPT
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.stop import engine_set

from .made_clusters import a_progress, make_cluster


async def test_of_a_cluster_that_is_gone_no_set_is_deleted(
    tmp_path: Path, visits: list[dict[str, Any]]
) -> None:
    file = RecordFile.of(str(tmp_path / "profile_azure"), "c1")
    await engine_set.delete_engine_set(file, "s", a_progress())
    await engine_set.stop_engine_processes(file, "s", a_progress())
    assert visits == []


async def test_one_engine_set_goes_and_the_rest_stays(
    api: AzureApi,
    info: EmulatorInfo,
    tmp_path: Path,
    visits: list[dict[str, Any]],
    said: pytest.LogCaptureFixture,
) -> None:
    file = await make_cluster(api, info, tmp_path)
    write_private(file.engine_set_parameters, "secret")
    await engine_set.delete_engine_set(file, "other", a_progress())
    assert "s" in file.require().engine_sets
    assert file.engine_set_parameters.exists()
    await engine_set.delete_engine_set(file, "s", a_progress())
    assert visits == [{"set_id": "s", "stop": True, "timeout_s": 5.0}]
    assert file.require().engine_sets == {}
    assert not file.require().deleting
    assert not file.engine_set_parameters.exists()
    left = client.status(info.state_dir)["virtual_machines"]
    assert [name.rpartition("-")[2] for name in left] == ["controller"]
    assert "Azure has accepted the deletion of engine set s" in said.text


async def test_an_engine_set_that_was_never_made_needs_no_visit(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, visits: list[dict[str, Any]]
) -> None:
    file = await make_cluster(api, info, tmp_path)
    with file.edit() as record:
        record.engine_sets["s"].machines = []
    await engine_set.delete_engine_set(file, "s", a_progress())
    assert visits == []
    assert file.require().engine_sets == {}


async def test_while_the_cluster_is_deleted_no_set_is(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, visits: list[dict[str, Any]]
) -> None:
    file = await make_cluster(api, info, tmp_path)
    with file.edit() as record:
        record.state = DELETING
    await engine_set.delete_engine_set(file, "s", a_progress())
    await engine_set.stop_engine_processes(file, "s", a_progress())
    assert visits == []
    assert file.require().engine_sets["s"].state == "creating"


async def test_a_set_is_marked_before_its_machines_are_deleted(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, visits: list[dict[str, Any]]
) -> None:
    file = await make_cluster(api, info, tmp_path)
    refuse = testing.fault("refuse", method="DELETE", status=409, code="Conflict")
    with testing.faults(info, refuse), pytest.raises(AzureLauncherError):
        await engine_set.delete_engine_set(file, "s", a_progress())
    assert file.require().engine_sets["s"].state == DELETING


async def test_engines_end_and_their_machines_stay(
    api: AzureApi,
    info: EmulatorInfo,
    tmp_path: Path,
    visits: list[dict[str, Any]],
    said: pytest.LogCaptureFixture,
) -> None:
    file = await make_cluster(api, info, tmp_path)
    await engine_set.stop_engine_processes(file, "other", a_progress())
    await engine_set.stop_engine_processes(file, "s", a_progress())
    assert visits == [{"set_id": "s", "stop": True, "timeout_s": 20.0}]
    assert file.require().engine_sets["s"].state == KEPT
    assert "Stopped the engines of set s" in said.text
    with pytest.raises(AzureLauncherError, match="ipcluster stop"):  # the second visit fails
        await engine_set.stop_engine_processes(file, "s", a_progress())
    assert len(client.status(info.state_dir)["virtual_machines"]) == 2

"""One engine set is deleted, or only its engines end; the rest of the cluster stays."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from azure_emulator import client, testing
from azure_emulator.client import EmulatorInfo
from ipcluster_azure.errors import AzureLauncherError
from ipcluster_azure.private_files import write_private
from ipcluster_azure.record.contents import DELETING, KEPT
from ipcluster_azure.record.cost import CostPart
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.record.joining import Joining
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.stop import engine_set, teardown
from ipcluster_azure.stop.visit_process import Brought

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


async def test_the_last_sets_secrets_and_costs_outlive_the_deletion_of_another(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await make_cluster(api, info, tmp_path)
    write_private(file.engine_set_parameters, "secret of t")
    with file.edit() as record:
        first = record.engine_sets["s"]
        scale_set = f"{first.scale_set_id}-t"
        record.engine_sets["t"] = replace(first, scale_set_id=scale_set, machines=[])
        record.cost.parts = {"s": CostPart(usd=1.0, machines=1), "t": CostPart(usd=2.0, machines=1)}
    await engine_set.delete_engine_set(file, "s", a_progress())
    assert file.engine_set_parameters.exists()
    assert file.require().cost.rate.usd == 2.0
    await engine_set.delete_engine_set(file, "t", a_progress())
    assert not file.engine_set_parameters.exists()
    assert file.require().cost.rate.usd == 0.0


async def test_the_link_starts_no_engines_of_a_set_whose_engines_end(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await make_cluster(api, info, tmp_path)
    with file.edit() as record:
        record.engine_sets["s"].joining = Joining(machines=["m"], until=2e9)
    seen = []

    def visit(file: RecordFile, **options: Any) -> bool:
        seen.append(file.require().engine_sets["s"].state)
        return True

    monkeypatch.setattr(engine_set, "visit_machines", visit)
    await engine_set.stop_engine_processes(file, "s", a_progress())
    assert seen == [KEPT]
    assert file.require().engine_sets["s"].joining == Joining()


async def test_results_come_home_before_their_machines_go(
    api: AzureApi,
    info: EmulatorInfo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: pytest.LogCaptureFixture,
) -> None:
    file = await make_cluster(api, info, tmp_path)
    with file.edit() as record:
        record.own_files.back = ["results/*"]
    machines = []

    def bring(file: RecordFile, *, set_id: str, timeout_s: float) -> Brought:
        machines.append((set_id, len(client.status(info.state_dir)["virtual_machines"])))
        return Brought(lines=["2 files are here"], problems=["m is silent"])

    monkeypatch.setattr(teardown, "bring_results", bring)
    await engine_set.delete_engine_set(file, "s", a_progress())
    assert machines == [("s", 2)]
    assert "2 files are here" in said.text
    assert "could not be brought home: m is silent" in said.text

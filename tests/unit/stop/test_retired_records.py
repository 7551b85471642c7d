"""What Azure deletes slowly is looked after later, and given up with its emulator."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from azure_emulator import client, testing
from azure_emulator.client import EmulatorInfo
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.errors import EndpointUnreachable
from ipcluster_azure.naming import ClusterNames
from ipcluster_azure.record.contents import Record
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager import power
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.stop import teardown

from ..conftest import Clock
from ..record.test_record import _record
from .made_clusters import (
    a_progress,
    assert_without_secrets,
    endpoint_of,
    files_left,
    groups_at_last,
    make_cluster,
    plan_of,
)


@pytest.mark.parametrize(("emulated", "looks_s"), [(True, 5.0), (False, 0.5)])
async def test_a_group_that_goes_slowly_is_not_waited_for_long(
    api: AzureApi,
    info: EmulatorInfo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
    emulated: bool,
    looks_s: float,
) -> None:
    file = await make_cluster(api, info, tmp_path)
    if not emulated:  # but what is asked goes to the emulator
        monkeypatch.setattr(
            teardown, "AzureApi", lambda *_: AzureApi(endpoint_of(info), info.subscription_id)
        )
        with file.edit() as record:
            record.endpoint = replace(record.endpoint, token_file="")
    monkeypatch.setattr(AzureApi, "group_exists", lambda *_: True)
    clock.restart()
    await teardown.delete_cluster(file, a_progress())
    assert clock.passed_s == pytest.approx(looks_s)
    assert max(clock.pauses_s) <= 0.3
    assert len(file.retired()) == 1


async def test_a_group_that_goes_soon_is_not_looked_after_later(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    file = await make_cluster(api, info, tmp_path)
    answers = [True] * 12
    monkeypatch.setattr(AzureApi, "group_exists", lambda *_: bool(answers) and answers.pop())
    clock.restart()
    await teardown.delete_cluster(file, a_progress())
    assert 2 < clock.passed_s < 5
    assert files_left(file) == set()


async def test_a_group_that_takes_long_is_put_aside_and_looked_after_later(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teardown, "EMULATED_GONE_LOOKS_S", 0.2)
    file = await make_cluster(api, info, tmp_path)
    failing = testing.fault(
        "fail", method="DELETE", type="*/resourceGroups", code="InternalServerError"
    )
    with testing.faults(info, failing):
        await teardown.delete_cluster(file, a_progress())
    assert files_left(file) == {"azure_deleting"}
    (retired,) = map(RecordFile, file.retired())
    assert_without_secrets(retired.require())
    assert file.read() is None
    await teardown.sweep(file, a_progress())  # asks again: it may have failed
    assert len(file.retired()) == 1
    assert await groups_at_last(info, []) == []
    await teardown.sweep(file, a_progress())
    assert file.retired() == []


async def test_a_damaged_retired_record_is_left_to_reap(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await make_cluster(api, info, tmp_path)
    file.retire()
    for name in ("aaa", "zzz"):  # neither of them keeps the other from being looked after
        (file.retired_dir / f"{name}.json").write_text("{")
    await teardown.sweep(file, a_progress())
    await asyncio.sleep(0.1)
    await teardown.sweep(file, a_progress())
    assert [path.name for path in file.retired()] == ["aaa.json", "zzz.json"]


async def test_with_its_emulator_a_cluster_is_gone(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "emulator"
    info = client.start(directory, machines="none")
    client.stop(directory)
    record: Record = replace(_record(), endpoint=endpoint_of(info), secret_files=[])
    file = RecordFile.of(str(tmp_path / "profile_azure"), "c1")
    file.create(record)
    await teardown.delete_cluster(file, a_progress())
    assert files_left(file) == set()
    assert "The emulator that ran this cluster is gone" in said.text
    for names in (record.plan.names, ClusterNames("another")):
        file.create(replace(record, plan=replace(record.plan, names=names)))
        file.retire()
    await teardown.sweep(file, a_progress())
    assert file.retired() == []


@pytest.mark.parametrize("gone", [True, False])
async def test_two_sweeps_at_once_are_harmless(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    file = RecordFile.of(str(tmp_path / "profile_azure"), "c1")
    file.create(replace(_record(), endpoint=endpoint_of(info), plan=plan_of(info), secret_files=[]))
    file.retire()

    def meanwhile(endpoint: Endpoint) -> bool:
        for path in file.retired():
            path.unlink()
        return gone

    monkeypatch.setattr(teardown, "emulator_is_gone", meanwhile)
    await teardown.sweep(file, a_progress())
    assert file.retired() == []


def test_whether_an_emulator_is_gone(info: EmulatorInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = endpoint_of(info)
    assert not power.emulator_is_gone(endpoint)
    for other in ("https://127.0.0.1:1", "https://127.0.0.1:99999"):
        assert power.emulator_is_gone(replace(endpoint, url=other))
    assert not power.emulator_is_gone(Endpoint("https://management.azure.com", "x"))

    def busy(directory: object) -> None:
        raise client.EmulatorError("no answer in time")

    monkeypatch.setattr(power.emulator, "find", busy)
    with pytest.raises(EndpointUnreachable, match="no answer in time"):
        power.emulator_is_gone(endpoint)


async def test_a_cluster_of_before_that_cannot_be_looked_after_stops_no_start(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    """Two of an endpoint that does not answer any more, one of them in the middle."""
    file = await make_cluster(api, info, tmp_path)
    file.retire()
    unreachable = replace(endpoint_of(info), url="https://127.0.0.1:9", token_file=info.token_file)
    for name in ("aaa", "zzz"):
        names = ClusterNames(name)
        record = replace(_record(), endpoint=unreachable, plan=replace(plan_of(info), names=names))
        file.create(record)
        file.retire()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teardown, "emulator_is_gone", lambda endpoint: False)
        await teardown.sweep(file, a_progress())
        assert await groups_at_last(info, []) == []
        await teardown.sweep(file, a_progress())
    assert [path.name for path in file.retired()] == ["aaa.json", "zzz.json"]
    assert said.text.count("is unknown: ") == 2  # one a sweep

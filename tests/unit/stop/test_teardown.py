"""Recorded ids -> gone: with the real SDK, on an emulator without machines."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from azure_emulator import client, testing
from azure_emulator.client import EmulatorInfo
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.errors import AzureLauncherError, ClusterStopped, EndpointUnreachable
from ipcluster_azure.naming import CLUSTER_TAG, ClusterNames
from ipcluster_azure.plan.arm_template import (
    NETWORK_API,
    NIC,
    NSG,
    controller_template,
    engine_set_template,
)
from ipcluster_azure.plan.cluster_plan import ClusterPlan
from ipcluster_azure.plan.requests import ResourceRequest, requests
from ipcluster_azure.private_files import write_private
from ipcluster_azure.progress import Progress
from ipcluster_azure.record import file as record_file
from ipcluster_azure.record.contents import DELETING, KEPT, READY, EngineSet, Machine, Record
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager import power
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.start.provision import create_all, create_group, creates_in_flight
from ipcluster_azure.stop import teardown

from ..conftest import Clock
from ..plans import CLUSTER, ENGINES
from ..record.test_record import _record

TEAM = "team"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB7cGSFDQ3Y0KVG5cE2LxV0nZc3ZkT6wSCTqXkVOcY9L x"


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorInfo]:
    directory = tmp_path_factory.mktemp("emulator")
    yield client.start(directory, machines="none", seed=1)
    client.stop(directory)


@pytest.fixture
def api(info: EmulatorInfo) -> Iterator[AzureApi]:
    with AzureApi(_endpoint(info), info.subscription_id) as api:
        yield api
    client.withdraw_faults(info)
    client.reset(info.state_dir)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


@pytest.fixture(autouse=True)
def visits(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would be asked of machines, which aren't there; the first answer is that it worked."""
    asked: list[dict[str, Any]] = []

    def note(file: RecordFile, **options: Any) -> bool:
        asked.append(options)
        return len(asked) == 1

    monkeypatch.setattr(teardown, "visit_machines", note)
    return asked


def _endpoint(info: EmulatorInfo) -> Endpoint:
    return Endpoint(info.endpoint, info.endpoint, info.ca_file, info.token_file)


def _progress() -> Progress:
    return Progress(logging.getLogger("test"))


def _planned(plan: ClusterPlan) -> list[ResourceRequest]:
    parameters = {"sshPublicKey": KEY, "customData": ""}
    name = f"{plan.names.base}-e0"
    engines = replace(ENGINES, n=2, scale_set=name, location=plan.location, tags=plan.tags)
    controller = requests(controller_template(plan), parameters, plan)
    return [*controller, *requests(engine_set_template(plan, engines), parameters, plan)]


def _plan(info: EmulatorInfo, group: str = "") -> ClusterPlan:
    names = ClusterNames.for_cluster("azure", "c1")
    return replace(
        CLUSTER,
        subscription_id=info.subscription_id,
        resource_group=group or names.base,
        owns_resource_group=not group,
        names=names,
        tags={CLUSTER_TAG: names.base},
    )


async def _cluster(
    api: AzureApi, info: EmulatorInfo, folder: Path, group: str = "", **changes: Any
) -> RecordFile:
    """A cluster's record and, at Azure, all that it names."""
    plan = _plan(info, group)
    planned = _planned(plan)
    engines = EngineSet(planned[-1].id, 2, 4, 4, "key", machines=[Machine("m", "10.0.0.4", 2)])
    secret = folder / "client.json"
    record = replace(
        _record(),
        endpoint=_endpoint(info),
        plan=plan,
        resources=[item.id for item in planned],
        engine_sets={"s": engines},
        secret_files=[str(secret)],
        **changes,
    )
    file = RecordFile.of(str(folder / "profile_azure"), "c1")
    file.create(record)
    for path in (file.key_file, file.public_key_file, file.client_file, secret):
        write_private(path, "secret")
    for path in (file.key_file, secret):
        (path.parent / f".{path.name}.abcdefgh").write_text("half a secret")
    if group:
        api.put_group(group, plan.location, {})
    await create_group(api, file, plan)
    await create_all(api, file, planned[:-1], lambda: None, _progress())
    api.put(planned[-1])
    return file


async def _groups_at_last(info: EmulatorInfo, expected: list[str]) -> list[str]:
    for _ in range(100):
        if (groups := client.status(info.state_dir)["resource_groups"]) == expected:
            break
        await asyncio.sleep(0.05)
    return groups


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came true")


def _left(file: RecordFile) -> set[str]:
    return _names(file.path.parent) - {".azure.lock"}


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


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


async def test_of_a_cluster_that_is_gone_no_set_is_deleted(
    tmp_path: Path, visits: list[dict[str, Any]]
) -> None:
    file = RecordFile.of(str(tmp_path / "profile_azure"), "c1")
    await teardown.delete_engine_set(file, "s", _progress())
    await teardown.stop_engine_processes(file, "s", _progress())
    assert visits == []


async def test_nothing_is_left_of_a_cluster(
    api: AzureApi,
    info: EmulatorInfo,
    tmp_path: Path,
    said: pytest.LogCaptureFixture,
    visits: list[dict[str, Any]],
) -> None:
    file = await _cluster(api, info, tmp_path)
    group = file.require().plan.resource_group
    assert len(client.status(info.state_dir)["virtual_machines"]) == 2
    await teardown.delete_cluster(file, _progress())
    assert client.status(info.state_dir) == {"resource_groups": [], "virtual_machines": []}
    assert _left(file) == set()
    assert _names(tmp_path) == {"profile_azure"}
    assert f"Azure has accepted the deletion of resource group {group}" in said.text
    await teardown.delete_cluster(file, _progress())  # harmless when repeated
    assert _left(file) == set()
    assert visits == []  # its controller never ran


async def test_another_cluster_that_came_in_its_place_is_left_alone(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await _cluster(api, info, tmp_path)
    base = file.require().plan.names.base
    await teardown.delete_cluster(file, _progress(), only=f"{base}0")
    assert not file.require().deleting
    assert client.status(info.state_dir)["resource_groups"] == [base]
    await teardown.delete_cluster(file, _progress(), only=base)
    assert client.status(info.state_dir)["resource_groups"] == []


async def test_another_cluster_that_comes_while_a_stop_waits_is_left_alone(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await _cluster(api, info, tmp_path)
    record = file.require()
    base = record.plan.names.base
    async with record_file.held(file.teardown_lock()):
        stopping = asyncio.ensure_future(teardown.delete_cluster(file, _progress(), only=base))
        await _until(lambda: file.require().deleting)
        other = replace(record.plan, names=ClusterNames("ipp-azure-0ther001"))
        file.create(replace(record, plan=other))
    await stopping
    assert not file.require().deleting
    assert client.status(info.state_dir)["resource_groups"] == [base]


async def test_a_stop_that_means_another_cluster_waits_for_nobody(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await _cluster(api, info, tmp_path)
    async with record_file.held(file.teardown_lock()):
        stopping = teardown.delete_cluster(file, _progress(), only="ipp-azure-0ther001")
        await asyncio.wait_for(stopping, 5.0)


async def test_the_link_ends_once_all_is_deleted(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await _cluster(api, info, tmp_path, link_pid=17)
    ended: list[tuple[int, Record | None]] = []
    monkeypatch.setattr(teardown, "end_link", lambda pid, file: ended.append((pid, file.read())))
    await teardown.delete_cluster(file, _progress())
    assert ended == [(17, None)]  # it goes on with the deletion if this process dies


async def test_machines_are_deleted_before_their_group(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await _cluster(api, info, tmp_path)
    kept = testing.fault("refuse", method="DELETE", type="*/resourceGroups", status=409)
    with testing.faults(info, {**kept, "code": "ScopeLocked"}) as met:
        with pytest.raises(AzureLauncherError, match="ScopeLocked"):
            await teardown.delete_cluster(file, _progress())
        assert met.fired == [1]
    assert client.status(info.state_dir)["virtual_machines"] == []
    assert file.require().deleting  # and can be stopped again
    await teardown.delete_cluster(file, _progress())
    assert client.status(info.state_dir)["resource_groups"] == []


async def test_a_machine_that_cannot_be_deleted_alone_goes_with_its_group(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await _cluster(api, info, tmp_path)
    refuse = testing.fault("refuse", method="DELETE", type="*/virtualMachines", status=409)
    with testing.faults(info, {**refuse, "code": "Conflict"}) as met:
        await teardown.delete_cluster(file, _progress())
    assert met.fired == [1]
    assert client.status(info.state_dir)["resource_groups"] == []


async def test_in_a_group_of_the_users_only_recorded_ids_go(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    file = await _cluster(api, info, tmp_path, TEAM)
    similar = f"{file.require().plan.names.base}-nsg2"
    root = f"/subscriptions/{info.subscription_id}/resourceGroups/{TEAM}/providers"
    foreign = f"{root}/{NSG}/{similar}"
    body = {"location": "eastus", "properties": {}}
    api.put(ResourceRequest(NSG, similar, foreign, NETWORK_API, (), body))
    await teardown.delete_cluster(file, _progress())
    listed = api.listed(f"resourceGroups/{TEAM}/resources", "2021-04-01", doing="looking")
    assert [item["name"] for item in listed] == [similar]
    assert _left(file) == set()
    assert f"Deleted the cluster's resources in resource group {TEAM}" in said.text


async def test_an_interface_that_azure_keeps_for_a_machine_is_deleted_when_it_can_be(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, clock: Clock, said: pytest.LogCaptureFixture
) -> None:
    file = await _cluster(api, info, tmp_path, TEAM)
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
        await teardown.delete_cluster(file, _progress())
    assert met.fired == [3]
    assert said.text.count(message) == 1
    assert api.listed(f"resourceGroups/{TEAM}/resources", "2021-04-01", doing="looking") == []
    assert _left(file) == set()


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
    file = await _cluster(api, info, tmp_path)
    if not emulated:  # but what is asked goes to the emulator
        monkeypatch.setattr(
            teardown, "AzureApi", lambda *_: AzureApi(_endpoint(info), info.subscription_id)
        )
        with file.edit() as record:
            record.endpoint = replace(record.endpoint, token_file="")
    monkeypatch.setattr(AzureApi, "group_exists", lambda *_: True)
    clock.restart()
    await teardown.delete_cluster(file, _progress())
    assert clock.passed_s == pytest.approx(looks_s)
    assert max(clock.pauses_s) <= 0.3
    assert len(file.retired()) == 1


async def test_a_group_that_goes_soon_is_not_looked_after_later(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    file = await _cluster(api, info, tmp_path)
    answers = [True] * 12
    monkeypatch.setattr(AzureApi, "group_exists", lambda *_: bool(answers) and answers.pop())
    clock.restart()
    await teardown.delete_cluster(file, _progress())
    assert 2 < clock.passed_s < 5
    assert _left(file) == set()


async def test_a_group_that_takes_long_is_put_aside_and_looked_after_later(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teardown, "EMULATED_GONE_LOOKS_S", 0.2)
    file = await _cluster(api, info, tmp_path)
    failing = testing.fault(
        "fail", method="DELETE", type="*/resourceGroups", code="InternalServerError"
    )
    with testing.faults(info, failing):
        await teardown.delete_cluster(file, _progress())
    assert _left(file) == {"azure_deleting"}
    assert file.read() is None
    await teardown.sweep(file)  # asks again: it may have failed
    assert len(file.retired()) == 1
    assert await _groups_at_last(info, []) == []
    await teardown.sweep(file)
    assert file.retired() == []


async def test_a_damaged_retired_record_is_left_to_reap(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await _cluster(api, info, tmp_path)
    file.retire()
    for name in ("aaa", "zzz"):  # neither of them keeps the other from being looked after
        (file.retired_dir / f"{name}.json").write_text("{")
    await teardown.sweep(file)
    await asyncio.sleep(0.1)
    await teardown.sweep(file)
    assert [path.name for path in file.retired()] == ["aaa.json", "zzz.json"]


@pytest.mark.parametrize("whole", [True, False], ids=["cluster", "engine set"])
async def test_a_deletion_waits_for_creates_in_flight(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, whole: bool
) -> None:
    file = await _cluster(api, info, tmp_path)
    landed = threading.Event()
    thread = threading.Thread(target=creates_in_flight.call, args=(file.path, landed.wait))
    thread.start()
    deletion = (
        teardown.delete_cluster(file, _progress())
        if whole
        else teardown.delete_engine_set(file, "s", _progress())
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
    file = await _cluster(api, info, tmp_path, TEAM)
    with file.edit() as record:
        *record.resources, late = record.resources
    landed = threading.Event()

    def land() -> None:
        landed.wait(10.0)
        with file.edit() as record:
            record.resources.append(late)

    thread = threading.Thread(target=creates_in_flight.call, args=(file.path, land))
    thread.start()
    deleting = asyncio.ensure_future(teardown.delete_cluster(file, _progress()))
    await asyncio.sleep(0.3)
    landed.set()
    await deleting
    thread.join()
    assert not api.exists(late)


@pytest.mark.parametrize("state", ["creating", READY])
async def test_logs_are_fetched_from_a_controller_that_runs(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, visits: list[dict[str, Any]], state: str
) -> None:
    file = await _cluster(api, info, tmp_path)
    with file.edit() as record:
        record.controller.state = state
    await teardown.delete_cluster(file, _progress())
    assert visits == ([{"timeout_s": 5.0}] if state == READY else [])
    assert _left(file) == set()


async def test_one_engine_set_goes_and_the_rest_stays(
    api: AzureApi,
    info: EmulatorInfo,
    tmp_path: Path,
    visits: list[dict[str, Any]],
    said: pytest.LogCaptureFixture,
) -> None:
    file = await _cluster(api, info, tmp_path)
    await teardown.delete_engine_set(file, "other", _progress())
    assert "s" in file.require().engine_sets
    await teardown.delete_engine_set(file, "s", _progress())
    assert visits == [{"set_id": "s", "stop": True, "timeout_s": 5.0}]
    assert file.require().engine_sets == {}
    assert not file.require().deleting
    left = client.status(info.state_dir)["virtual_machines"]
    assert [name.rpartition("-")[2] for name in left] == ["controller"]
    assert "Azure has accepted the deletion of engine set s" in said.text


async def test_an_engine_set_that_was_never_made_needs_no_visit(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, visits: list[dict[str, Any]]
) -> None:
    file = await _cluster(api, info, tmp_path)
    with file.edit() as record:
        record.engine_sets["s"].machines = []
    await teardown.delete_engine_set(file, "s", _progress())
    assert visits == []
    assert file.require().engine_sets == {}


async def test_while_the_cluster_is_deleted_no_set_is(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, visits: list[dict[str, Any]]
) -> None:
    file = await _cluster(api, info, tmp_path)
    with file.edit() as record:
        record.state = DELETING
    await teardown.delete_engine_set(file, "s", _progress())
    await teardown.stop_engine_processes(file, "s", _progress())
    assert visits == []
    assert file.require().engine_sets["s"].state == "creating"


async def test_a_set_is_marked_before_its_machines_are_deleted(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, visits: list[dict[str, Any]]
) -> None:
    file = await _cluster(api, info, tmp_path)
    refuse = testing.fault("refuse", method="DELETE", status=409, code="Conflict")
    with testing.faults(info, refuse), pytest.raises(AzureLauncherError):
        await teardown.delete_engine_set(file, "s", _progress())
    assert file.require().engine_sets["s"].state == DELETING


async def test_engines_end_and_their_machines_stay(
    api: AzureApi,
    info: EmulatorInfo,
    tmp_path: Path,
    visits: list[dict[str, Any]],
    said: pytest.LogCaptureFixture,
) -> None:
    file = await _cluster(api, info, tmp_path)
    await teardown.stop_engine_processes(file, "other", _progress())
    await teardown.stop_engine_processes(file, "s", _progress())
    assert visits == [{"set_id": "s", "stop": True, "timeout_s": 20.0}]
    assert file.require().engine_sets["s"].state == KEPT
    assert "Stopped the engines of set s" in said.text
    with pytest.raises(AzureLauncherError, match="ipcluster stop"):  # the second visit fails
        await teardown.stop_engine_processes(file, "s", _progress())
    assert len(client.status(info.state_dir)["virtual_machines"]) == 2


@pytest.mark.parametrize("group", ["", TEAM])
async def test_a_record_of_another_version_is_deleted_by_its_tags(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, said: pytest.LogCaptureFixture, group: str
) -> None:
    file = await _cluster(api, info, tmp_path, group)
    text = json.loads(file.path.read_text())
    file.path.write_text(json.dumps({**text, "format": 99, "surprise": []}))
    await teardown.delete_cluster(file, _progress())
    assert await _groups_at_last(info, [group] if group else []) == ([group] if group else [])
    if group:
        assert api.listed(f"resourceGroups/{group}/resources", "2021-04-01", doing="looking") == []
    assert _left(file) == set()
    assert "by its tags" in said.text
    assert f"accepted the deletion of cluster {text['plan']['names']['base']}" in said.text


async def test_with_its_emulator_a_cluster_is_gone(
    tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "emulator"
    info = client.start(directory, machines="none")
    client.stop(directory)
    record: Record = replace(_record(), endpoint=_endpoint(info), secret_files=[])
    file = RecordFile.of(str(tmp_path / "profile_azure"), "c1")
    file.create(record)
    await teardown.delete_cluster(file, _progress())
    assert _left(file) == set()
    assert "The emulator that ran this cluster is gone" in said.text
    for names in (record.plan.names, ClusterNames("another")):
        file.create(replace(record, plan=replace(record.plan, names=names)))
        file.retire()
    await teardown.sweep(file)
    assert file.retired() == []


@pytest.mark.parametrize("gone", [True, False])
async def test_two_sweeps_at_once_are_harmless(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    file = RecordFile.of(str(tmp_path / "profile_azure"), "c1")
    file.create(replace(_record(), endpoint=_endpoint(info), plan=_plan(info), secret_files=[]))
    file.retire()

    def meanwhile(endpoint: Endpoint) -> bool:
        for path in file.retired():
            path.unlink()
        return gone

    monkeypatch.setattr(teardown, "emulator_is_gone", meanwhile)
    await teardown.sweep(file)
    assert file.retired() == []


def test_whether_an_emulator_is_gone(info: EmulatorInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = _endpoint(info)
    assert not power.emulator_is_gone(endpoint)
    for other in ("https://127.0.0.1:1", "https://127.0.0.1:99999"):
        assert power.emulator_is_gone(replace(endpoint, url=other))
    assert not power.emulator_is_gone(Endpoint("https://management.azure.com", "x"))

    def busy(directory: object) -> None:
        raise client.EmulatorError("no answer in time")

    monkeypatch.setattr(power.emulator, "find", busy)
    with pytest.raises(EndpointUnreachable, match="no answer in time"):
        power.emulator_is_gone(endpoint)

"""The order of the create calls, with a stand-in for Azure that notes them."""

import asyncio
import logging
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure import provision, template
from ipcluster_azure.errors import (
    AzureLauncherError,
    ClusterStopped,
    EndpointUnreachable,
    RequestRefused,
)
from ipcluster_azure.job_file import ResourceRequest, requests
from ipcluster_azure.progress import Progress
from ipcluster_azure.provision import (
    CreatesInFlight,
    controller_addresses,
    create,
    create_all,
    create_group,
    creates_in_flight,
)
from ipcluster_azure.record import DELETING
from ipcluster_azure.record_file import RecordFile
from ipcluster_azure.template import controller_template

from .plans import CLUSTER
from .test_record import _record

PROGRESS = Progress(logging.getLogger("test"))


class Azure:
    """Answers as Azure does: the network is `Updating` for a while, then `Succeeded`."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.looks: dict[str, int] = {}
        self.refuse = self.slow = ""

    def put_group(self, name: str, location: str, tags: dict[str, str]) -> None:
        self.log.append("group")

    def delete_group(self, name: str) -> bool:
        self.log.append("delete group")
        return True

    def delete(self, resource_id: str) -> bool:
        self.log.append(f"delete {resource_id.split('/')[-2]}")
        return True

    def put(self, request: ResourceRequest) -> tuple[template.Json, str]:
        kind = request.type.split("/")[1]
        if kind == self.refuse:
            raise RequestRefused("no")
        self.log.append(f"put {kind}")
        state = "Succeeded" if request.type == template.NIC else "Updating"
        return self._body(request, state), f"https://operations/{kind}"

    def get(self, request: ResourceRequest) -> template.Json:
        kind = request.type.split("/")[1]
        looks = self.looks[kind] = self.looks.get(kind, 0) + 1
        if looks < 2 or kind == self.slow:
            return self._body(request, "Updating")
        self.log.append(f"ready {kind}")
        return self._body(request, "Succeeded")

    def _body(self, request: ResourceRequest, state: str) -> template.Json:
        body = {"properties": {**request.body["properties"], "provisioningState": state}}
        if request.type == template.PUBLIC_IP and state == "Succeeded":
            body["properties"]["ipAddress"] = "203.0.113.99"
        return body


@pytest.fixture
def file(tmp_path: Path) -> RecordFile:
    file = RecordFile.of(str(tmp_path / "profile_azure"), "c1")
    file.create(_record())
    return file


def _requests() -> list[ResourceRequest]:
    parameters = {"sshPublicKey": "k", "customData": "c"}
    return requests(controller_template(CLUSTER), parameters, CLUSTER)


async def _create_all(azure: Any, file: RecordFile) -> dict[str, template.Json]:
    await create_group(azure, file, CLUSTER)
    return await create_all(azure, file, _requests(), lambda: None, PROGRESS)


async def test_each_is_created_when_what_it_needs_is_ready(file: RecordFile) -> None:
    azure = Azure()
    answers = await _create_all(azure, file)
    assert azure.log[0] == "group"
    assert set(azure.log[1:4]) == {
        "put networkSecurityGroups",
        "put publicIPAddresses",
        "put virtualNetworks",
    }
    nic = azure.log.index("put networkInterfaces")
    for kind in ("networkSecurityGroups", "publicIPAddresses", "virtualNetworks"):
        assert azure.log.index(f"ready {kind}") < nic
    assert azure.log[-1] == "put virtualMachines"
    assert controller_addresses(CLUSTER, answers) == ("203.0.113.99", "10.42.0.4")
    assert answers[_requests()[-1].id]["operation"] == "https://operations/virtualMachines"


async def test_one_refusal_ends_the_others(file: RecordFile) -> None:
    azure = Azure()
    azure.refuse = "virtualNetworks"
    with pytest.raises(RequestRefused):
        await _create_all(azure, file)
    assert "put networkInterfaces" not in azure.log


async def test_nothing_is_created_once_the_cluster_is_being_deleted(file: RecordFile) -> None:
    azure = Azure()
    with file.edit() as record:
        record.state = DELETING
    with pytest.raises(ClusterStopped):
        await _create_all(azure, file)
    assert azure.log == []


async def test_what_lands_after_a_stop_elsewhere_is_deleted(file: RecordFile) -> None:
    # the other process may have looked for it before it was there
    azure = Azure()
    put = azure.put

    def stop_and_put(request: ResourceRequest) -> tuple[template.Json, str]:
        if request.type == template.VIRTUAL_MACHINE:
            with file.edit() as record:
                record.state = DELETING
        return put(request)

    azure.put = stop_and_put  # type: ignore[method-assign]
    with pytest.raises(ClusterStopped):
        await _create_all(azure, file)
    assert azure.log[-2:] == ["put virtualMachines", "delete virtualMachines"]


async def test_a_group_that_lands_after_a_stop_elsewhere_is_deleted(file: RecordFile) -> None:
    azure = Azure()
    put_group = azure.put_group

    def put_group_and_stop(*args: Any) -> None:
        put_group(*args)
        file.erase()

    azure.put_group = put_group_and_stop  # type: ignore[method-assign]
    with pytest.raises(ClusterStopped):
        await _create_all(azure, file)
    assert azure.log == ["group", "delete group"]


async def test_a_call_in_flight_is_waited_for_even_if_its_task_is_cancelled(
    file: RecordFile,
) -> None:
    release, done = threading.Event(), []

    def slow() -> None:
        release.wait(10)
        done.append(True)

    task = asyncio.ensure_future(create(file, slow, done.clear))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    threading.Timer(0.2, release.set).start()
    assert await asyncio.to_thread(creates_in_flight.wait, file.path)
    assert done == [True]


async def test_what_lands_after_its_task_was_cancelled_is_deleted_too(file: RecordFile) -> None:
    release, undone = threading.Event(), threading.Event()
    task = asyncio.ensure_future(create(file, lambda: release.wait(10), undone.set))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    file.erase()  # another process stopped the cluster
    release.set()
    assert await asyncio.to_thread(undone.wait, 5)


async def test_what_may_have_landed_without_an_answer_is_deleted_after_a_stop(
    file: RecordFile,
) -> None:
    undone: list[bool] = []

    def lost() -> None:
        file.erase()
        raise EndpointUnreachable("no answer")

    with pytest.raises(EndpointUnreachable):
        await create(file, lost, lambda: undone.append(True))
    assert undone == [True]


async def test_what_was_created_in_peace_stays(file: RecordFile) -> None:
    undone: list[bool] = []
    assert await create(file, lambda: 7, lambda: undone.append(True)) == 7
    assert undone == []


def test_calls_of_another_cluster_are_not_waited_for(tmp_path: Path) -> None:
    flights = CreatesInFlight()
    release = threading.Event()
    thread = threading.Thread(target=flights.call, args=(tmp_path / "a", release.wait))
    thread.start()
    started = time.monotonic()
    assert flights.wait(tmp_path / "b")
    assert time.monotonic() - started < 1
    release.set()
    thread.join()
    assert flights.wait(tmp_path / "a")


async def test_engines_can_be_requested_before_the_rest_of_the_network_is_there(
    file: RecordFile,
) -> None:
    azure = Azure()
    azure.slow = "networkSecurityGroups"
    said = asyncio.Event()
    creating = asyncio.ensure_future(
        create_all(azure, file, _requests(), said.set, PROGRESS)  # type: ignore[arg-type]
    )
    await asyncio.wait_for(said.wait(), 5)
    assert "ready virtualNetworks" in azure.log
    assert "put networkInterfaces" not in azure.log
    azure.slow = ""
    await creating
    assert azure.log[-1] == "put virtualMachines"


@pytest.mark.parametrize("code", ["ResourceNotFound", "AuthorizationFailed"])
async def test_only_what_is_not_seen_yet_is_looked_for_again(file: RecordFile, code: str) -> None:
    azure, get, unseen = Azure(), Azure.get, [True]

    def look(request: ResourceRequest) -> template.Json:
        if unseen:
            unseen.pop()
            raise RequestRefused("not seen", code)
        return get(azure, request)

    azure.get = look  # type: ignore[method-assign]
    if code == "ResourceNotFound":
        await _create_all(azure, file)
        assert azure.log[-1] == "put virtualMachines"
    else:
        with pytest.raises(RequestRefused, match="not seen"):
            await _create_all(azure, file)


async def test_a_network_that_exists_needs_no_waiting(file: RecordFile) -> None:
    azure, plan = Azure(), replace(CLUSTER, subnet_id="/subscriptions/s/subnets/office")
    found = requests(controller_template(plan), {"sshPublicKey": "k", "customData": "c"}, plan)
    said_before: list[bool] = []

    def said() -> None:
        said_before.append(not azure.log)

    await create_all(azure, file, found, said, PROGRESS)  # type: ignore[arg-type]
    assert said_before == [True]


async def test_a_network_that_never_gets_ready_ends_the_start(
    file: RecordFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provision, "SETTLING_TIMEOUT_S", 0.5)
    azure = Azure()
    azure.slow = "virtualNetworks"
    with pytest.raises(AzureLauncherError, match="not finished ipp-azure-0a1b2c3d-vnet within"):
        await _create_all(azure, file)
    assert "put networkInterfaces" not in azure.log

"""The order of the create calls, with a stand-in for Azure that notes them."""

import asyncio
import json
import logging
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.errors import (
    AzureLauncherError,
    ClusterStopped,
    EndpointUnreachable,
    RequestRefused,
)
from ipcluster_azure.plan import resource_types
from ipcluster_azure.plan.arm_template import controller_template
from ipcluster_azure.plan.requests import ResourceRequest, requests
from ipcluster_azure.progress import Progress
from ipcluster_azure.record.contents import DELETING
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.start import provision
from ipcluster_azure.start.provision import (
    CreatesInFlight,
    controller_addresses,
    create,
    create_all,
    create_group,
    creates_in_flight,
)

from ..conftest import Clock
from ..plans import CLUSTER
from ..record.test_record import _record

PROGRESS = Progress(logging.getLogger("test"))


class Azure:
    """Answers as Azure does: the network is `Updating` for a while, then `Succeeded`."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.looks: dict[str, int] = {}
        self.refuse = self.slow = self.fail_with = ""
        self.registering: list[bool] = []  # what is answered to each question, True at the end

    def put_group(self, name: str, location: str, tags: dict[str, str]) -> None:
        self.log.append("group")

    def delete_group(self, name: str) -> bool:
        self.log.append("delete group")
        return True

    def delete(self, resource_id: str) -> bool:
        self.log.append(f"delete {resource_id.split('/')[-2]}")
        return True

    def put(self, request: ResourceRequest) -> tuple[resource_types.Json, str]:
        kind = request.type.split("/")[1]
        if kind == self.refuse:
            raise RequestRefused("no", self.fail_with)
        self.log.append(f"put {kind}")
        state = "Succeeded" if request.type == resource_types.NIC else "Updating"
        return self._body(request, state), f"https://operations/{kind}"

    def get(self, request: ResourceRequest) -> resource_types.Json:
        kind = request.type.split("/")[1]
        looks = self.looks[kind] = self.looks.get(kind, 0) + 1
        if looks < 2 or kind == self.slow:
            return self._body(request, "Updating")
        self.log.append(f"ready {kind}")
        return self._body(request, "Succeeded")

    def register(self, namespace: str) -> bool:
        self.log.append(f"register {namespace}")
        done = self.registering.pop(0) if self.registering else True
        if done:
            self.refuse = ""
        return done

    def _body(self, request: ResourceRequest, state: str) -> resource_types.Json:
        body = {"properties": {**request.body["properties"], "provisioningState": state}}
        if request.type == resource_types.PUBLIC_IP and state == "Succeeded":
            body["properties"]["ipAddress"] = "203.0.113.99"
        answer: resource_types.Json = json.loads(json.dumps(body))
        return answer


@pytest.fixture
def file(tmp_path: Path) -> RecordFile:
    file = RecordFile.of(str(tmp_path / "profile_azure"), "c1")
    file.create(_record())
    return file


def _requests() -> list[ResourceRequest]:
    parameters = {"sshPublicKey": "k", "customData": "c"}
    written = json.dumps(controller_template(CLUSTER))  # a job file, which users may edit
    return requests(json.loads(written), parameters, CLUSTER)


async def _create_all(azure: Any, file: RecordFile) -> dict[str, resource_types.Json]:
    await create_group(azure, file, CLUSTER)
    return await create_all(azure, file, _requests(), lambda: None, PROGRESS)


async def _create_needed(azure: Any, file: RecordFile, kind: str) -> dict[str, resource_types.Json]:
    """Create one resource, and a NIC that needs nothing else."""
    [one] = [request for request in _requests() if request.type == kind]
    [nic] = [request for request in _requests() if request.type == resource_types.NIC]
    needing = replace(nic, depends_on=(one.id,))
    return await create_all(azure, file, [one, needing], lambda: None, PROGRESS)


@pytest.mark.usefixtures("clock")
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


async def test_in_a_group_that_exists_none_is_made(file: RecordFile) -> None:
    azure = Azure()
    await create_group(azure, file, replace(CLUSTER, owns_resource_group=False))  # type: ignore[arg-type]
    assert azure.log == []


@pytest.mark.usefixtures("clock")
async def test_without_a_public_address_the_private_one_is_used(file: RecordFile) -> None:
    answers = await _create_all(Azure(), file)
    private = replace(CLUSTER, public_ip=False)
    assert controller_addresses(private, answers) == ("10.42.0.4", "10.42.0.4")


async def test_one_refusal_ends_the_others(file: RecordFile, clock: Clock) -> None:
    azure = Azure()
    azure.refuse, azure.slow = "virtualNetworks", "networkSecurityGroups"
    with pytest.raises(RequestRefused):
        await _create_all(azure, file)
    assert "put networkInterfaces" not in azure.log
    assert clock.passed_s < 10
    assert asyncio.all_tasks() == {asyncio.current_task()}


MISSING = "MissingSubscriptionRegistration"


async def test_a_provider_that_is_not_registered_is(
    file: RecordFile, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    azure = Azure()
    azure.refuse, azure.fail_with = "virtualNetworks", json.loads(f'"{MISSING}"')
    azure.registering = [False] * 60
    answers = await _create_needed(azure, file, resource_types.VIRTUAL_NETWORK)
    assert azure.log[:61] == ["register Microsoft.Network"] * 61
    assert azure.log[-1] == "put networkInterfaces"
    assert 100 < clock.passed_s < 300
    assert len(answers) == 2
    assert "Registering Microsoft.Network with the subscription" in caplog.text


async def test_a_registration_that_never_ends_ends_the_start(
    file: RecordFile, clock: Clock
) -> None:
    azure = Azure()
    azure.refuse, azure.fail_with, azure.registering = "virtualNetworks", MISSING, [False] * 2000
    with pytest.raises(AzureLauncherError, match=r"not registered after 300 s.*az provider show"):
        await _create_needed(azure, file, resource_types.VIRTUAL_NETWORK)
    assert 300 <= clock.passed_s < 305
    assert "put networkInterfaces" not in azure.log


async def test_a_stop_ends_the_wait_for_a_registration(file: RecordFile, clock: Clock) -> None:
    azure = Azure()
    azure.refuse, azure.fail_with, azure.registering = "virtualNetworks", MISSING, [False] * 2000
    register = azure.register

    def stop_and_register(namespace: str) -> bool:
        file.erase()
        return register(namespace)

    azure.register = stop_and_register  # type: ignore[method-assign]
    with pytest.raises(ClusterStopped):
        await _create_needed(azure, file, resource_types.VIRTUAL_NETWORK)
    assert azure.log == ["register Microsoft.Network"]


@pytest.mark.parametrize("code", ["", "AuthorizationFailed", "QuotaExceeded"])
async def test_other_refusals_are_no_reason_to_register(file: RecordFile, code: str) -> None:
    azure = Azure()
    azure.refuse, azure.fail_with = "virtualNetworks", code
    with pytest.raises(RequestRefused, match="no"):
        await _create_needed(azure, file, resource_types.VIRTUAL_NETWORK)
    assert azure.log == []


async def test_nothing_is_created_once_the_cluster_is_being_deleted(file: RecordFile) -> None:
    azure = Azure()
    with file.edit() as record:
        record.state = DELETING
    with pytest.raises(ClusterStopped):
        await _create_all(azure, file)
    assert azure.log == []


@pytest.mark.usefixtures("clock")
async def test_what_lands_after_a_stop_elsewhere_is_deleted(file: RecordFile) -> None:
    # the other process may have looked for it before it was there
    azure = Azure()
    put = azure.put

    def stop_and_put(request: ResourceRequest) -> tuple[resource_types.Json, str]:
        if request.type == resource_types.VIRTUAL_MACHINE:
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
    file: RecordFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provision, "IN_FLIGHT_TIMEOUT_S", 5.0)
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


def test_calls_of_another_cluster_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provision, "IN_FLIGHT_TIMEOUT_S", 5.0)
    flights = CreatesInFlight()
    release = threading.Event()
    thread = threading.Thread(target=flights.call, args=(tmp_path / "a", release.wait))
    thread.start()
    started = time.monotonic()
    assert flights.wait(tmp_path / "b")
    assert time.monotonic() - started < 4  # of the 5 that it would wait for its own
    monkeypatch.setattr(provision, "IN_FLIGHT_TIMEOUT_S", 0.1)
    assert not flights.wait(tmp_path / "a")
    monkeypatch.setattr(provision, "IN_FLIGHT_TIMEOUT_S", 20.0)
    threading.Timer(0.1, release.set).start()
    started = time.monotonic()
    assert flights.wait(tmp_path / "a")
    assert time.monotonic() - started < 10  # told at once, not found at the end
    thread.join()
    assert flights.wait(tmp_path / "a")


async def test_engines_can_be_requested_before_the_rest_of_the_network_is_there(
    file: RecordFile, clock: Clock
) -> None:
    azure = Azure()
    azure.slow = "networkSecurityGroups"
    logs: list[list[str]] = []

    def said() -> None:
        logs.append(list(azure.log))
        azure.slow = ""

    await create_all(azure, file, _requests(), said, PROGRESS)  # type: ignore[arg-type]
    [log] = logs
    assert "ready virtualNetworks" in log
    assert "put networkInterfaces" not in log
    assert azure.log[-1] == "put virtualMachines"


def _unseen(azure: Azure, code: str, clock: Clock, until_s: float) -> Any:
    def look(request: ResourceRequest) -> resource_types.Json:
        if clock.passed_s < until_s:
            raise RequestRefused("not seen", json.loads(f'"{code}"'))
        return Azure.get(azure, request)

    return look


async def test_what_is_not_seen_yet_is_looked_for_again(file: RecordFile, clock: Clock) -> None:
    azure = Azure()
    azure.get = _unseen(azure, "ResourceNotFound", clock, 29)  # type: ignore[method-assign]
    await _create_needed(azure, file, resource_types.VIRTUAL_NETWORK)
    assert azure.log[-1] == "put networkInterfaces"
    assert max(clock.pauses_s) == 0.5  # the start waits for it


async def test_what_is_never_seen_ends_the_start(file: RecordFile, clock: Clock) -> None:
    azure = Azure()
    azure.get = _unseen(azure, "ResourceNotFound", clock, 1000)  # type: ignore[method-assign]
    with pytest.raises(RequestRefused, match="not seen"):
        await _create_needed(azure, file, resource_types.VIRTUAL_NETWORK)
    assert 30 < clock.passed_s < 30.6


@pytest.mark.parametrize("code", ["AuthorizationFailed", "SubscriptionNotFound"])
async def test_a_look_that_is_refused_ends_the_start(
    file: RecordFile, clock: Clock, code: str
) -> None:
    azure = Azure()
    azure.get = _unseen(azure, code, clock, 1000)  # type: ignore[method-assign]
    with pytest.raises(RequestRefused, match="not seen"):
        await _create_needed(azure, file, resource_types.VIRTUAL_NETWORK)
    assert clock.passed_s < 1


@pytest.mark.usefixtures("clock")
async def test_a_network_that_exists_needs_no_waiting(file: RecordFile) -> None:
    azure, plan = Azure(), replace(CLUSTER, subnet_id="/subscriptions/s/subnets/office")
    found = requests(controller_template(plan), {"sshPublicKey": "k", "customData": "c"}, plan)
    said_before: list[bool] = []

    def said() -> None:
        said_before.append(not azure.log)

    await create_all(azure, file, found, said, PROGRESS)  # type: ignore[arg-type]
    assert said_before == [True]


async def test_a_network_that_never_gets_ready_ends_the_start(
    file: RecordFile, clock: Clock
) -> None:
    azure = Azure()
    azure.slow = "virtualNetworks"
    with pytest.raises(AzureLauncherError, match=r"ipp-azure-0a1b2c3d-vnet within 120 s.*Updating"):
        await _create_needed(azure, file, resource_types.VIRTUAL_NETWORK)
    assert 120 < clock.passed_s < 121
    assert "put networkInterfaces" not in azure.log


async def test_a_stop_ends_the_wait_for_a_network(file: RecordFile, clock: Clock) -> None:
    azure = Azure()
    azure.slow = "virtualNetworks"

    def look(request: ResourceRequest) -> resource_types.Json:
        file.erase()
        return Azure.get(azure, request)

    azure.get = look  # type: ignore[method-assign]
    with pytest.raises(ClusterStopped):
        await _create_needed(azure, file, resource_types.VIRTUAL_NETWORK)
    assert clock.passed_s < 2


@pytest.mark.parametrize("state", ["Failed", "Canceled"])
async def test_a_network_that_cannot_be_made_ends_the_start(
    file: RecordFile, clock: Clock, state: str
) -> None:
    azure = Azure()
    azure.get = lambda request: azure._body(request, state)  # type: ignore[method-assign]
    with pytest.raises(AzureLauncherError, match=f"could not create .*-vnet: it is {state}"):
        await _create_needed(azure, file, resource_types.VIRTUAL_NETWORK)
    assert clock.passed_s < 1


async def test_a_public_address_is_waited_for(file: RecordFile, clock: Clock) -> None:
    azure, looks = Azure(), []

    def look(request: ResourceRequest) -> resource_types.Json:
        looks.append(request.name)
        body = azure._body(request, "Succeeded")
        if len(looks) < 4:
            del body["properties"]["ipAddress"]
        return body

    azure.get = look  # type: ignore[method-assign]
    answers = await _create_needed(azure, file, resource_types.PUBLIC_IP)
    assert controller_addresses(CLUSTER, answers) == ("203.0.113.99", "10.42.0.4")
    assert len(looks) == 4

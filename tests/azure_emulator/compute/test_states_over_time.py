"""With a time scale above 0: states in between, what is refused meanwhile, and who wins."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from azure_emulator import client
from azure_emulator.base.durations import TABLES, Durations, quantile
from azure_emulator.base.random_streams import Chance

from ..cloud import Cloud, Keys, Site, address_of, answers, scale_set_body, vm_body
from ..conftest import numbers, running


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A VM takes some 0.3 s, a network 0.03 s, a group's deletion seconds."""
    directory = tmp_path_factory.mktemp("slow")
    yield from running(directory, machines="none", time_scale=0.01, seed=7)


@pytest.fixture
def site(slow: Cloud) -> Site:
    return Site(slow, f"slow-{next(numbers)}", "10.0.0.0/20")


def state_of(site: Site, kind: str, name: str) -> str:
    return str(site.get(kind, name).body["properties"]["provisioningState"])


def test_operations_take_time_and_are_not_driven_by_polls(
    slow: Cloud, site: Site, keys: Keys
) -> None:
    nic = site.nic("nic", site.network())["id"]
    began = time.monotonic()
    answer = site.put("virtualMachines", "vm", vm_body(keys, nic)["properties"])
    operation = answer.headers["azure-asyncoperation"]
    first = slow.call("GET", operation)
    assert first.body["status"] == "InProgress"
    assert set(first.body) == {"startTime", "status", "name"}
    assert first.headers["retry-after"] == "1"
    while slow.call("GET", operation).body["status"] == "InProgress":
        pass
    assert time.monotonic() - began > 0.19  # however often it was asked
    assert slow.wait_for(answer)["status"] == "Succeeded"
    assert state_of(site, "virtualMachines", "vm") == "Succeeded"


def test_a_machine_deleted_while_it_is_created_does_not_come_back(
    slow: Cloud, site: Site, keys: Keys
) -> None:
    nic = site.nic("nic", site.network())["id"]
    created = site.put("virtualMachines", "vm", vm_body(keys, nic)["properties"])
    deleted = slow.call("DELETE", site.provider("virtualMachines", "vm") + "?forceDeletion=true")
    assert deleted.status == 202
    pending = slow.call("GET", deleted.headers["location"])
    assert (pending.status, pending.body) == (202, None)
    failed = slow.wait_for(created)
    assert (failed["status"], failed["error"]["code"]) == ("Failed", "OperationPreempted")
    assert slow.wait_for(deleted)["status"] == "Succeeded"
    assert site.names() == ["nic", "vnet"]


def test_a_group_being_deleted_takes_nothing_new(slow: Cloud, site: Site) -> None:
    site.network()
    answer = slow.call("DELETE", site.path)
    assert answer.status == 202
    pending = slow.call("GET", answer.headers["location"])
    assert (pending.status, pending.body) == (202, None)
    assert "location" in pending.headers
    shown = slow.call("GET", site.path).body
    assert shown["properties"]["provisioningState"] == "Deleting"
    for path, body in (
        (site.path, {"location": "eastus"}),
        (site.provider("virtualNetworks", "other"), {"location": "eastus", "properties": {}}),
        (site.provider("virtualMachines", "vm"), {"location": "eastus", "properties": {}}),
    ):
        refused = slow.call("PUT", path, body)
        assert (refused.status, refused.code) == (409, "ResourceGroupBeingDeleted")
    again = slow.call("DELETE", site.path)
    assert again.status == 202
    assert slow.call("HEAD", site.path).status == 204


def test_each_machine_of_a_scale_set_has_its_own_time(slow: Cloud, site: Site, keys: Keys) -> None:
    body = scale_set_body(keys, site.network(), 12)
    answer = slow.call("PUT", site.provider("virtualMachineScaleSets", "set"), body)
    seen: set[int] = set()
    while slow.call("GET", answer.headers["azure-asyncoperation"]).body["status"] == "InProgress":
        machines = site.get("virtualMachines").body["value"]
        seen.add(sum(vm["properties"]["provisioningState"] == "Succeeded" for vm in machines))
    assert len(seen) > 2, seen


def test_durations_are_seeded_and_follow_the_quantiles() -> None:
    one, two, other = (Durations(Chance(seed).stream("durations")) for seed in (1, 1, 2))
    draws = [one.draw("vm_create") for _ in range(2000)]
    assert draws == [two.draw("vm_create") for _ in range(2000)]
    assert draws[:10] != [other.draw("vm_create") for _ in range(10)]
    draws.sort()
    assert 26 < draws[1000] < 29
    assert 48 < draws[1800] < 56


@pytest.mark.parametrize("name", sorted(TABLES))
def test_quantile_tables_ascend(name: str) -> None:
    values = [quantile(TABLES[name], share / 100) for share in range(101)]
    assert values == sorted(values)
    assert TABLES[name][0][0] == 0.0
    assert TABLES[name][-1][0] == 1.0


def test_sshd_answers_some_time_after_success(
    tmp_path_factory: pytest.TempPathFactory, keys: Keys
) -> None:
    directory = tmp_path_factory.mktemp("lag")
    for cloud in running(directory, machines="process", time_scale=0.05, seed=5):
        offer = client.offer(cloud.info)
        site = Site(cloud, "lag", offer["address_prefix"])
        body = scale_set_body(keys, site.network(), 8)
        answer = cloud.call("PUT", site.provider("virtualMachineScaleSets", "set"), body)
        assert cloud.wait_for(answer)["status"] == "Succeeded"
        nics = site.get("networkInterfaces").body["value"]
        waiting = {address_of(nic) for nic in nics}
        deadline = time.monotonic() + 10
        while waiting:
            assert time.monotonic() < deadline, f"no sshd on {waiting}"
            waiting = {address for address in waiting if not answers(address, offer["ssh_port"])}
            time.sleep(0.01)

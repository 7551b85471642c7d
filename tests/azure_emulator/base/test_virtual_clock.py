"""A virtual clock: time stands still until told, and one seed gives one history."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azure_emulator import client
from azure_emulator.base import clock
from azure_emulator.base.clock import VirtualClock

from ..cloud import Answer, Cloud, Keys, Site, address_of, answers, scale_set_body, vm_body
from ..conftest import numbers, running


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    directory = tmp_path_factory.mktemp("still")
    yield from running(directory, machines="none", clock="virtual", seed=3)


def prepared(cloud: Cloud, keys: Keys) -> tuple[Site, dict[str, Any]]:
    """A site with a network and an interface, and the body of a VM on it."""
    site = Site(cloud, f"still-{next(numbers)}", "10.0.0.0/20")
    vnet = site.put(
        "virtualNetworks",
        "vnet",
        {
            "addressSpace": {"addressPrefixes": [site.prefix]},
            "subnets": [{"name": "main", "properties": {"addressPrefix": site.prefix}}],
        },
    )
    client.advance(cloud.info, 60)
    subnet = {"id": vnet.body["properties"]["subnets"][0]["id"]}
    nic = site.put(
        "networkInterfaces",
        "nic",
        {"ipConfigurations": [{"name": "primary", "properties": {"subnet": subnet}}]},
    )
    return site, vm_body(keys, nic.body["id"])


def operation(cloud: Cloud, answer: Answer) -> dict[str, Any]:
    return dict(cloud.call("GET", answer.headers["azure-asyncoperation"]).body)


def test_nothing_happens_until_time_is_advanced(still: Cloud, keys: Keys) -> None:
    site, body = prepared(still, keys)
    answer = still.call("PUT", site.provider("virtualMachines", "vm"), body)
    for _ in range(50):
        assert operation(still, answer)["status"] == "InProgress"
    client.advance(still.info, 19)  # no VM was ever faster than 20 s
    assert operation(still, answer)["status"] == "InProgress"
    client.advance(still.info, 50)  # nor slower than 66 s
    assert operation(still, answer)["status"] == "Succeeded"
    assert site.get("virtualMachines", "vm").body["properties"]["timeCreated"].startswith("2026-")


def test_an_operations_times_are_the_moments_it_fell_due(still: Cloud, keys: Keys) -> None:
    site, body = prepared(still, keys)
    answer = still.call("PUT", site.provider("virtualMachines", "vm"), body)
    date = answer.headers["date"]
    client.advance(still.info, 3600)
    done = operation(still, answer)
    began, ended = (
        time.mktime(time.strptime(done[name][:19], "%Y-%m-%dT%H:%M:%S"))
        for name in ("startTime", "endTime")
    )
    assert 19 <= ended - began <= 67
    assert still.call("GET", site.path).headers["date"] != date
    request_id = still.call("GET", site.path).headers["x-ms-routing-request-id"]
    assert request_id.startswith("EASTUS:20260101T")


def test_hours_pass_in_moments_for_many_machines(still: Cloud, keys: Keys) -> None:
    site, _ = prepared(still, keys)
    subnet = f"{site.id}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/main"
    path = site.provider("virtualMachineScaleSets", "set")
    created = still.call("PUT", path, scale_set_body(keys, subnet, 200))
    began = time.monotonic()
    client.advance(still.info, 6 * 3600)
    assert time.monotonic() - began < 30  # 1 s on an idle computer
    assert operation(still, created)["status"] == "Succeeded"
    states = [
        vm["properties"]["provisioningState"] for vm in site.get("virtualMachines").body["value"]
    ]
    assert states == ["Succeeded"] * 200
    # A deletion has several waits one after the other; one step of time covers them all.
    deleted = still.call("DELETE", site.path)
    client.advance(still.info, 3 * 3600)
    assert still.call("GET", deleted.headers["location"]).status == 200
    assert still.call("GET", site.path).status == 404


def test_only_a_virtual_clock_can_be_advanced(arm: Cloud, still: Cloud) -> None:
    with pytest.raises(client.EmulatorError, match="Only a virtual clock"):
        client.advance(arm.info, 1)
    for wrong in (-1, 1e300, "soon", True, None):
        answer = still.call("POST", "/emulator/clock", {"advance_s": wrong}, version=None)
        assert (answer.status, answer.code) == (400, "InvalidParameter")
    assert still.call("POST", "/emulator/clock", [1], version=None).status == 400
    assert still.call("GET", "/emulator/clock", version=None).body["kind"] == "virtual"


async def test_sleepers_wake_in_order_and_may_sleep_again_within_one_step() -> None:
    clock = VirtualClock()
    seen: list[tuple[str, float]] = []

    async def worker(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            seen.append((name, clock.monotonic()))

    tasks = [
        asyncio.ensure_future(worker("a", 5, 5, 100)),
        asyncio.ensure_future(worker("b", 7, 1)),
        asyncio.ensure_future(worker("c", 5)),
    ]
    await clock.advance(12)
    assert seen == [("a", 5), ("c", 5), ("b", 7), ("b", 8), ("a", 10)]
    assert clock.monotonic() == 12
    tasks[0].cancel()
    await clock.advance(1000)
    assert len(seen) == 5


async def test_time_waits_for_real_work() -> None:
    clock = VirtualClock()
    ends: list[float] = []

    async def boot() -> None:
        await clock.sleep(1)
        with clock.working():
            await asyncio.sleep(0.2)
        await clock.sleep(1)
        ends.append(clock.monotonic())

    task = asyncio.ensure_future(boot())
    await clock.advance(10)
    assert ends == [2]
    await task


def history(cloud: Cloud, keys: Keys) -> list[str]:
    """All answers to one script of requests."""
    seen: list[str] = []
    site = Site(cloud, "twin", "10.0.0.0/20")

    def call(method: str, path: str, body: Any = None) -> Answer:
        answer = cloud.call(method, path, body)
        seen.append(repr(answer).replace(cloud.info.endpoint, "https://endpoint"))
        return answer

    def put(kind: str, name: str, properties: Any, **top: Any) -> Answer:
        body = {"location": "eastus", "properties": properties, **top}
        return call("PUT", site.provider(kind, name), body)

    space = {"addressPrefixes": [site.prefix]}
    subnets = [{"name": "main", "properties": {"addressPrefix": site.prefix}}]
    vnet = put("virtualNetworks", "vnet", {"addressSpace": space, "subnets": subnets})
    put("publicIPAddresses", "ip", {}, sku={"name": "Standard"})
    call("GET", "/resourceGroups/nowhere")
    client.advance(cloud.info, 20)
    call("GET", site.provider("publicIPAddresses", "ip"))
    subnet = vnet.body["properties"]["subnets"][0]["id"]
    body = scale_set_body(keys, subnet, 5)
    answer = call("PUT", site.provider("virtualMachineScaleSets", "set"), body)
    for _ in range(6):
        client.advance(cloud.info, 15)
        call("GET", answer.headers["azure-asyncoperation"])
        call("GET", site.provider("virtualMachines"))
    call("GET", site.provider("networkInterfaces"))
    call("GET", site.provider("disks"))
    call("DELETE", site.path)
    client.advance(cloud.info, 3600)
    call("GET", site.path)
    return seen


def test_one_seed_gives_one_history(tmp_path: Path, keys: Keys) -> None:
    options: dict[str, object] = {"machines": "none", "clock": "virtual"}
    one, two, other = (
        [history(cloud, keys) for cloud in running(tmp_path / str(number), seed=seed, **options)]
        for number, seed in enumerate((11, 11, 12))
    )
    assert len(one[0]) > 20
    assert one == two
    assert one != other


def test_real_machines_are_up_when_their_time_has_come(
    tmp_path_factory: pytest.TempPathFactory, keys: Keys
) -> None:
    for cloud in running(tmp_path_factory.mktemp("real"), machines="process", clock="virtual"):
        offer = client.offer(cloud.info)
        site = Site(cloud, "real", offer["address_prefix"])
        space = {"addressPrefixes": [site.prefix]}
        subnets = [{"name": "main", "properties": {"addressPrefix": site.prefix}}]
        vnet = site.put("virtualNetworks", "vnet", {"addressSpace": space, "subnets": subnets})
        subnet = vnet.body["properties"]["subnets"][0]["id"]
        cloud.call(
            "PUT",
            site.provider("virtualMachineScaleSets", "set"),
            scale_set_body(keys, subnet, 3),
        )
        addresses = [address_of(nic) for nic in site.get("networkInterfaces").body["value"]]
        port = offer["ssh_port"]
        client.advance(cloud.info, 19)
        assert not any(answers(address, port) for address in addresses)
        client.advance(cloud.info, 66 + 12 + 4)  # the slowest machine, boot and set there are
        assert all(answers(address, port) for address in addresses)
        cloud.call("DELETE", site.path)
        client.advance(cloud.info, 3600)
        assert not any(answers(address, port) for address in addresses)


def test_the_first_poll_waits_long_only_for_a_system(still: Cloud, keys: Keys) -> None:
    site, body = prepared(still, keys)
    path = site.provider("virtualMachines", "vm")

    def first_poll(answer: Answer) -> dict[str, str]:
        assert "retry-after" in answer.headers
        polled = still.call("GET", answer.headers["azure-asyncoperation"])
        assert polled.body["status"] == "InProgress"
        client.advance(still.info, 3600)
        return polled.headers

    assert "retry-after" in first_poll(still.call("PUT", path, body))
    assert "retry-after" not in first_poll(still.call("PUT", path, body))


def test_a_real_clock_goes_on_in_sleep_and_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    passed_s = 50.0
    monkeypatch.setattr(clock, "_passed_s", lambda: passed_s)
    real = clock.RealClock(1.0)
    began = real.now()
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert real.now() == began
    passed_s += 3600
    assert (real.now() - began).total_seconds() == 3600

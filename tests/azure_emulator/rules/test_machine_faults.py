"""Declared faults of machines: what a client sees of them over SSH, and what Azure says."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import asyncssh
import pytest

from azure_emulator import client, testing
from azure_emulator.guest import packet_loss, processes

from ..cloud import Cloud, Keys, Site, address_of, vm_body
from ..conftest import numbers, running
from ..hosts import Host, engines, make_host, until

SILENCE_S = 0.4

needs_packet_loss = pytest.mark.skipif(
    not packet_loss.supported(), reason="this kernel has no TCP MD5 signatures"
)


def power_of(host: Host) -> str:
    return power(host.site, "controller")


def power(site: Site, name: str) -> str:
    view = site.cloud.call("GET", site.provider("virtualMachines", name, "instanceView")).body
    codes = [status["code"] for status in view["statuses"]]
    return str(codes[-1])


async def is_silent(awaitable: Any) -> bool:
    """No answer and no end within some time."""
    try:
        await asyncio.wait_for(awaitable, SILENCE_S)
    except asyncio.TimeoutError:
        return True
    return False


# Boots that fail


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Machines on a virtual clock."""
    directory = tmp_path_factory.mktemp("still")
    yield from running(directory, machines="process", clock="virtual", seed=3)


@pytest.fixture
def still_site(still: Cloud) -> Iterator[Site]:
    offer = client.offer(still.info)
    site = Site(still, f"still-{next(numbers)}", offer["address_prefix"])
    yield site
    still.call("DELETE", site.path)
    client.advance(still.info, 5000)


def begin_vm(site: Site, keys: Keys, name: str = "vm", **properties: Any) -> tuple[Any, str]:
    """The answer to the VM's PUT, and its address."""
    space = {"addressPrefixes": [site.prefix]}
    subnet = {"name": "main", "properties": {"addressPrefix": site.prefix}}
    site.put("virtualNetworks", "vnet", {"addressSpace": space, "subnets": [subnet]})
    client.advance(site.cloud.info, 60)
    place = {"id": f"{site.id}/providers/Microsoft.Network/virtualNetworks/vnet/subnets/main"}
    ip = [{"name": "primary", "properties": {"subnet": place}}]
    nic = site.put("networkInterfaces", f"{name}-nic", {"ipConfigurations": ip}).body
    body = vm_body(keys, nic["id"], customData=keys.custom_data())["properties"] | properties
    return site.put("virtualMachines", name, body), address_of(nic)


def state_of(cloud: Cloud, answer: Any) -> dict[str, Any]:
    return dict(cloud.call("GET", answer.headers["azure-asyncoperation"]).body)


async def test_a_machine_that_never_boots(still_site: Site, keys: Keys) -> None:
    cloud = still_site.cloud
    port = client.offer(cloud.info)["ssh_port"]
    with testing.faults(cloud.info, testing.fault("never_boots", name="vm")):
        answer, address = begin_vm(still_site, keys)
    reader, writer = await asyncio.open_connection(address, port)
    client.advance(cloud.info, 39 * 60)
    assert state_of(cloud, answer)["status"] == "InProgress"
    client.advance(cloud.info, 3 * 60)
    state = state_of(cloud, answer)
    assert (state["status"], state["error"]["code"]) == ("Failed", "OSProvisioningTimedOut")
    assert await is_silent(reader.read(1))
    writer.close()
    # It is there, and costs: power, disk and quota.
    shown = still_site.get("virtualMachines", "vm").body["properties"]
    assert shown["provisioningState"] == "Failed"
    assert power(still_site, "vm") == "PowerState/running"
    assert len(still_site.get("disks").body["value"]) == 1
    assert still_site.delete("virtualMachines", "vm").status == 202


async def test_silence_before_the_boot_and_an_answer_after_it(still_site: Site, keys: Keys) -> None:
    cloud = still_site.cloud
    port = client.offer(cloud.info)["ssh_port"]
    answer, address = begin_vm(still_site, keys)
    reader, writer = await asyncio.open_connection(address, port)
    assert await is_silent(reader.readline())
    client.advance(cloud.info, 100)
    assert state_of(cloud, answer)["status"] == "Succeeded"
    assert (await reader.readline()).startswith(b"SSH-2.0-")
    writer.close()


async def test_a_machine_without_ssh_refuses(lan: Site, keys: Keys) -> None:
    with testing.faults(lan.cloud.info, testing.fault("no_ssh")) as met:
        host = make_host(lan, keys)
    assert met.fired == [1]
    assert power_of(host) == "PowerState/running"
    for address in (host.public, host.private):
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection(address, host.port)


async def test_a_machine_with_another_host_key(lan: Site, keys: Keys) -> None:
    with testing.faults(lan.cloud.info, testing.fault("wrong_host_key")):
        host = make_host(lan, keys)
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        async with host.connect():
            pass
    async with host.connect(known_hosts=None) as connection:
        assert (await connection.run("true")).exit_status == 0


async def test_only_one_of_a_scale_set(host: Host) -> None:
    kind = "*/virtualMachineScaleSets/virtualMachines"
    with testing.faults(host.site.cloud.info, testing.fault("no_ssh", type=kind, skip=1)):
        addresses = engines(host, 3)
    refused = 0
    for address in addresses:
        try:
            _, writer = await asyncio.open_connection(address, host.port)
            writer.close()
        except OSError:
            refused += 1
    assert refused == 1


# The network


SERVER = """
import socket, sys
listener = socket.create_server((sys.argv[1], 0))
print(listener.getsockname()[1], flush=True)
peer, _ = listener.accept()
while data := peer.recv(100):
    peer.sendall(data)
"""


@needs_packet_loss
async def test_a_lost_network_is_silence_and_heals(lan: Site, keys: Keys) -> None:
    fault = testing.fault("no_network", name="controller", after_s=1.5, for_s=1.5)
    with testing.faults(lan.cloud.info, fault):
        host = make_host(lan, keys)
    async with host.connect() as connection:
        counting = await connection.create_process(
            "i=0; while :; do i=$((i + 1)); echo $i; echo $i > count; sleep 0.05; done"
        )
        (host.home / "server.py").write_text(SERVER)
        server = await connection.create_process(f"exec python3 server.py {host.private}")
        port = int(await server.stdout.readline())
        with socket.create_connection((host.private, port), timeout=0.2) as own:
            own.sendall(b"before")
            assert own.recv(10) == b"before"
            await until(lambda: power_of(host) and not talks(own), "the network is not lost")
            # Nothing arrives and nothing ends, in what was open and in what is new.
            while not await is_silent(counting.stdout.readline()):
                pass
            told = (host.home / "count").read_text()
            assert not connection.is_closed()
            reader, writer = await asyncio.open_connection(host.public, host.port)
            assert await is_silent(reader.read(1))
            with pytest.raises(TimeoutError):
                socket.create_connection((host.private, port), timeout=0.1)
            assert power_of(host) == "PowerState/running"
            # The machine itself goes on.
            assert (host.home / "count").read_text() != told
            own.settimeout(10)
            assert own.recv(1000)
            assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"SSH-2.0-")
            writer.close()
        await asyncio.wait_for(counting.stdout.readline(), 10)
        assert (await connection.run("echo again")).stdout == "again\n"


def talks(own: socket.socket) -> bool:
    try:
        own.sendall(b"?")
        return own.recv(10) != b""
    except TimeoutError:
        return False


@needs_packet_loss
async def test_a_crash_tells_nobody(lan: Site, keys: Keys) -> None:
    with testing.faults(lan.cloud.info, testing.fault("dies", name="controller", after_s=1)):
        host = make_host(lan, keys)
    vm_ids = frozenset([host.vm_id])
    async with host.connect() as connection:
        process = await connection.create_process("echo up; sleep 60")
        await process.stdout.readline()
        (host.home / "server.py").write_text(SERVER)
        server = await connection.create_process(f"exec python3 server.py {host.private}")
        port = int(await server.stdout.readline())
        with socket.create_connection((host.private, port), timeout=0.5) as own:
            await until(lambda: not processes.find(vm_ids), "its processes live on")
            with pytest.raises(TimeoutError):
                own.recv(1)
        assert await is_silent(process.wait_closed())
        assert power_of(host) == "PowerState/stopped"
        reader, writer = await asyncio.open_connection(host.public, host.port)
        assert await is_silent(reader.read(1))
        writer.close()
        (host.home / "kept").touch()
        machines = host.site.cloud.compute.virtual_machines
        machines.begin_start(host.site.group, "controller").wait(10)
        connection.abort()
    async with host.connect() as connection:
        assert (await connection.run("ls kept")).stdout == "kept\n"


# Eviction


@pytest.mark.parametrize("policy", ["Deallocate", "Delete"])
async def test_an_evicted_machine(lan: Site, keys: Keys, policy: str) -> None:
    nic = lan.nic("nic", lan.network())
    spot = {"priority": "Spot", "evictionPolicy": policy}
    body = vm_body(keys, nic["id"], customData=keys.custom_data())["properties"] | spot
    fault = testing.fault("evicted", name="spot", after_s=0.2, notice_s=0.5)
    with testing.faults(lan.cloud.info, fault):
        vm = lan.made("virtualMachines", "spot", body)
    vm_ids = frozenset([vm["properties"]["vmId"]])
    if policy == "Delete":
        await until(lambda: lan.get("virtualMachines", "spot").status == 404, "it is still there")
    else:
        await until(lambda: power(lan, "spot") == "PowerState/deallocated", "it still runs")
        assert lan.get("virtualMachines", "spot").body["properties"]["provisioningState"]
        lan.cloud.compute.virtual_machines.begin_start(lan.group, "spot").wait(10)
        assert power(lan, "spot") == "PowerState/running"
    assert not processes.find(vm_ids)


async def test_a_deleted_machine_meets_no_fault_any_more(lan: Site, keys: Keys) -> None:
    with testing.faults(lan.cloud.info, testing.fault("dies", after_s=0.5)):
        host = make_host(lan, keys)
    lan.deleted("virtualMachines", "controller")
    with contextlib.suppress(OSError):
        await asyncio.open_connection(host.public, host.port)
    await asyncio.sleep(0.6)
    assert lan.cloud.call("GET", "/emulator/status", version=None).status == 200

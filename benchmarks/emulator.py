"""The emulator by itself: a large scale set, and what it keeps of thousands of clusters.

    python -m benchmarks.emulator [--machines 1000] [--rounds 5] [--clusters 12000]

By requests alone, of an emulator's control plane without machines (`--machines=none`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncssh
import psutil

from azure_emulator import client
from azure_emulator.rules.operations import KEPT

from .report import Section, Table, figure, run_alone, say

QUICK = {"machines": 20, "rounds": 1, "clusters": 8}
VERSION = "api-version=2026-03-01"
CONNECTIONS, ASKING_S = 16, 5.0
LOOKS = 4
COMPUTE = "/providers/Microsoft.Compute"
NETWORK = "/providers/Microsoft.Network/virtualNetworks/net"
SCALE_SET = f"{COMPUTE}/virtualMachineScaleSets/set"
HOW = """
The control plane alone (`--machines=none`), asked over HTTPS. A scale set of {machines} machines is
made by one PUT, listed and deleted; {connections} connections ask for one of its machines after the
other. Then a group with a network and a scale set of two machines is made and deleted {clusters}
times: of what is gone the emulator is meant to keep its last {kept:,} operations, which can still
be asked for, and nothing else.
"""


def measure(machines: int = 1000, rounds: int = 5, clusters: int = 12_000) -> Section:
    with bare_emulator() as info:
        times = asyncio.run(_large_sets(info, machines, rounds))
    with bare_emulator() as info:
        kept = asyncio.run(_many_clusters(info, clusters))
    how = HOW.format(
        machines=f"{machines:,}", connections=CONNECTIONS, clusters=f"{clusters:,}", kept=KEPT
    )
    return Section("emulator", "The emulator by itself", how, [times, kept])


@contextlib.contextmanager
def bare_emulator() -> Iterator[client.EmulatorInfo]:
    with tempfile.TemporaryDirectory() as directory:
        try:
            yield client.start(
                directory, machines="none", quota_cores=1_000_000, end_with_pid=os.getpid()
            )
        finally:
            client.stop(directory)


class Arm:
    """A resource group of an emulator's, with a network and a scale set."""

    def __init__(self, session: aiohttp.ClientSession, info: client.EmulatorInfo) -> None:
        self._session = session
        self._base = f"{info.endpoint}/subscriptions/{info.subscription_id}/resourceGroups/large"
        self._key = asyncssh.generate_private_key("ssh-rsa", key_size=3072).export_public_key()

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        url = f"{self._base}{path}?{VERSION}"
        async with self._session.request(method, url, json=body) as reply:
            return reply.status, json.loads(await reply.read() or b"null")

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = await self.call(method, path, body)
        if status >= 300:
            raise SystemExit(f"{method} {path}: {answer}")
        return answer

    async def make_network(self) -> str:
        """In a new group; returns the id of its subnet."""
        subnet = {"name": "engines", "properties": {"addressPrefix": "10.0.0.0/16"}}
        space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [subnet]}
        await self.done("PUT", "", {"location": "eastus"})
        made = await self.done("PUT", NETWORK, {"location": "eastus", "properties": space})
        return str(made["properties"]["subnets"][0]["id"])

    async def make_machines(self, count: int, subnet: str) -> None:
        properties = {"orchestrationMode": "Flexible", "platformFaultDomainCount": 1}
        body = {
            "location": "eastus",
            "sku": {"name": "Standard_D4s_v5", "tier": "Standard", "capacity": count},
            "properties": {
                **properties,
                "virtualMachineProfile": machine_profile(subnet, self._key.decode()),
            },
        }
        await self.done("PUT", SCALE_SET, body)

    async def gone(self) -> None:
        """The emulator has no way to tell but to be asked."""
        while (await self.call("GET", ""))[0] != 404:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def machine_profile(subnet: str, key: str) -> dict[str, Any]:
    address = {"name": "ip", "properties": {"subnet": {"id": subnet}}}
    nic = {"name": "nic", "properties": {"primary": True, "ipConfigurations": [address]}}
    image = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
    login = {"path": "/home/ipython/.ssh/authorized_keys", "keyData": key}
    return {
        "storageProfile": {"imageReference": {**image, "version": "latest"}},
        "osProfile": {
            "adminUsername": "ipython",
            "computerNamePrefix": "engine",
            "linuxConfiguration": {
                "disablePasswordAuthentication": True,
                "ssh": {"publicKeys": [login]},
            },
        },
        "networkProfile": {
            "networkApiVersion": "2022-11-01",
            "networkInterfaceConfigurations": [nic],
        },
    }


@contextlib.asynccontextmanager
async def asked(info: client.EmulatorInfo) -> AsyncIterator[Arm]:
    async with signed_in(info) as session:
        yield Arm(session, info)


def signed_in(info: client.EmulatorInfo) -> aiohttp.ClientSession:
    token = Path(info.token_file).read_text(encoding="utf-8")
    tls = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=info.ca_file))
    return aiohttp.ClientSession(connector=tls, headers={"Authorization": f"Bearer {token}"})


async def _large_sets(info: client.EmulatorInfo, machines: int, rounds: int) -> Table:
    table = Table((f"{machines:,} machines", "time"))
    async with asked(info) as arm:
        found = []
        for number in range(rounds):
            found.append(await _one_large_set(arm, machines))
            say(f"round {number + 1} of {rounds}")
    for name in found[0]:
        unit = "a second" if "requests" in name else "s"
        digits = 0 if "requests" in name else 2
        table.add(name, figure((times[name] for times in found), unit, digits))
    table.add("memory, MB", f"{memory_mb(info):.0f}")
    return table


async def _one_large_set(arm: Arm, machines: int) -> dict[str, float]:
    times: dict[str, float] = {}

    @contextlib.contextmanager
    def timed(name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        times[name] = time.perf_counter() - began

    subnet = await arm.make_network()
    with timed("PUT of the scale set"):
        await arm.make_machines(machines, subnet)
    with timed("list of the machines"):
        listed = (await arm.done("GET", f"{COMPUTE}/virtualMachines"))["value"]
    if len(listed) != machines:
        raise SystemExit(f"{len(listed)} machines listed instead of {machines}")
    times["requests for one machine"] = await _per_second(arm, listed[0]["name"])
    with timed("DELETE of the scale set, accepted"):
        await arm.done("DELETE", SCALE_SET)
    with timed("DELETE of the group, until all is gone"):
        await arm.done("DELETE", "")
        await arm.gone()
    return times


async def _per_second(arm: Arm, machine: str) -> float:
    until = time.perf_counter() + ASKING_S

    async def ask() -> int:
        count = 0
        while time.perf_counter() < until:
            await arm.done("GET", f"{COMPUTE}/virtualMachines/{machine}")
            count += 1
        return count

    return sum(await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))) / ASKING_S


async def _many_clusters(info: client.EmulatorInfo, clusters: int) -> Table:
    table = Table(("clusters made and deleted", "memory, MB", "open files"))
    async with asked(info) as arm:
        for number in range(clusters + 1):
            if number % (clusters // LOOKS) == 0:
                files = psutil.Process(info.pid).num_fds()
                table.add(f"{number:,}", f"{memory_mb(info):.1f}", files)
                say(f"{number} of {clusters} clusters")
            await arm.make_machines(2, await arm.make_network())
            await arm.done("DELETE", SCALE_SET)
            await arm.done("DELETE", "")
            await arm.gone()
    return table


def memory_mb(info: client.EmulatorInfo) -> float:
    return float(psutil.Process(info.pid).memory_info().rss / 2**20)


if __name__ == "__main__":
    run_alone(measure)

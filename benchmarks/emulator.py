"""The emulator with a large cluster: how long its answers take, and what memory it needs.

    python benchmarks/emulator.py [MACHINES] [ROUNDS]

A scale set of MACHINES (1,000) is made by one PUT, listed and deleted, ROUNDS (5) times, on an
emulator without machines; then 16 connections ask for one machine after the other. Medians.
"""

import asyncio
import json
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from ipcluster_azure.emulator import client

VERSION = "api-version=2026-03-01"
CONNECTIONS, SECONDS = 16, 5.0
KEY = {"path": "/home/ipython/.ssh/authorized_keys", "keyData": ""}


def machine_profile(subnet: str, key: str) -> dict[str, Any]:
    address = {"name": "ip", "properties": {"subnet": {"id": subnet}}}
    nic = {"name": "nic", "properties": {"primary": True, "ipConfigurations": [address]}}
    image = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
    login = {
        "disablePasswordAuthentication": True,
        "ssh": {"publicKeys": [{**KEY, "keyData": key}]},
    }
    return {
        "storageProfile": {"imageReference": {**image, "version": "latest"}},
        "osProfile": {
            "adminUsername": "ipython",
            "computerNamePrefix": "engine",
            "linuxConfiguration": login,
        },
        "networkProfile": {
            "networkApiVersion": "2022-11-01",
            "networkInterfaceConfigurations": [nic],
        },
    }


class Arm:
    def __init__(self, session: aiohttp.ClientSession, info: client.EmulatorInfo) -> None:
        self._session = session
        self._base = f"{info.endpoint}/subscriptions/{info.subscription_id}/resourceGroups/large"

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        url = f"{self._base}{path}?{VERSION}"
        async with self._session.request(method, url, json=body) as reply:
            return reply.status, json.loads(await reply.read() or b"null")

    async def gone(self) -> None:
        """The emulator has no way to tell but to be asked."""
        while (await self.call("GET", ""))[0] != 404:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def one_round(arm: Arm, machines: int, key: str) -> dict[str, float]:
    network = "/providers/Microsoft.Network/virtualNetworks/net"
    subnet = {"name": "engines", "properties": {"addressPrefix": "10.0.0.0/16"}}
    space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [subnet]}
    await arm.call("PUT", "", {"location": "eastus"})
    _, made = await arm.call("PUT", network, {"location": "eastus", "properties": space})
    profile = machine_profile(made["properties"]["subnets"][0]["id"], key)
    properties = {"orchestrationMode": "Flexible", "platformFaultDomainCount": 1}
    body = {
        "location": "eastus",
        "sku": {"name": "Standard_D4s_v5", "tier": "Standard", "capacity": machines},
        "properties": {**properties, "virtualMachineProfile": profile},
    }
    compute = "/providers/Microsoft.Compute"
    times = {}

    async def timed(name: str, method: str, path: str, sent: Any = None) -> Any:
        began = time.perf_counter()
        status, answer = await arm.call(method, path, sent)
        times[name] = time.perf_counter() - began
        if status >= 300:
            raise SystemExit(f"{name}: {answer}")
        return answer

    await timed("scale set PUT", "PUT", f"{compute}/virtualMachineScaleSets/set", body)
    listed = await timed("machines listed", "GET", f"{compute}/virtualMachines")
    if len(listed["value"]) != machines:
        raise SystemExit(f"{len(listed['value'])} machines listed instead of {machines}")
    await timed("interfaces listed", "GET", "/providers/Microsoft.Network/networkInterfaces")
    await timed("scale set GET", "GET", f"{compute}/virtualMachineScaleSets/set")
    times["requests a second"] = await requests_per_second(arm, listed["value"][0]["name"])
    await timed("scale set DELETE", "DELETE", f"{compute}/virtualMachineScaleSets/set")
    await timed("group DELETE", "DELETE", "")
    began = time.perf_counter()
    await arm.gone()
    times["until all is gone"] = time.perf_counter() - began
    return times


async def requests_per_second(arm: Arm, machine: str) -> float:
    until = time.perf_counter() + SECONDS

    async def ask() -> int:
        count = 0
        while time.perf_counter() < until:
            await arm.call("GET", f"/providers/Microsoft.Compute/virtualMachines/{machine}")
            count += 1
        return count

    return sum(await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))) / SECONDS


def measure(machines: int, rounds: int, directory: str) -> None:
    info = client.start(directory, machines="none", quota_cores=1_000_000)
    asyncio.run(ask(info, Path(info.token_file).read_text(), machines, rounds))


async def ask(info: client.EmulatorInfo, token: str, machines: int, rounds: int) -> None:
    process = psutil.Process(info.pid)
    headers = {"Authorization": f"Bearer {token}"}
    tls = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=info.ca_file))
    async with aiohttp.ClientSession(connector=tls, headers=headers) as session:
        arm, key = Arm(session, info), public_key()
        found = [await one_round(arm, machines, key) for _ in range(rounds)]
    for name in found[0]:
        middle = statistics.median(item[name] for item in found)
        print(f"{name:20} {middle:8.3f}" + ("" if "requests" in name else " s"))
    print(f"{'memory':20} {process.memory_info().rss / 2**20:8.0f} MiB")


def public_key() -> str:
    import asyncssh

    return asyncssh.generate_private_key("ssh-rsa", key_size=3072).export_public_key().decode()


def with_emulator(work: Callable[[str], Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        try:
            work(directory)
        finally:
            client.stop(directory)


def main() -> None:
    machines, rounds = (int(word) for word in (*sys.argv[1:], *("1000", "5")[len(sys.argv) - 1 :]))
    print(f"{machines} machines, {rounds} rounds")
    with_emulator(lambda directory: measure(machines, rounds, directory))


if __name__ == "__main__":
    main()

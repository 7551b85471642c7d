"""Machines made through the real SDK, and how to log in to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from azure_emulator import client

from .cloud import USER, Keys, Site, address_of, scale_set_body, ssh_rule


@dataclass(frozen=True)
class Host:
    """A machine with a public address, and what is needed to log in."""

    site: Site
    keys: Keys
    subnet: str
    nsg: str
    private: str
    public: str
    port: int
    vm_id: str

    @asynccontextmanager
    async def connect(
        self, address: str = "", **options: Any
    ) -> AsyncIterator[asyncssh.SSHClientConnection]:
        settings: dict[str, Any] = {
            "username": USER,
            "client_keys": [self.keys.login],
            "known_hosts": self.keys.known_hosts,
            "config": None,
            "agent_path": None,
        }
        async with asyncssh.connect(
            address or self.public, self.port, **(settings | options)
        ) as connection:
            yield connection

    @property
    def directory(self) -> Path:
        return Path(self.site.cloud.info.state_dir) / "machines" / self.vm_id

    @property
    def home(self) -> Path:
        return self.directory / "home" / USER


def make_host(lan: Site, keys: Keys, **os: Any) -> Host:
    port = client.offer(lan.cloud.info)["ssh_port"]
    nsg = lan.made("networkSecurityGroups", "nsg", {"securityRules": [ssh_rule(port)]})["id"]
    subnet = lan.network()
    public = lan.public_ip("pip")
    nic = lan.nic("nic", subnet, nsg=nsg, publicIPAddress={"id": public["id"]})
    os.setdefault("customData", keys.custom_data())
    vm = lan.vm("controller", keys, nic["id"], **os)
    address = public["properties"]["ipAddress"]
    vm_id = vm["properties"]["vmId"]
    return Host(lan, keys, subnet, nsg, address_of(nic), address, port, vm_id)


def engines(host: Host, count: int) -> list[str]:
    """A scale set's private addresses."""
    body = scale_set_body(host.keys, host.subnet, count, customData=host.keys.custom_data())
    path = host.site.provider("virtualMachineScaleSets", "engines")
    answer = host.site.cloud.call("PUT", path, body)
    assert host.site.cloud.wait_for(answer)["status"] == "Succeeded"
    nics = host.site.get("networkInterfaces").body["value"]
    return [address_of(nic) for nic in nics if nic["name"] != "nic"]


async def until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)

"""Machines that are stopped and started, from outside and by themselves."""

from __future__ import annotations

import asyncio

import pytest

from azure_emulator.guest import processes

from ..cloud import Keys, Site
from ..hosts import Host, make_host, until


async def test_power_off_kills_and_start_keeps_the_disk(host: Host) -> None:
    machines = host.site.cloud.compute.virtual_machines
    async with host.connect() as connection:
        await connection.run("echo kept > file; setsid sleep 300 >/dev/null 2>&1 </dev/null &")
        machines.begin_power_off(host.site.group, "controller").wait(10)
    assert processes.find(frozenset([host.vm_id])) == []
    with pytest.raises(asyncio.TimeoutError):
        async with host.connect(connect_timeout=0.3):
            pass
    machines.begin_start(host.site.group, "controller").wait(10)
    async with host.connect() as connection:
        assert (await connection.run("cat file")).stdout == "kept\n"


@pytest.mark.parametrize("command", ["shutdown -h now", "sudo -n -u root poweroff", "halt"])
async def test_a_guest_that_ends_itself_is_stopped(lan: Site, keys: Keys, command: str) -> None:
    host = make_host(lan, keys)
    async with host.connect() as connection:
        which = await connection.run("command -v shutdown poweroff halt reboot sudo", check=True)
        found = str(which.stdout).splitlines()
        assert len(found) == 5, found
        assert all(str(host.directory) in path for path in found), found
        await connection.run(command)
    await until(lambda: power_of(lan) == "PowerState/stopped", "still running")
    assert lan.get("virtualMachines", "controller").status == 200


async def test_a_guest_that_restarts_itself_is_up_again(lan: Site, keys: Keys) -> None:
    host = make_host(lan, keys)
    async with host.connect() as connection:
        await connection.run("sleep 1000 & touch here; reboot")
        await connection.wait_closed()
    async with host.connect() as connection:
        assert (await connection.run("ls here", check=True)).stdout == "here\n"
    assert power_of(lan) == "PowerState/running"


def power_of(lan: Site) -> str:
    view = lan.get("virtualMachines", "controller", "instanceView").body
    return str(view["statuses"][-1]["code"])

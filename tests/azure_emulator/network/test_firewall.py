"""Who reaches a machine: security groups, networks, public addresses that come and go."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import asyncssh
import pytest

from azure_emulator import client
from azure_emulator.guest.vm_environment import CLOSED

from ..cloud import Keys, Site, address_of, ssh_rule
from ..hosts import Host, engines

SILENCE_S = 0.3


def set_rule(host: Host, name: str = "ssh", **change: Any) -> None:
    path = host.site.provider("networkSecurityGroups", "nsg", f"securityRules/{name}")
    body = {"properties": ssh_rule(host.port, **change)["properties"]}
    host.site.cloud.wait_for(host.site.cloud.call("PUT", path, body))


async def banner(
    address: str, port: int, timeout_s: float = SILENCE_S, source: str = ""
) -> bytes | None:
    """None: silence, without an end of the connection either."""
    local = (source, 0) if source else None
    reader, writer = await asyncio.open_connection(address, port, local_addr=local)
    try:
        return await asyncio.wait_for(reader.readline(), timeout_s)
    except asyncio.TimeoutError:
        return None
    finally:
        writer.close()


async def test_whom_the_group_forbids_meets_silence(host: Host) -> None:
    for change in ({"sourceAddressPrefix": "203.0.113.9/32"}, {"access": "Deny"}):
        set_rule(host, **change)
        assert await banner(host.public, host.port) is None
        with pytest.raises(asyncio.TimeoutError):
            async with host.connect(connect_timeout=SILENCE_S):
                pass
    set_rule(host)
    async with host.connect():
        pass


async def test_rules_are_for_new_connections_and_at_once(host: Host) -> None:
    async with host.connect() as connection:
        set_rule(host, access="Deny")
        # As on Azure a flow that exists is not cut.
        assert (await connection.run("echo still")).stdout == "still\n"
        waiting = asyncio.ensure_future(banner(host.public, host.port, 10))
        await asyncio.sleep(SILENCE_S)
        assert not waiting.done()
        set_rule(host)
        # Whoever still tries is let in, as its next SYN would be.
        assert (await waiting or b"").startswith(b"SSH-2.0-")


async def test_without_a_security_group_a_standard_address_is_closed(lan: Site, keys: Keys) -> None:
    public = lan.public_ip("pip")
    nic = lan.nic("nic", lan.network(), publicIPAddress={"id": public["id"]})
    lan.vm("vm", keys, nic["id"])
    port = client.offer(lan.cloud.info)["ssh_port"]
    assert await banner(public["properties"]["ipAddress"], port) is None
    assert await banner(address_of(nic), port)


async def test_the_default_rules_let_the_network_in_and_the_internet_out(host: Host) -> None:
    set_rule(host, access="Deny", sourceAddressPrefix="192.0.2.0/24")
    assert await banner(host.public, host.port) is None  # DenyAllInBound
    (engine,) = engines(host, 1)
    # AllowVnetInBound: a machine of the network, and who is connected to it.
    assert await banner(host.private, host.port, source=engine)
    assert await banner(host.private, host.port)


async def test_private_addresses_are_guarded_too(host: Host) -> None:
    (engine,) = engines(host, 1)
    async with host.connect() as jump:
        set_rule(host, "no-engines", access="Deny", sourceAddressPrefix=engine, priority=200)
        assert await banner(host.private, host.port, source=engine) is None
        assert await banner(host.private, host.port, source=host.private)
        set_rule(host, "no-engines", direction="Outbound", access="Deny", priority=200)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(jump.open_connection(engine, host.port), SILENCE_S)
        set_rule(host, "no-engines", direction="Outbound", priority=200)
        reader, writer = await jump.open_connection(engine, host.port)
        assert (await reader.readline()).startswith(b"SSH-2.0-")
        writer.close()


async def test_no_route_leads_from_one_network_to_another(host: Host, keys: Keys) -> None:
    other = Site(host.site.cloud, "elsewhere", client.offer(host.site.cloud.info)["address_prefix"])
    try:
        nic = other.nic("nic", other.network())
        other.vm("vm", keys, nic["id"])
        stranger = address_of(nic)
        assert await banner(host.private, host.port, source=stranger) is None
        assert await banner(stranger, host.port, source=host.private) is None
        # The public address is open to all of 127.0.0.0/8, and seen from outside it is the source.
        assert await banner(host.public, host.port, source=stranger)
        async with host.connect() as connection:
            with socket.create_server((stranger, 0)) as listener:
                _, writer = await connection.open_connection(*listener.getsockname())
                accepted, peer = listener.accept()
                accepted.close()
                writer.close()
            assert peer[0] == host.public
    finally:
        host.site.cloud.wait_for_group("elsewhere")


async def test_a_public_address_comes_and_goes_with_the_interface(lan: Site, keys: Keys) -> None:
    port = client.offer(lan.cloud.info)["ssh_port"]
    subnet = lan.network()
    nsg = lan.made("networkSecurityGroups", "nsg", {"securityRules": [ssh_rule(port)]})["id"]
    public = lan.public_ip("pip")
    address = public["properties"]["ipAddress"]
    nic = lan.nic("nic", subnet, nsg=nsg)
    lan.vm("vm", keys, nic["id"], customData=keys.custom_data())
    with pytest.raises(OSError, match="Connect call failed"):
        await banner(address, port)
    lan.nic("nic", subnet, nsg=nsg, publicIPAddress={"id": public["id"]})
    options: dict[str, Any] = {
        "username": "ipython",
        "client_keys": [keys.login],
        "known_hosts": keys.known_hosts,
        "config": None,
        "agent_path": None,
    }
    async with asyncssh.connect(address, port, **options) as connection:
        # With the address comes the way out.
        assert CLOSED not in str((await connection.run("env")).stdout)
        lan.nic("nic", subnet, nsg=nsg)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(connection.run("true"), SILENCE_S)
        connection.abort()
    with pytest.raises(OSError, match="Connect call failed"):
        await banner(address, port)


async def test_a_machine_that_is_off_is_silent(host: Host) -> None:
    machines = host.site.cloud.compute.virtual_machines
    machines.begin_deallocate(host.site.group, "controller").wait(10)
    waiting = asyncio.ensure_future(banner(host.public, host.port, 10))
    await asyncio.sleep(SILENCE_S)
    assert not waiting.done()
    machines.begin_start(host.site.group, "controller").wait(10)
    assert (await waiting or b"").startswith(b"SSH-2.0-")


async def test_silent_connections_are_let_go_in_the_end(host: Host) -> None:
    """A port scan does not use up the emulator's descriptors."""
    set_rule(host, access="Deny")
    held = [socket.create_connection((host.public, host.port)) for _ in range(300)]
    await asyncio.sleep(1)
    gone = 0
    for sock in held:
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            gone += sock.recv(1) == b""
        sock.close()
    assert 40 <= gone <= 44
    set_rule(host)
    async with host.connect():
        pass

"""Machines: real SSH clients against VMs made through the real SDK."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncssh
import pytest

from azure_emulator import client
from azure_emulator.guest import processes
from azure_emulator.guest.addresses import LoopbackAddresses
from azure_emulator.guest.machine_interface import MachineSpec
from azure_emulator.guest.process_machines import ProcessMachines
from azure_emulator.guest.vm_environment import CLOSED

from ..cloud import USER, Keys, Site, address_of, encoded, ssh_rule, vm_body
from ..hosts import Host, engines, make_host, until

# Logging in


async def test_the_host_key_of_custom_data_is_served_and_the_key_admits(host: Host) -> None:
    async with host.connect() as connection:
        result = await connection.run("echo $USER at $IPCLUSTER_AZURE_EMULATOR_VM")
        assert result.stdout == f"{USER} at controller\n"
    async with host.connect(host.private) as connection:
        assert (await connection.run("pwd")).stdout == f"{host.home}\n"


async def test_nobody_else_gets_in(host: Host) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    for options in (
        {"client_keys": [stranger]},
        {"username": "root"},
        {"client_keys": None, "password": "x"},
    ):
        with pytest.raises(asyncssh.PermissionDenied):
            async with host.connect(**options):
                pass
    other = asyncssh.import_known_hosts(f"* {stranger.export_public_key().decode()}")
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        async with host.connect(known_hosts=other):
            pass


async def test_without_custom_data_a_machine_makes_its_own_host_key(lan: Site, keys: Keys) -> None:
    host = make_host(lan, keys, customData="")
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        async with host.connect():
            pass
    seen = await asyncssh.get_server_host_key(host.public, host.port, config=None)
    lan.cloud.compute.virtual_machines.begin_restart(lan.group, "controller").wait(10)
    again = await asyncssh.get_server_host_key(host.public, host.port, config=None)
    assert seen is not None
    assert again == seen


async def test_a_password_if_it_is_allowed(lan: Site, keys: Keys) -> None:
    host = make_host(lan, keys, adminPassword="Ab-123456789", linuxConfiguration={})
    options: dict[str, Any] = {"client_keys": None, "preferred_auth": "password"}
    async with host.connect(password="Ab-123456789", **options) as connection:
        assert (await connection.run("exit 5")).exit_status == 5
    with pytest.raises(asyncssh.PermissionDenied):
        async with host.connect(password="wrong", **options):
            pass


# Commands


async def test_exit_status_signal_streams_and_stdin(host: Host) -> None:
    async with host.connect() as connection:
        assert (await connection.run("exit 7")).exit_status == 7
        killed = await connection.run("kill -9 $$")
        assert killed.exit_signal is not None
        assert killed.exit_signal[0] == "KILL"
        streams = await connection.run("cat; echo problem >&2", input="through\n")
        assert (streams.stdout, streams.stderr) == ("through\n", "problem\n")
        large = await connection.run("cat", input=b"x" * 3_000_000, encoding=None)
        assert large.stdout == b"x" * 3_000_000
        environment = await connection.run("echo $LC_TEST:$NOT_SENT", env={"LC_TEST": "yes"})
        assert environment.stdout == "yes:\n"


async def test_the_status_waits_for_whoever_holds_the_output(host: Host) -> None:
    """As sshd: a badly detached daemon delays it, a well detached one does not."""
    async with host.connect() as connection:
        began = time.monotonic()
        await connection.run("sleep 0.4 & echo held")
        assert time.monotonic() - began > 0.35
        began = time.monotonic()
        await connection.run("nohup sleep 30 >/dev/null 2>&1 </dev/null & echo free")
        assert time.monotonic() - began < 20  # of its 30


async def test_ten_sessions_per_connection(host: Host) -> None:
    async with host.connect() as connection:
        sessions = [await connection.create_process("cat") for _ in range(10)]
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.run("true")
        sessions[0].stdin.write_eof()
        await sessions[0].wait()
        assert (await connection.run("true")).exit_status == 0


async def test_a_signal_request_reaches_the_command(host: Host) -> None:
    async with host.connect() as connection:
        process = await connection.create_process("echo ready; exec sleep 60")
        await process.stdout.readline()
        process.terminate()
        result = await process.wait()
        assert result.exit_signal is not None
        assert result.exit_signal[0] == "TERM"


async def test_a_hang_up_closes_the_pipes_and_spares_the_process(host: Host) -> None:
    script = "trap 'echo hup > hup' HUP; echo $$ > pid; echo ready; sleep 0.3; touch survived"
    async with host.connect() as connection:
        process = await connection.create_process(script)
        await process.stdout.readline()
        writer = await connection.create_process("echo $$ > yes; exec yes")
        await until((host.home / "yes").exists, "yes has not started")
        connection.abort()
        del process, writer
    await until((host.home / "survived").exists, "the command died with its connection")
    assert not (host.home / "hup").exists()
    pid = int((host.home / "yes").read_text())
    await until(lambda: not alive(pid), "a writer into a closed pipe lives on")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_a_terminal(host: Host) -> None:
    async with host.connect() as connection:
        result = await connection.run(
            "stty size; tty; exit 3", term_type="xterm", term_size=(100, 40)
        )
        lines = str(result.stdout).split()
        assert lines[:2] == ["40", "100"]
        assert lines[2].startswith("/dev/pts/")
        assert result.exit_status == 3
        shell = await connection.create_process(term_type="xterm")
        shell.stdin.write("echo $((6 * 7)); exit 4\n")
        done = await shell.wait()
        assert "42" in str(done.stdout)
        assert done.exit_status == 4


async def test_a_shell_without_a_terminal(host: Host) -> None:
    async with host.connect() as connection:
        result = await connection.run(input="echo from stdin; exit 2\n")
        assert (result.stdout, result.exit_status) == ("from stdin\n", 2)


# Files


async def test_sftp_and_scp_start_at_home(host: Host, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("data")
    async with host.connect() as connection:
        async with connection.start_sftp_client() as sftp:
            await sftp.put(tmp_path / "in", "uploaded")
            await sftp.mkdir("folder")
            assert await sftp.realpath(".") == str(host.home)
            assert (await sftp.stat("/")).size is not None
        await asyncssh.scp(tmp_path / "in", (connection, "folder/by-scp"))
        await asyncssh.scp((connection, "uploaded"), tmp_path / "out")
    assert (host.home / "uploaded").read_text() == "data"
    assert (host.home / "folder" / "by-scp").read_text() == "data"
    assert (tmp_path / "out").read_text() == "data"


# Networks


async def test_engines_are_reached_through_the_controller(host: Host) -> None:
    addresses = engines(host, 3)
    async with host.connect() as jump:
        for address in addresses:
            async with host.connect(address, tunnel=jump) as connection:
                told = await connection.run("echo $SSH_TEST $IPCLUSTER_AZURE_EMULATOR_VM")
                assert str(told.stdout).strip().startswith("engines_")


async def test_a_forward_comes_from_the_machines_own_address(host: Host) -> None:
    async with host.connect() as connection:
        listener = socket.create_server((host.private, 0))
        with listener:
            _, writer = await connection.open_connection(*listener.getsockname())
            accepted, peer = listener.accept()
            accepted.close()
            writer.close()
        assert peer[0] == host.private
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection(host.private, 1)


async def test_only_a_machine_with_a_way_out_has_a_package_index(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    (address,) = engines(host, 1)
    async with host.connect() as jump:
        with_way = environment_of(await jump.run("env"))
        async with host.connect(address, tunnel=jump) as connection:
            without = environment_of(await connection.run("env"))
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection("192.0.2.1", 443)
    assert CLOSED not in with_way.values()
    assert without["https_proxy"] == without["HTTP_PROXY"] == "http://127.0.0.1:9"
    of_image = {
        "UV_CACHE_DIR": f"{host.site.cloud.info.state_dir}/package-cache",
        "UV_LINK_MODE": "copy",  # what a machine patches stays its own
    }
    assert {name: with_way[name] for name in of_image} == of_image
    found = {name: value for name, value in without.items() if name.startswith(("PIP_", "UV_"))}
    assert found == of_image
    imds = urlsplit(without["IPCLUSTER_AZURE_IMDS"]).hostname
    assert without["no_proxy"] == without["NO_PROXY"] == imds
    assert without["AZURE_POD_IDENTITY_AUTHORITY_HOST"] == without["IPCLUSTER_AZURE_IMDS"]
    for environment in (with_way, without):
        assert environment["HOME"].endswith(f"/home/{USER}")
        assert environment["USER"] == environment["LOGNAME"] == USER
        assert environment["LANG"] == "C.UTF-8"
        assert not any(
            name.startswith(("PYTEST", "VIRTUAL_ENV", "AZURE_C")) for name in environment
        )


def environment_of(result: asyncssh.SSHCompletedProcess) -> dict[str, str]:
    lines = str(result.stdout).splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


async def test_the_image_has_python(host: Host) -> None:
    import sys

    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    async with host.connect() as connection:
        result = await connection.run(f"python3 --version && python{wanted} --version")
    versions = str(result.stdout).splitlines()
    assert all(line.startswith(f"Python {wanted}.") for line in versions)
    assert len(versions) == 2


# customData


async def test_cloud_config_is_carried_out(lan: Site, keys: Keys) -> None:
    home = f"/home/{USER}"
    custom_data = keys.custom_data(
        write_files=[
            {"path": f"{home}/notes/a.txt", "content": "one", "permissions": "0600"},
            {"path": f"{home}/notes/a.txt", "content": "+two", "append": True},
            {"path": f"{home}/b", "content": encoded(b"\x00\xff"), "encoding": "b64"},
            {"path": "/etc/motd", "content": "welcome"},
            {"path": "../../escape", "content": "x"},
        ],
        runcmd=["echo $HOME > where; false", ["touch", "two words"], "echo said; touch done"],
    )
    host = make_host(lan, keys, customData=custom_data)
    await until((host.home / "done").exists, "runcmd has not run")
    assert (host.home / "notes" / "a.txt").read_text() == "one+two"
    assert (host.home / "b").read_bytes() == b"\x00\xff"
    assert (host.directory / "root" / "etc" / "motd").read_text() == "welcome"
    assert (host.home / "escape").exists()
    assert (host.home / "where").read_text().strip() == str(host.home)
    assert (host.home / "two words").exists()
    log = host.directory / "cloud-init-output.log"
    assert "said" in log.read_text()


async def test_a_script_as_custom_data(lan: Site, keys: Keys) -> None:
    script = encoded("#!/bin/sh\nuname > told\n")
    host = make_host(lan, keys, customData=script)
    await until((host.home / "told").exists, "the script has not run")


@pytest.mark.parametrize("text", ["#cloud-config\n: [", "what is this?", "\x1f\x8bno gzip"])
async def test_a_machine_boots_in_spite_of_bad_custom_data(
    lan: Site, keys: Keys, text: str
) -> None:
    host = make_host(lan, keys, customData=encoded(text))
    async with host.connect(known_hosts=None) as connection:
        assert (await connection.run("true")).exit_status == 0
    assert "customData is ignored" in (host.directory / "cloud-init-output.log").read_text()


# The end


STUBBORN = (
    "trap '' HUP TERM INT; (setsid sh -c 'trap \"\" TERM HUP; (setsid sleep 300 &) ; sleep 300' &)"
    "; sleep 300"
)


async def test_deleting_kills_every_process_quickly(host: Host) -> None:
    async with host.connect() as connection:
        await connection.create_process(STUBBORN)
        vm_ids = frozenset([host.vm_id])
        await until(lambda: len(processes.find(vm_ids)) >= 4, "the processes have not started")
        began = time.monotonic()
        host.site.deleted("virtualMachines", "controller", "?forceDeletion=true")
        assert time.monotonic() - began < 10  # 0.1 s on an idle computer; they would last 300
        assert processes.find(vm_ids) == []
        await connection.wait_closed()
    assert not host.directory.exists()
    with pytest.raises(OSError, match=r"[Rr]efused|Connect call failed"):
        async with host.connect():
            pass


async def test_deleting_the_group_ends_all_its_machines(host: Host) -> None:
    engines(host, 4)
    async with host.connect() as connection:
        await connection.run("nohup sleep 300 >/dev/null 2>&1 </dev/null &")
    host.site.cloud.wait_for_group(host.site.group)
    assert processes.find(frozenset([host.vm_id])) == []
    assert not host.directory.exists()
    # The fixture deletes a group of this name again.
    host.site.cloud.resource.resource_groups.create_or_update(
        host.site.group, {"location": "eastus"}
    )


async def test_an_address_that_is_taken_fails_the_machine_alone(lan: Site, keys: Keys) -> None:
    port = client.offer(lan.cloud.info)["ssh_port"]
    nic = lan.nic("nic", lan.network())
    with socket.create_server((address_of(nic), port)):
        body = vm_body(keys, nic["id"])
        answer = lan.put("virtualMachines", "vm", body["properties"])
        assert answer.status == 201
        state = lan.cloud.wait_for(answer)
    assert state["status"] == "Failed"
    assert f"{address_of(nic)}:{port}" in state["error"]["message"]
    shown = lan.get("virtualMachines", "vm").body["properties"]
    assert shown["provisioningState"] == "Failed"
    assert lan.delete("virtualMachines", "vm").status == 202


async def test_a_network_beyond_the_loopback_cannot_boot(lan: Site, keys: Keys) -> None:
    beyond = Site(lan.cloud, lan.group, "10.99.0.0/24")
    nic = beyond.nic("nic", beyond.network())
    answer = beyond.put("virtualMachines", "vm", vm_body(keys, nic["id"])["properties"])
    error = lan.cloud.wait_for(answer)["error"]
    assert "127.0.0.0/8" in error["message"]


async def test_32_machines_within_a_second(host: Host) -> None:
    began = time.monotonic()
    addresses = engines(host, 32)
    assert len(addresses) == 32

    async def banner(address: str) -> bytes:
        reader, writer = await asyncio.open_connection(address, host.port)
        text = await reader.readline()
        writer.close()
        return text

    banners = await asyncio.gather(*(banner(address) for address in addresses))
    took = time.monotonic() - began
    assert all(text.startswith(b"SSH-2.0-") for text in banners)
    print(f"32 machines: {took:.2f} s")
    assert took < 3.0  # below one second on a quiet machine


def test_the_state_directory_is_private(lan: Site) -> None:
    directory = Path(lan.cloud.info.state_dir)
    assert directory.stat().st_mode & 0o777 == 0o700
    for name in ("token", "emulator.json", "emulator.log"):
        assert (directory / name).stat().st_mode & 0o077 == 0, name
    assert os.access(directory / "ca.pem", os.R_OK)


class OpenNetwork:
    """A private subnet without a security group."""

    def public_address(self) -> None:
        return None

    def admits(self, peer: str, address: str) -> bool:
        return True

    def lets_out(self, address: str, port: int) -> bool:
        return True

    def is_near(self, address: str) -> bool:
        return True


async def test_a_machine_destroyed_while_it_boots_leaves_nothing(tmp_path: Path) -> None:
    addresses = LoopbackAddresses(random.SystemRandom())
    prefix = str(addresses.offer([])).removesuffix("0/24")
    spec = MachineSpec(
        vm_id="11111111-2222-3333-4444-555555555555",
        name="vm",
        admin_username=USER,
        public_keys=(),
        password=None,
        custom_data=b"",
        private_address=f"{prefix}4",
        ssh_port=addresses.ssh_port,
        network=OpenNetwork(),
    )
    machines = ProcessMachines(tmp_path)
    booting = asyncio.ensure_future(machines.boot(spec))
    await asyncio.sleep(0)  # it runs to its first wait, with the addresses bound
    await machines.destroy([spec.vm_id])
    await booting
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(spec.private_address, spec.ssh_port)
    assert not (tmp_path / "machines" / spec.vm_id).exists()
    await machines.close()


async def test_a_nat_gateway_is_a_way_out(lan: Site, keys: Keys) -> None:
    public = lan.public_ip("nat-ip")["id"]
    nat = lan.made("natGateways", "nat", {"publicIpAddresses": [{"id": public}]})["id"]
    door = lan.public_ip("door")
    subnet = lan.network(natGateway={"id": nat})
    port = client.offer(lan.cloud.info)["ssh_port"]
    nsg = lan.made("networkSecurityGroups", "nsg", {"securityRules": [ssh_rule(port)]})["id"]
    host_nic = lan.nic("host", subnet, nsg=nsg, publicIPAddress={"id": door["id"]})
    inner_nic = lan.nic("inner", subnet)
    for name, nic in (("host", host_nic), ("inner", inner_nic)):
        lan.vm(name, keys, nic["id"], customData=keys.custom_data())
    options: Any = {
        "username": USER,
        "client_keys": [keys.login],
        "known_hosts": keys.known_hosts,
        "config": None,
    }
    outer = await asyncssh.connect(door["properties"]["ipAddress"], port, **options)
    async with (
        outer,
        await asyncssh.connect(address_of(inner_nic), port, tunnel=outer, **options) as connection,
    ):
        environment = environment_of(await connection.run("env"))
    assert CLOSED not in environment.values()


async def test_scripts_of_root_become_the_machines_user(lan: Site, keys: Keys) -> None:
    host = make_host(lan, keys)
    async with host.connect() as connection:
        done = await connection.run("cd / && echo hello | runuser -l $USER -c 'pwd; cat'")
        (home,) = (host.directory / "home").iterdir()
        assert str(done.stdout).splitlines() == [str(home), "hello"]
        for command, status in (("runuser -l nobody -c true", 1), ("runuser true", 2)):
            assert (await connection.run(command)).exit_status == status

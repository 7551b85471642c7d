"""The emulator's own life: started, found, stopped, left behind, idle, ended with another."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from azure_emulator import client
from azure_emulator.front.watched_process import Watched
from azure_emulator.guest import processes

from .cloud import Cloud, Keys, Site


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "state"
    yield path
    client.stop(path)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def until_gone(pid: int) -> None:
    deadline = time.monotonic() + 15
    while not gone(pid):
        assert time.monotonic() < deadline, "the server process lives on"
        time.sleep(0.02)


def test_start_find_stop(directory: Path) -> None:
    assert client.find(directory) is None
    assert client.stop(directory) is False
    info = client.start(directory, machines="none")
    assert client.find(directory) == info
    assert client.start(directory) == info
    assert info.endpoint.startswith("https://127.0.0.1:")
    assert client.status(directory) == {"resource_groups": [], "virtual_machines": []}
    assert client.stop(directory) is True
    until_gone(info.pid)
    assert client.find(directory) is None
    assert not (directory / "emulator.json").exists()


def test_concurrent_starts_end_with_one_server(directory: Path) -> None:
    with ThreadPoolExecutor() as pool:
        infos = list(pool.map(lambda _: client.start(directory, machines="none"), range(3)))
    assert len(set(infos)) == 1


def test_a_left_behind_file_is_recognised(directory: Path) -> None:
    """The pid of the file lives (it is ours), but nobody answers."""
    info = client.start(directory, machines="none")
    text = (directory / "emulator.json").read_text()
    client.stop(directory)
    (directory / "emulator.json").write_text(text.replace(str(info.pid), str(os.getpid())))
    assert client.find(directory) is None
    again = client.start(directory, machines="none")
    assert again.subscription_id != info.subscription_id


def test_another_emulators_token_does_not_do(directory: Path, tmp_path: Path) -> None:
    info = client.start(directory, machines="none")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "token").write_text("guessed")
    values = json.loads((directory / "emulator.json").read_text())
    values["token_file"] = str(copy / "token")
    (copy / "emulator.json").write_text(json.dumps(values))
    assert client.find(copy) is None
    assert client.find(directory) == info


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"endpoint": 3}'])
def test_a_broken_file_counts_as_none(directory: Path, text: str) -> None:
    directory.mkdir()
    (directory / "emulator.json").write_text(text)
    assert client.find(directory) is None


def test_an_idle_emulator_ends_by_itself(directory: Path) -> None:
    info = client.start(directory, machines="none", idle_timeout_s=1)
    cloud = Cloud(info)
    Site(cloud, "keeps", "10.0.0.0/24")
    time.sleep(1.5)  # longer than the time-out: the group must keep it
    assert not gone(info.pid)
    cloud.wait_for_group("keeps")
    cloud.close()
    until_gone(info.pid)
    assert not (directory / "emulator.json").exists()


def sleeping_machine(cloud: Cloud, keys: Keys) -> frozenset[str]:
    """Make a machine with two processes, one of them in a session of its own; return its vmId."""
    site = Site(cloud, "lan", client.offer(cloud.info)["address_prefix"])
    data = keys.custom_data(runcmd=["setsid sleep 300 & sleep 300"])
    vm = site.vm("vm", keys, site.nic("nic", site.network())["id"], customData=data)
    vm_ids = frozenset([vm["properties"]["vmId"]])
    deadline = time.monotonic() + 10
    while len(processes.find(vm_ids)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return vm_ids


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_machine_outlives_its_emulator(
    directory: Path, keys: Keys, number: signal.Signals
) -> None:
    """After SIGKILL it is the next start that cleans up."""
    info = client.start(directory)
    cloud = Cloud(info)
    vm_ids = sleeping_machine(cloud, keys)
    cloud.close()
    os.kill(info.pid, number)
    until_gone(info.pid)
    if number == signal.SIGKILL:
        assert processes.find(vm_ids)
        client.start(directory)
    assert processes.find(vm_ids) == []
    assert not list((directory / "machines").glob("*"))


OPTION = "client.start(sys.argv[1], end_with_pid=os.getpid())"
VARIABLE = """
os.environ[client.END_WITH_PID_VARIABLE] = str(os.getpid())
subprocess.run([sys.executable, "-m", "azure_emulator", "start", f"--state-dir={sys.argv[1]}"])
"""
SUITE = """
import os, subprocess, sys, time
from azure_emulator import client
{start}
print(flush=True)
time.sleep(300)
"""


@pytest.mark.parametrize(
    ("start", "number"), [(OPTION, signal.SIGKILL), (VARIABLE, signal.SIGTERM)]
)
def test_an_emulator_ends_with_the_process_that_it_was_told(
    directory: Path, keys: Keys, start: str, number: signal.Signals
) -> None:
    """As when a run of a test suite is ended from outside: nothing is left 10 s later."""
    with subprocess.Popen(
        [sys.executable, "-c", SUITE.format(start=start), str(directory)],
        stdout=subprocess.PIPE,
        text=True,
    ) as suite:
        assert suite.stdout
        suite.stdout.readline()
        info = client.find(directory)
        assert info
        cloud = Cloud(info)
        vm_ids = sleeping_machine(cloud, keys)
        cloud.close()
        assert not gone(info.pid)
        suite.send_signal(number)
        deadline = time.monotonic() + 10
    while not gone(info.pid) or processes.find(vm_ids):
        assert time.monotonic() < deadline, "the emulator, or a process of its machine, lives on"
        time.sleep(0.1)
    assert not list((directory / "machines").glob("*"))


def test_a_process_that_nobody_collects_has_ended() -> None:
    with subprocess.Popen(["/bin/sleep", "300"]) as process:
        watched = Watched(process.pid)
        assert not watched.has_ended()
        process.kill()
        deadline = time.monotonic() + 10
        while not watched.has_ended():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert process.returncode is None


def test_a_later_process_with_the_same_id_is_another_one() -> None:
    last_pid = Path("/proc/sys/kernel/ns_last_pid")
    for _ in range(20):  # other programs may take the id first
        with subprocess.Popen(["/bin/sleep", "300"]) as first:
            watched = Watched(first.pid)
            first.kill()
        time.sleep(0.02)  # the kernel's clock for this has a resolution of 10 ms
        try:
            last_pid.write_text(str(first.pid - 1))
        except OSError:
            pytest.skip("only root chooses process ids")
        with subprocess.Popen(["/bin/sleep", "300"]) as second:
            ended = watched.has_ended()
            second.kill()
        assert ended
        if second.pid == first.pid:
            return
    pytest.skip("another program took the id every time")


def test_reset_deletes_everything(directory: Path, keys: Keys) -> None:
    info = client.start(directory, machines="none")
    cloud = Cloud(info)
    site = Site(cloud, "one", "10.0.0.0/24")
    site.vm("vm", keys, site.nic("nic", site.network())["id"])
    assert client.status(directory) == {"resource_groups": ["one"], "virtual_machines": ["vm"]}
    assert client.reset(directory) is True
    assert client.status(directory) == {"resource_groups": [], "virtual_machines": []}
    cloud.close()


def test_a_failed_start_shows_the_log(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(client.EmulatorError, match=r"(?s)exit status.*emulator\.log.*in use"):
            client.start(directory, port=port)


@pytest.mark.parametrize(
    ("option", "allowed"),
    [
        ({"machines": "wooden"}, "'process', 'none'|process, none"),
        ({"time_scale": -1}, "a number, 0 or more"),
        ({"port": 65_536}, "from 0 to 65535"),
        ({"end_with_pid": 2**22 + 1}, "a running process"),  # Linux has no higher ones
    ],
)
def test_a_wrong_option_starts_nothing(
    directory: Path, option: dict[str, object], allowed: str
) -> None:
    with pytest.raises(client.EmulatorError, match=allowed):
        client.start(directory, **option)
    assert not directory.exists()


def test_an_unknown_option_is_refused(directory: Path) -> None:
    with pytest.raises(TypeError, match=r"unknown options \['speed'\]; there are .*'time_scale'"):
        client.start(directory, speed=3)


def test_proxies_are_ignored(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert client.start(directory, machines="none")


def test_the_default_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(client.STATE_DIR_VARIABLE, raising=False)
    assert client.default_state_dir() == Path.home() / ".ipcluster-azure" / "emulator"
    monkeypatch.setenv(client.STATE_DIR_VARIABLE, str(tmp_path))
    assert client.default_state_dir() == tmp_path


def test_importing_the_client_needs_no_extras() -> None:
    code = (
        "import sys, azure_emulator.client, azure_emulator.cli\n"
        "assert not {'aiohttp', 'asyncssh', 'yaml', 'cryptography'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_missing_extra_is_named(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(client.EmulatorError, match=r'pip install "ipcluster-azure\[emulator\]"'):
        client.start(directory)


def test_an_emulator_whose_directory_is_gone_ends(directory: Path, tmp_path: Path) -> None:
    info = client.start(directory, machines="none", idle_timeout_s=2)
    directory.rename(tmp_path / "moved")
    until_gone(info.pid)

"""What the OpenSSH client is told of a cluster's machines."""

import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from ipcluster_azure.clusters.openssh import host_of, hosts, write_config
from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.record.contents import EngineSet, Machine, Record
from ipcluster_azure.record.file import RecordFile

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "record-1.json").read_text())
KEYS = ("ssh-ed25519 AAAAcontroller us", "ssh-ed25519 AAAAengines us")


@pytest.fixture
def file(tmp_path: Path) -> RecordFile:
    """In a folder whose name has all that ssh's configuration could misread."""
    folder = tmp_path / "a b %h" / "profile_my é"
    (folder / "security").mkdir(parents=True)
    return RecordFile.of(str(folder), "")


@pytest.fixture
def record() -> Record:
    made = Record.from_data(GOLDEN)
    made.controller.host, made.controller.host_key = "192.0.2.7", KEYS[0]
    machines = [Machine("vm_1", "10.0.0.5", 2), Machine("vm_10", "10.0.0.6", 1)]
    made.engine_sets = {"s": EngineSet("id", 3, 2, 2, KEYS[1], state="ready", machines=machines)}
    return made


def test_machines_are_found_by_name_alias_and_address(file: RecordFile, record: Record) -> None:
    found = hosts(file, record)
    controller = record.plan.names.controller
    for word in ("", "controller", controller, "my-controller", "192.0.2.7"):
        assert host_of(word, found).aliases[0] == controller
    for word in ("vm_10", "my-2", "10.0.0.6"):
        assert host_of(word, found).aliases[0] == "vm_10"
    with pytest.raises(ConfigurationError, match="no machine 'vm' in the cluster; there are contr"):
        host_of("vm", found)


def test_a_machine_without_an_address_is_not_guessed(file: RecordFile, record: Record) -> None:
    record.controller.host = ""
    with pytest.raises(ConfigurationError, match="has no address yet"):
        write_config(file, record)
    assert not file.ssh_config.exists()


def test_the_files_are_private_and_go_with_the_cluster(file: RecordFile, record: Record) -> None:
    text = write_config(file, record)
    controller = record.plan.names.controller
    assert file.ssh_config.read_text() == text
    assert file.known_hosts.read_text().splitlines() == [
        f"{controller} ssh-ed25519 AAAAcontroller",
        "vm_1 ssh-ed25519 AAAAengines",
        "vm_10 ssh-ed25519 AAAAengines",
    ]
    for path in (file.ssh_config, file.known_hosts):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file.erase_ways_in()
    assert not file.ssh_config.exists()
    assert not file.known_hosts.exists()


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no OpenSSH client")
def test_openssh_reads_it_as_it_is_meant(file: RecordFile, record: Record) -> None:
    write_config(file, record)
    done = subprocess.run(
        ["ssh", "-G", "-F", file.ssh_config, "my-1"],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    read = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    assert read["hostname"] == "10.0.0.5"
    assert read["port"] == str(record.plan.ssh_port)
    assert read["user"] == record.plan.machine.admin_username
    assert read["proxyjump"] == record.plan.names.controller
    assert read["hostkeyalias"] == "vm_1"
    assert read["stricthostkeychecking"] in ("yes", "true")
    assert read["identityfile"].replace("%%", "%") == str(file.key_file)

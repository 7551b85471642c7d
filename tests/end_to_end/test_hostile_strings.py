"""Hostile texts on real machines: nothing is executed, nothing written outside the profile. And
secrets: in their files alone, and gone with the cluster."""

import json
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from azure_emulator.client import EmulatorInfo

from ..azure_emulator.cloud import Cloud
from .conftest import IMAGE, TWO_LINES, Profile, wait_for

EVIL = 'a\'b "c"; touch pwned; $(touch pwned) `touch pwned` é日 *?'
TAGS = {"note": EVIL, "expression": "[parameters('customData')]", EVIL.replace("?", ""): "x\ny"}


@pytest.fixture
def cloud(emulator: EmulatorInfo) -> Iterator[Cloud]:
    cloud = Cloud(emulator)
    yield cloud
    cloud.close()


def _files(*folders: Path) -> set[Path]:
    return {path for folder in folders for path in folder.rglob("*")}


def test_a_whole_life_under_hostile_names(
    tmp_path: Path, emulator: EmulatorInfo, cloud: Cloud
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    profile = Profile(tmp_path / "ipython", emulator, name=EVIL, cwd=home)
    arguments = ["--IPEngine.startup_command=x = " + repr(EVIL)]
    profile.configure(
        f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\n{IMAGE}'
        f"c.AzureVMLauncher.tags = {TAGS!r}\n"
        "c.AzureVMLauncher.ssh_source = '0.0.0.0/0'\n"
        f"c.AzureVMControllerLauncher.job_file_name = {EVIL + '-{cluster_id}.json'!r}\n"
        f"c.AzureVMControllerLauncher.environment = {{'ODD': {EVIL!r}}}\n"
        f"c.AzureVMEngineSetLauncher.environment = {{'ODD': {EVIL!r}}}\n"
        f"c.AzureVMEngineSetLauncher.engine_args = {arguments!r}\n"
    )
    before = _files(tmp_path)
    cluster_id = f"--cluster-id={EVIL}"
    output = profile.ipcluster("start", "-n", "1", "--daemonize", cluster_id)
    assert "ssh_source 0.0.0.0/0: much of the internet" in output
    (found,) = json.loads(profile.run("ipcluster-azure", "list", "--json").stdout)
    assert (found["profile"], found["cluster_id"]) == (EVIL, EVIL)
    for resource in cloud.resource.resources.list_by_resource_group(found["resource_group"]):
        if resource.tags:  # a scale set's interfaces have none
            assert {name: resource.tags[name] for name in TAGS} == TAGS
    code = (
        "import os, ipyparallel as ipp\n"
        f"view = ipp.Client(profile={EVIL!r}, cluster_id={EVIL!r})[:]\n"
        f"print(view.apply_sync(os.getenv, 'ODD') == [{EVIL!r}], view['x'] == [{EVIL!r}])"
    )
    assert profile.python(code) == "True True"
    profile.ipcluster("stop", cluster_id)
    wait_for(lambda: profile.left_on_azure()["resource_groups"] == [])
    wait_for(lambda: not profile.processes())
    places = {profile.folder, profile.data_dir}
    new = {path for path in _files(tmp_path) - before if not places & {path, *path.parents}}
    assert {path.relative_to(profile.ipython_dir).parts[0] for path in new} <= {"profile_default"}
    everywhere = _files(tmp_path, Path(emulator.state_dir))
    assert not [path for path in everywhere if "pwned" in path.name and EVIL not in path.name]
    assert profile.files() == set()


REFUSED = {
    "job file outside": (
        "c.AzureVMControllerLauncher.job_file_name = '../x.json'",
        "job_file_name",
    ),
    "absolute": ("c.AzureVMEngineSetLauncher.job_file_name = '/tmp/x.json'", "job_file_name"),
    "variable": (
        "c.AzureVMEngineSetLauncher.environment = {'A; touch pwned; B': 'x'}",
        "is not a variable's name",
    ),
    "user": ("c.AzureVMLauncher.admin_username = 'x; touch pwned'", "admin_username"),
    "requirement": ("c.AzureVMLauncher.requirements = ['--index-url=x']", "requirements"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_passed_on_is_refused(profile: Profile, case: str) -> None:
    setting, words = REFUSED[case]
    config = (profile.folder / "ipcluster_config.py").read_text()
    profile.configure(f"{config}{setting}\n")
    output = profile.ipcluster("start", "-n", "1", expect=1)
    (line,) = [line for line in output.splitlines() if "[IPClusterStart] CRITICAL" in line]
    assert words in line
    profile.assert_nothing_left()
    assert not list(profile.ipython_dir.parent.rglob("*pwned*"))


@pytest.mark.parametrize("cluster_id", ["../up", "x" * 200])
def test_a_cluster_id_that_leads_elsewhere(profile: Profile, cluster_id: str) -> None:
    output = profile.python(
        "import ipyparallel as ipp\n"
        f"c = ipp.Cluster(profile='{profile.name}', cluster_id={cluster_id!r}, n=1)\n"
        "try: c.start_cluster_sync()\n"
        "except ValueError as error: print(error)"
    )
    assert "can't be part of a file name" in output
    profile.assert_nothing_left()


@contextmanager
def command_lines() -> Iterator[set[str]]:
    """All command lines that are seen on this computer, which the machines share, meanwhile."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    seen.add(path.read_bytes().decode("utf-8", "replace"))

    thread = threading.Thread(target=look)
    thread.start()
    yield seen
    over.set()
    thread.join()


def _secrets(profile: Profile) -> dict[str, str]:
    """Name -> a text that only its file may hold."""
    security = profile.folder / "security"
    client = json.loads((security / "ipcontroller-client.json").read_text())
    secrets = {
        "login key": (security / "azure-.key").read_text().splitlines()[3],
        "cluster's key": client["key"],
        "token": Path(profile.emulator.token_file).read_text().strip(),
    }
    # keys of what the job files start when they are deployed by hand
    parameters = json.loads((profile.folder / PARAMETERS).read_text())["parameters"]
    for name in ("clusterKey", "controllerHostKey", "engineHostKey"):
        secrets[name] = parameters[name]["value"].strip().splitlines()[-2:][0]
    assert len(secrets) == 6
    assert all(len(text) > 20 for text in secrets.values())
    return secrets


def _holders(folder: Path, secret: str) -> set[str]:
    return {
        path.name
        for path in folder.rglob("*")
        if path.is_file() and secret in path.read_text("utf-8", errors="replace")
    }


def test_secrets_are_in_their_files_alone_and_go_with_the_cluster(
    profile: Profile, cloud: Cloud
) -> None:
    config = (profile.folder / "ipcluster_config.py").read_text()
    profile.configure(f"{config}c.Application.log_level = 'DEBUG'\n")
    with command_lines() as seen:
        output = profile.ipcluster("start", "-n", "5", "--daemonize", "--debug")
        secrets = _secrets(profile)
        _check_modes(profile)
        _check_network(cloud)
        (found,) = json.loads(profile.run("ipcluster-azure", "list", "--json").stdout)
        shown = [profile.run("ipcluster-azure", "status").stdout, *_tags(cloud, found)]
        holders = {name: _holders(profile.folder, text) for name, text in secrets.items()}
        output += profile.ipcluster("stop", "--debug")
    assert any("vm_agent.py" in line for line in seen)
    assert holders == {
        "login key": {"azure-.key"},
        "cluster's key": CONNECTION_FILES,
        "token": set(),
        **{name: {PARAMETERS} for name in ("clusterKey", "controllerHostKey", "engineHostKey")},
    }
    for name, text in secrets.items():
        assert not [line for line in seen if text in line], name
        assert text not in output + "".join(shown), name
        assert _holders(profile.folder, text) == set(), name
    profile.assert_nothing_left()


PARAMETERS = "azure_controller-.parameters.json"
CONNECTION_FILES = {"azure-.client", "ipcontroller-client.json", "ipcontroller-engine.json"}


def _check_modes(profile: Profile) -> None:
    security = profile.folder / "security"
    assert stat.S_IMODE(security.stat().st_mode) == 0o700
    private = [*security.glob("azure-*"), *security.glob("ipcontroller-*")]
    private += profile.folder.glob("*.parameters.json")
    assert len(private) >= 8
    for path in private:
        if path.suffix != ".bootstrap":  # a lock, and empty
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def _check_network(cloud: Cloud) -> None:
    """One door: the controller's SSH port, from the addresses that are set."""
    (group,) = cloud.network.network_security_groups.list_all()
    (rule,) = group.security_rules
    assert (rule.direction, rule.access, rule.protocol) == ("Inbound", "Allow", "Tcp")
    assert rule.source_address_prefixes == ["127.0.0.0/8"]
    assert rule.destination_port_range.isdigit()
    (address,) = cloud.network.public_ip_addresses.list_all()
    nics = list(cloud.network.network_interfaces.list_all())
    open_nics = [
        nic for nic in nics if any(item.public_ip_address for item in nic.ip_configurations)
    ]
    assert (len(nics), len(open_nics)) == (3, 1)
    assert open_nics[0].name.endswith("-nic")
    assert address.ip_configuration.id.startswith(open_nics[0].id)
    for vm in cloud.compute.virtual_machines.list_all():
        assert vm.os_profile.linux_configuration.disable_password_authentication


def _tags(cloud: Cloud, found: dict[str, Any]) -> list[str]:
    group = cloud.resource.resource_groups.get(found["resource_group"])
    resources = cloud.resource.resources.list_by_resource_group(found["resource_group"])
    return [json.dumps(item.tags) for item in (group, *resources)]


def test_an_error_tells_no_secret(bare_profile: Profile) -> None:
    """The machine's output is in the message: what is sent to it must not be."""
    bare_profile.configure(
        f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\n'
        'c.AzureVMLauncher.python_environment = "image"\n'
        'c.AzureVMLauncher.image_python = "/no/such; touch pwned"\n'
        "c.AzureVMLauncher.environment = {'MY_PASSWORD': 'correct horse'}\n"
    )
    output = bare_profile.ipcluster("start", "-n", "1", "--debug", expect=1)
    assert "correct horse" not in output
    assert "/no/such; touch pwned" in output
    token = Path(bare_profile.emulator.token_file).read_text().strip()
    assert token not in output
    assert not list(bare_profile.ipython_dir.parent.rglob("pwned"))
    bare_profile.assert_nothing_left()

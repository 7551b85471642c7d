"""Job files deployed by hand: a cluster without a launcher, and the way to it from elsewhere."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import ipyparallel as ipp
import psutil
import pytest

from azure_emulator.client import environment
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.plan import resource_types
from ipcluster_azure.plan.requests import ResourceRequest
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_ids import group_scope, parse_id, resource_id
from ipcluster_azure.resource_manager.api import AzureApi

from ..real_machines import SLOWNESS, as_its_machine_sees, home_files
from .conftest import ON_EMULATOR, Profile, wait_for

GROUP = "lab"
CONTROLLER, ENGINES = "azure_controller-", "azure_engineset-"
PARAMETERS = "azure_controller-.parameters.json"  # of a start; they serve both
# three engines on two machines: not all of a scale set's machines can have the same number
WRAPPED = ["sh", "-c", """echo "it's $1" >> "$HOME/wrapped"; shift; exec "$@" """, "sh"]
CONFIG = f"""{ON_EMULATOR}
c.AzureVMLauncher.engines_per_vm = 2
c.AzureVMLauncher.sync_paths = []
c.AzureVMControllerLauncher.controller_cmd = {[*WRAPPED, "a controller", "ipcontroller"]}
c.AzureVMEngineSetLauncher.engine_cmd = {[*WRAPPED, "engines", "nice", "-n", "3", "ipengine"]}
"""
N = 3
SOON_S = 90.0
AZ = os.environ.get("IPCLUSTER_AZURE_TEST_AZ", "")
AZ_S = 180
DEPLOY = """
import json, sys, time
from pathlib import Path

sys.modules["ipcluster_azure"] = sys.modules["azure_emulator"] = None  # else an import would do
from azure.core.credentials import AccessToken
from azure.mgmt.resource.deployments import DeploymentsMgmtClient

url, subscription, ca_file, token_file, group, parameters, also, *names = sys.argv[1:]

class Login:
    def get_token(self, *scopes, **options):
        return AccessToken(Path(token_file).read_text().strip(), int(time.time()) + 3000)

client = DeploymentsMgmtClient(
    Login(), subscription, base_url=url, credential_scopes=[f"{url}/.default"],
    connection_verify=ca_file, polling_interval=1,
)
given = json.loads(Path(parameters).read_text())["parameters"]
given.update((name, {"value": value}) for name, value in json.loads(also).items())
for name in names:
    template = json.loads(Path(f"{name}.json").read_text())
    body = {"properties": {"mode": "Incremental", "template": template, "parameters": given}}
    made = client.deployments.begin_create_or_update(group, name, body).result()
    assert made.properties.provisioning_state == "Succeeded", made
"""


class Lab:
    """Job files of a profile, deployed to a group that has something of a stranger's."""

    def __init__(self, profile: Profile, api: AzureApi, group: str, parameters: str) -> None:
        self.profile, self.api, self.group = profile, api, group
        self.folder = profile.ipython_dir.parent / f"jobs-{group}"
        self.parameters = self.folder / parameters
        self.wrapped_at_the_start: list[str] = []
        scope = group_scope(api.subscription_id, group)
        api.put_group(group, "eastus", {})
        identity = resource_id(scope, resource_types.DISK, "strangers")
        disk: dict[str, Any] = {
            "location": "eastus",
            "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4},
        }
        api.put(
            ResourceRequest(
                resource_types.DISK, "strangers", identity, resource_types.DISKS_API, (), disk
            )
        )

    def deploy(self, *names: str, **given: Any) -> None:
        """Deploy the templates of these names, one after the other, with values of parameters."""
        info = self.profile.emulator
        place = [info.endpoint, info.subscription_id, str(info.ca_file), str(info.token_file)]
        words = [json.dumps(given), *names]
        done = subprocess.run(
            [sys.executable, "-c", DEPLOY, *place, self.group, str(self.parameters), *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120 * SLOWNESS,
        )
        assert done.returncode == 0, done.stderr

    def deploy_by_az(self, *names: str) -> None:
        """The same by the command line, with its own login to the emulator."""
        variables = {**os.environ, **environment(self.profile.emulator)}
        commands = [["login", "--identity"]]
        for name in names:
            given = ["-f", f"{name}.json", "-p", f"@{self.parameters.name}"]
            commands.append(["deployment", "group", "create", "-g", self.group, *given])
        for words in commands:
            done = subprocess.run(
                [AZ, *words, "--output=none"],
                env=variables,
                cwd=self.folder,
                capture_output=True,
                text=True,
                timeout=AZ_S,
            )
            assert done.returncode == 0, f"az {' '.join(words)}: {done.stderr}"

    def resources(self) -> dict[str, str]:
        """Types and names of all that is in the group, with the stranger's."""
        found = self.api.listed(
            f"resourceGroups/{self.group}/resources", "2025-04-01", doing="listing"
        )
        return {item["name"]: parse_id(item["id"]).type.rpartition("/")[2] for item in found}

    def wrapped(self) -> list[str]:
        """What the commands have written that run ipcontroller and ipengine, by machines."""
        found = home_files(self.profile.emulator.state_dir, "wrapped")
        return sorted(path.read_text() for path in found)

    def machines(self) -> dict[str, str]:
        """The machines' ids that are theirs alone, by name."""
        path = f"resourceGroups/{self.group}/providers/{resource_types.VIRTUAL_MACHINE}"
        found = self.api.listed(path, resource_types.COMPUTE_API, doing="listing")
        return {item["name"]: item["properties"]["vmId"] for item in found}


@pytest.fixture(scope="module")
def lab(shared_profile: Profile) -> Iterator[Lab]:
    info = shared_profile.emulator
    endpoint = Endpoint(info.endpoint, info.endpoint, str(info.ca_file), str(info.token_file))
    shared_profile.configure(CONFIG)
    with AzureApi(endpoint, info.subscription_id) as api:
        made = Lab(shared_profile, api, GROUP, PARAMETERS)
        shared_profile.ipcluster("start", "-n", str(N), "--daemonize")
        made.wrapped_at_the_start = made.wrapped()
        made.folder.mkdir()
        for name in (f"{CONTROLLER}.json", f"{ENGINES}.json", PARAMETERS):
            shutil.copy(shared_profile.folder / name, made.folder)
        assert not (shared_profile.folder / f"{ENGINES}.parameters.json").exists()
        shared_profile.ipcluster("stop")
        made.deploy(CONTROLLER, ENGINES)
        yield made
        api.delete_group(GROUP)


@pytest.fixture(scope="module")
def elsewhere(lab: Lab) -> Profile:
    """Another computer: it has the file of parameters, and nothing else."""
    return attached(lab, "far")


def attached(lab: Lab, name: str) -> Profile:
    """A profile of an IPython directory of its own, which the file of parameters was carried to."""
    there = Profile(
        lab.profile.ipython_dir.parent / name / "ipython",
        lab.profile.emulator,
        name=name,
        server=lab.profile.server,
    )
    there.configure(ON_EMULATOR)
    carried = there.ipython_dir / PARAMETERS
    carried.write_bytes(lab.parameters.read_bytes())
    carried.chmod(0o600)
    said = there.run(
        *("ipcluster-azure", "attach", f"--resource-group={lab.group}"),
        *(f"--parameters={carried}", f"--profile={name}"),
    ).stdout
    assert f"Client(profile='{name}')" in said
    return there


@contextmanager
def _client(profile: Profile) -> Iterator[ipp.Client]:
    with profile.client() as client:
        client.wait_for_engines(N, timeout=SOON_S)
        yield client


def _listed(profile: Profile) -> dict[str, list[str]]:
    """The lines of `ipcluster-azure list`, by the name of the group."""
    lines = profile.run("ipcluster-azure", "list", "--json").stdout
    return {
        one["resource_group"]: [one["state"], str(one["machines"]), "here" * bool(one["here"])]
        for one in (json.loads(lines) if lines.startswith("[") else [])
    }


def _processes(profile: Profile) -> set[tuple[str, int]]:
    """The engines, by host names and process ids."""
    with _client(profile) as client:
        hosts, ids = client[:].apply_sync(platform.node), client[:].apply_sync(os.getpid)
        return {*zip(hosts, ids, strict=True)}


def test_the_secrets_are_in_one_file_for_you_alone(lab: Lab) -> None:
    assert lab.parameters.stat().st_mode & 0o077 == 0
    content = json.loads(lab.parameters.read_text())
    secrets = [item["value"] for item in content["parameters"].values() if item["value"]]
    secrets.append(content["metadata"]["loginKey"])
    for name in (CONTROLLER, ENGINES):
        text = (lab.folder / f"{name}.json").read_text()
        assert not any(secret in text for secret in secrets)


def test_a_client_elsewhere_maps_over_its_engines(elsewhere: Profile) -> None:
    squares = elsewhere.python(
        "import ipyparallel as ipp\n"
        "client = ipp.Client(profile='far')\n"
        f"client.wait_for_engines({N}, timeout={SOON_S})\n"
        "print(client[:].map_sync(lambda x: x * x, range(7)))\n"
    )
    assert squares == "[0, 1, 4, 9, 16, 25, 36]"
    assert len(_processes(elsewhere)) == N


def test_a_start_and_the_job_files_run_the_commands_of_the_configuration(
    lab: Lab, elsewhere: Profile
) -> None:
    ran = ["it's a controller\n", "it's engines\n", "it's engines\n"]
    assert lab.wrapped_at_the_start == ran
    wait_for(lambda: lab.wrapped() == ran, SOON_S)
    inherited = psutil.Process(elsewhere.emulator.pid).nice()
    with _client(elsewhere) as client:
        assert set(client[:].apply_sync(os.nice, 0)) == {min(19, inherited + 3)}


def test_what_can_not_be_attached_is_said_and_changes_nothing(lab: Lab, elsewhere: Profile) -> None:
    attach = ("ipcluster-azure", "attach", f"--profile={lab.profile.name}")
    secrets = f"--parameters={lab.parameters}"
    template = f"--parameters={lab.folder / CONTROLLER}.json"
    for words, status, why in (
        ((f"--resource-group={GROUP}",), 2, "belong together"),
        (("--resource-group=nowhere", secrets), 1, "has no machine"),
        ((f"--resource-group={GROUP}", "--parameters=/no/file"), 1, "/no/file can't be read"),
        ((f"--resource-group={GROUP}", template), 1, "is not a file of parameters"),
    ):
        said = lab.profile.run(*attach, *words, expect=status).stdout
        assert why in said
        assert lab.profile.files() == set()
    again = (f"--resource-group={GROUP}", secrets, f"--profile={elsewhere.name}")
    said = elsewhere.run(*attach[:2], *again, expect=1).stdout
    assert "has a cluster already" in said
    assert len(_processes(elsewhere)) == N


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("sync_paths = ['mine.csv']", "can't carry your own files: mine.csv"),
        ("max_cost = 5", "can't hold max_cost"),
    ],
)
def test_what_job_files_can_not_have_is_named(lab: Lab, setting: str, said: str) -> None:
    (lab.profile.ipython_dir / "mine.csv").write_text("1")
    config = lab.profile.folder / "ipcluster_config.py"
    before = [(path, path.stat().st_mtime_ns) for path in lab.profile.folder.glob("azure_*")]
    try:
        config.write_text(f"{CONFIG}c.AzureVMLauncher.{setting}\n")
        refusal = lab.profile.run("ipcluster-azure", "template", "-n", "2", expect=1).stdout
    finally:
        config.write_text(CONFIG)
    assert said in refusal
    after = [(path, path.stat().st_mtime_ns) for path in lab.profile.folder.glob("azure_*")]
    assert after == before


def test_it_is_listed_and_left_alone(lab: Lab, elsewhere: Profile) -> None:
    for profile, here in ((lab.profile, "no"), (elsewhere, "yes")):
        (line,) = profile.run("ipcluster-azure", "list").stdout.splitlines()[1:]
        assert line.split()[1] == "running"
        assert line.split()[-1] == here
        profile.run("ipcluster-azure", "reap", "--yes")
    assert len(lab.machines()) == 3


def test_to_deploy_it_again_changes_nothing(lab: Lab, elsewhere: Profile) -> None:
    machines, processes, resources = lab.machines(), _processes(elsewhere), lab.resources()
    earlier = datetime.now(timezone.utc) - timedelta(minutes=5)
    lab.deploy(CONTROLLER, ENGINES, created=earlier.strftime("%Y-%m-%dT%H:%M:%S"))
    assert lab.machines() == machines
    assert lab.resources() == resources
    assert _processes(elsewhere) == processes


def test_the_idle_limit_ends_it_and_nothing_of_a_stranger(lab: Lab, elsewhere: Profile) -> None:
    elsewhere.kill_link()
    (settings_file,) = home_files(
        elsewhere.emulator.state_dir, ".ipcluster-azure/guard_settings.json"
    )
    settings = json.loads(settings_file.read_text())
    assert settings["idle_timeout_min"] == 60.0
    shorter = json.dumps({**settings, "idle_timeout_min": 0.05, "grace_s": 1})
    as_its_machine_sees(settings_file).write_text(shorter)
    wait_for(lambda: not lab.machines(), SOON_S)
    free = {"strangers": "disks"}
    wait_for(
        lambda: (
            {*lab.resources().values()} <= {"disks", "virtualNetworks", "networkSecurityGroups"}
        ),
        SOON_S,
    )
    assert [name for name, kind in lab.resources().items() if kind == "disks"] == list(free)
    assert _listed(lab.profile)[GROUP] == ["left behind", "0", ""]
    elsewhere.ipcluster("stop")
    assert lab.resources() == free


def test_one_template_for_both_is_reaped_when_its_time_is_over(lab: Lab) -> None:
    group = "nested"
    other = Lab(lab.profile, lab.api, group, "azure_cluster-.parameters.json")
    try:
        words = ("-n", str(N), "--nested", f"--to={other.folder}")
        said = lab.profile.run("ipcluster-azure", "template", *words).stdout
        assert said.count("az deployment group create") == 1
        assert group not in _listed(lab.profile)
        changed = {"engineArgs": ["--IPEngine.log_level=DEBUG"], "idleTimeoutSeconds": 7200}
        other.deploy("azure_cluster-", **changed)
        assert len(other.machines()) == 3
        assert _listed(lab.profile)[group] == ["running", "3", ""]
        there = attached(other, "third")
        assert len(_processes(there)) == N
        record = RecordFile.of(str(there.folder), "").require()
        assert record.limits.idle_timeout_min == 120  # what runs there, not the template's default
        assert record.engine_sets["engines"].args == changed["engineArgs"]
        assert record.engine_sets["engines"].cmd[-4:] == ["nice", "-n", "3", "ipengine"]
        assert record.controller.cmd[-1] == "ipcontroller"
        assert "nothing to delete" in lab.profile.run("ipcluster-azure", "reap", "--yes").stdout

        # its tags alone change
        other.deploy("azure_cluster-", created="2026-01-01T00:00:00", **changed)
        assert _listed(lab.profile)[group] == ["expired", "3", ""]
        assert _listed(there)[group] == ["expired", "3", "here"]
        there.kill_link()
        said = lab.profile.run("ipcluster-azure", "reap", "--yes", "--expired").stdout
        assert "its time is over" in said
        assert group not in _listed(lab.profile)
        assert [*other.resources()] == ["strangers"]
        there.ipcluster("stop")
    finally:
        lab.api.delete_group(group)


@pytest.mark.skipif(not AZ, reason="needs az, which `make test-az` gets from the package index")
@pytest.mark.timeout(600)
def test_az_deploys_the_same_and_twice_what_it_once_did(lab: Lab) -> None:
    group = "by-az"
    lab.api.delete_group(GROUP)  # the other has its addresses
    other = Lab(lab.profile, lab.api, group, PARAMETERS)
    try:
        shutil.copytree(lab.folder, other.folder)
        other.deploy_by_az(CONTROLLER, ENGINES)
        there = attached(other, "fourth")
        machines, processes, resources = other.machines(), _processes(there), other.resources()
        assert (len(machines), len(processes)) == (3, N)
        other.deploy_by_az(CONTROLLER, ENGINES)
        assert (other.machines(), _processes(there), other.resources()) == (
            machines,
            processes,
            resources,
        )
        there.ipcluster("stop")
        assert [*other.resources()] == ["strangers"]
    finally:
        lab.api.delete_group(group)

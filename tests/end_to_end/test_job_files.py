"""Job files deployed by hand: a cluster without a launcher, and the way to it from elsewhere."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import psutil
import pytest

from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.plan import resource_types
from ipcluster_azure.plan.requests import ResourceRequest
from ipcluster_azure.resource_ids import group_scope, parse_id, resource_id
from ipcluster_azure.resource_manager.api import AzureApi

from .conftest import ON_EMULATOR, Profile, wait_for

GROUP = "lab"
CONTROLLER, ENGINES = "azure_controller-", "azure_engineset-"
PARAMETERS = "azure_cluster-.parameters.json"
# three engines on two machines: not all of a scale set's machines can have the same number
CONFIG = f"""{ON_EMULATOR}
c.AzureVMLauncher.engines_per_vm = 2
c.AzureVMLauncher.sync_paths = []
c.AzureVMLauncher.engine_cmd = ["nice", "-n", "3", "ipengine"]
"""
N = 3
SOON_S = 90.0
DEPLOY = """
import json, sys, time
from pathlib import Path

sys.modules["ipcluster_azure"] = sys.modules["azure_emulator"] = None  # else an import would do
from azure.core.credentials import AccessToken
from azure.mgmt.resource.deployments import DeploymentsMgmtClient

url, subscription, ca_file, token_file, group, folder, *names = sys.argv[1:]

class Login:
    def get_token(self, *scopes, **options):
        return AccessToken(Path(token_file).read_text().strip(), int(time.time()) + 3000)

client = DeploymentsMgmtClient(
    Login(), subscription, base_url=url, credential_scopes=[f"{url}/.default"],
    connection_verify=ca_file, polling_interval=1,
)
given = json.loads(Path(folder, "azure_cluster-.parameters.json").read_text())["parameters"]
for name in names:
    template = json.loads(Path(folder, f"{name}.json").read_text())
    body = {"properties": {"mode": "Incremental", "template": template, "parameters": given}}
    made = client.deployments.begin_create_or_update(group, name, body).result()
    assert made.properties.provisioning_state == "Succeeded", made
"""


class Lab:
    """A profile whose job files are deployed to a group that has something of a stranger's."""

    def __init__(self, profile: Profile, api: AzureApi) -> None:
        self.profile, self.api = profile, api
        self.folder = profile.ipython_dir.parent / "jobs"
        self.scope = group_scope(api.subscription_id, GROUP)

    def deploy(self, *names: str) -> None:
        info = self.profile.emulator
        place = [info.endpoint, info.subscription_id, str(info.ca_file), str(info.token_file)]
        done = subprocess.run(
            [sys.executable, "-c", DEPLOY, *place, GROUP, str(self.folder), *names],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr

    def resources(self) -> dict[str, str]:
        """Types and names of all that is in the group, with the stranger's."""
        found = self.api.listed(f"resourceGroups/{GROUP}/resources", "2025-04-01", doing="listing")
        return {item["name"]: parse_id(item["id"]).type.rpartition("/")[2] for item in found}

    def machines(self) -> dict[str, str]:
        """The machines' ids that are theirs alone, by name."""
        path = f"resourceGroups/{GROUP}/providers/{resource_types.VIRTUAL_MACHINE}"
        found = self.api.listed(path, resource_types.COMPUTE_API, doing="listing")
        return {item["name"]: item["properties"]["vmId"] for item in found}


@pytest.fixture(scope="module")
def lab(shared_profile: Profile) -> Iterator[Lab]:
    info = shared_profile.emulator
    endpoint = Endpoint(info.endpoint, info.endpoint, str(info.ca_file), str(info.token_file))
    shared_profile.configure(CONFIG)
    with AzureApi(endpoint, info.subscription_id) as api:
        api.put_group(GROUP, "eastus", {})
        made = Lab(shared_profile, api)
        identity = resource_id(made.scope, resource_types.DISK, "strangers")
        disk: dict[str, Any] = {
            "location": "eastus",
            "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4},
        }
        api.put(
            ResourceRequest(
                resource_types.DISK, "strangers", identity, resource_types.DISKS_API, (), disk
            )
        )
        shared_profile.run("ipcluster-azure", "template", "-n", str(N), f"--to={made.folder}")
        made.deploy(CONTROLLER, ENGINES)
        yield made
        api.delete_group(GROUP)


@pytest.fixture(scope="module")
def elsewhere(lab: Lab) -> Profile:
    """Another computer: it has the file of parameters, and nothing else."""
    there = Profile(
        lab.profile.ipython_dir.parent / "elsewhere" / "ipython",
        lab.profile.emulator,
        name="far",
        server=lab.profile.server,
    )
    there.configure(ON_EMULATOR)
    carried = there.ipython_dir / PARAMETERS
    carried.write_bytes((lab.folder / PARAMETERS).read_bytes())
    carried.chmod(0o600)
    said = there.run(
        *("ipcluster-azure", "attach", f"--resource-group={GROUP}"),
        *(f"--parameters={carried}", "--profile=far"),
    ).stdout
    assert "Client(profile='far')" in said
    return there


@contextmanager
def _client(profile: Profile) -> Iterator[ipp.Client]:
    with profile.client() as client:
        client.wait_for_engines(N, timeout=SOON_S)
        yield client


def _pids(profile: Profile) -> set[int]:
    with _client(profile) as client:
        return set(client[:].apply_sync(os.getpid))


def test_the_secrets_are_in_one_file_for_you_alone(lab: Lab) -> None:
    parameters = lab.folder / PARAMETERS
    assert parameters.stat().st_mode & 0o077 == 0
    content = json.loads(parameters.read_text())
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
    assert len(_pids(elsewhere)) == N


def test_the_command_of_the_configuration_runs_the_engines(elsewhere: Profile) -> None:
    inherited = psutil.Process(elsewhere.emulator.pid).nice()
    with _client(elsewhere) as client:
        assert set(client[:].apply_sync(os.nice, 0)) == {min(19, inherited + 3)}


def test_what_can_not_be_attached_is_said_and_changes_nothing(lab: Lab, elsewhere: Profile) -> None:
    attach = ("ipcluster-azure", "attach", f"--profile={lab.profile.name}")
    secrets = f"--parameters={lab.folder / PARAMETERS}"
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
    assert len(_pids(elsewhere)) == N


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
    try:
        config.write_text(f"{CONFIG}c.AzureVMLauncher.{setting}\n")
        refusal = lab.profile.run("ipcluster-azure", "template", "-n", "2", expect=1).stdout
    finally:
        config.write_text(CONFIG)
    assert said in refusal
    assert not [*lab.profile.folder.glob("azure_*.json")]


def test_it_is_listed_and_left_alone(lab: Lab, elsewhere: Profile) -> None:
    for profile, here in ((lab.profile, "no"), (elsewhere, "yes")):
        (line,) = profile.run("ipcluster-azure", "list").stdout.splitlines()[1:]
        assert line.split()[1] == "running"
        assert line.split()[-1] == here
        profile.run("ipcluster-azure", "reap", "--yes")
    assert len(lab.machines()) == 3


def test_to_deploy_it_again_changes_nothing(lab: Lab, elsewhere: Profile) -> None:
    machines, pids, resources = lab.machines(), _pids(elsewhere), lab.resources()
    lab.deploy(CONTROLLER, ENGINES)
    assert lab.machines() == machines
    assert lab.resources() == resources
    assert _pids(elsewhere) == pids


def test_the_idle_limit_ends_it_and_nothing_of_a_stranger(lab: Lab, elsewhere: Profile) -> None:
    elsewhere.kill_link()
    (settings_file,) = Path(elsewhere.emulator.state_dir).glob(
        "machines/*/home/*/.ipcluster-azure/guard_settings.json"
    )
    settings = json.loads(settings_file.read_text())
    assert settings["idle_timeout_min"] == 60.0
    settings_file.write_text(json.dumps({**settings, "idle_timeout_min": 0.05, "grace_s": 1}))
    wait_for(lambda: not lab.machines(), SOON_S)
    free = {"strangers": "disks"}
    wait_for(
        lambda: (
            {*lab.resources().values()} <= {"disks", "virtualNetworks", "networkSecurityGroups"}
        ),
        SOON_S,
    )
    assert [name for name, kind in lab.resources().items() if kind == "disks"] == list(free)
    elsewhere.ipcluster("stop")
    assert lab.resources() == free

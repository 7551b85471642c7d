"""The least-privilege role: its actions suffice, and none of them can be left out."""

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from azure_emulator.testing import restricted
from ipcluster_azure.clusters.reap import Doomed, reap
from ipcluster_azure.clusters.whereabouts import Whereabouts
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.errors import AccessDenied
from ipcluster_azure.launchers import AzureVMControllerLauncher
from ipcluster_azure.naming import Owner
from ipcluster_azure.plan.requests import ResourceRequest
from ipcluster_azure.plan.resource_types import DISK, NSG, api_version
from ipcluster_azure.progress import Progress
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.resource_manager.discovery import find_clusters
from ipcluster_azure.resource_manager.role import (
    ACTIONS,
    LOOK_ACTIONS,
    SCHEDULE_ACTIONS,
    SELF_DELETION_ACTIONS,
    lacking,
    role_definition,
)
from ipcluster_azure.settings.values import Settings
from ipcluster_azure.ssh.keys import make_login_key
from ipcluster_azure.start.deployment import find_site, request_controller, request_engines
from ipcluster_azure.start.planning import plan_engines
from ipcluster_azure.start.request import JobFile, ProcessSpec, StartContext
from ipcluster_azure.stop.teardown import delete_cluster

from ..azure_emulator.cloud import Cloud
from ..complete import one_in, variant
from .conftest import Profile, wait_for
from .test_reap import Azure


@dataclass
class Life:
    """All requests of a cluster's life, in this process and without machines: fast."""

    info: EmulatorInfo
    all_powerful: Azure
    folder: Path

    @property
    def settings(self) -> Settings:
        launcher = AzureVMControllerLauncher()
        launcher.endpoint = "emulator"
        return launcher.settings()

    def where(self) -> Whereabouts:
        info = self.info
        endpoint = Endpoint(info.endpoint, info.endpoint, info.ca_file, info.token_file)
        return Whereabouts(endpoint, info.subscription_id)

    async def run(self) -> None:
        with self.where().api() as api:
            file = await self._started(api, "stopped")
            assert [item.machines for item in find_clusters(api, Owner())] == [2]
            self._look_after(api, file)
            await delete_cluster(file, self._progress())
            file = await self._started(api, "reaped")
            await self._reap(api, file)

    def _look_after(self, api: AzureApi, file: RecordFile) -> None:
        """What is asked when a machine is silent, and has to be replaced."""
        record = file.require()
        assert api.power_of(record.controller.vm_id) == "running"
        api.scale(record.engine_sets["1"].scale_set_id, 2)
        assert [item.machines for item in find_clusters(api, Owner())] == [3]

    async def _started(self, api: AzureApi, name: str) -> RecordFile:
        file = RecordFile.of(str(self.folder / name), "")
        context = StartContext(file, self._progress())
        site = await find_site(file, self.settings, None, 1)
        await request_controller(
            context,
            site,
            self._job(file, "controller"),
            ProcessSpec(),
            login_key=make_login_key(),
            announce=lambda: None,
            on_network=lambda: None,
        )
        plans = await plan_engines(file, self.settings, "1", 1)
        await request_engines(context, plans, self._job(file, "engines"))
        engine_set = file.require().engine_sets["1"]
        api.machines(engine_set.scale_set_id)
        return file

    async def _reap(self, api: AzureApi, file: RecordFile) -> None:
        """With a foreign resource in its group and a disk left behind: one by one."""
        plan = file.require().plan
        file.erase()
        self.all_powerful.resource(plan.resource_group, "foreign", kind=NSG)
        disk = f"{self.all_powerful.root}/{plan.resource_group}/providers/{DISK}/left"
        properties = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 4}
        body = {"location": "eastus", "tags": dict(plan.tags), "properties": properties}
        request = ResourceRequest(DISK, "left", disk, api_version(DISK), (), body)
        self.all_powerful.api.put(request)
        (cluster,) = (item for item in find_clusters(api, Owner()) if item.name == plan.names.base)
        failed: list[Exception] = []
        await reap(
            [Doomed(self.where(), cluster, "lost", None)],
            self._progress(),
            lambda item, error: failed.append(error),
        )
        for error in failed:
            raise error
        assert self.all_powerful.api.exists(f"{disk[: disk.index('/providers')]}{FOREIGN}")
        assert [item for item in cluster.resources if self.all_powerful.api.exists(item)] == []

    def _progress(self) -> Progress:
        return Progress(logging.getLogger("test"))

    def _job(self, file: RecordFile, name: str) -> JobFile:
        return JobFile(file.profile_dir / f"{name}.json", lambda template: None)


FOREIGN = f"/providers/{NSG}/foreign"


@pytest.fixture(scope="module")
def bare_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorInfo]:
    """Without machines, and with a token that stays unrestricted beside the token file."""
    state_dir = tmp_path_factory.mktemp("bare")
    yield client.start(state_dir, machines="none")
    client.stop(state_dir)


@pytest.fixture
def life(
    bare_emulator: EmulatorInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Life]:
    info = bare_emulator
    monkeypatch.setenv(client.STATE_DIR_VARIABLE, info.state_dir)
    token_file = tmp_path / "token"
    token_file.write_text(client.token(info, ["*"]))
    powerful = Azure(info)
    endpoint = Endpoint(info.endpoint, info.endpoint, info.ca_file, str(token_file))
    powerful.api = AzureApi(endpoint, info.subscription_id)
    yield Life(info, powerful, tmp_path)
    powerful.api.__exit__()
    client.reset(info.state_dir)


def test_the_actions_of_the_role_suffice(life: Life) -> None:
    with restricted(life.info, list(ACTIONS)):
        asyncio.run(life.run())


@pytest.mark.parametrize("action", LOOK_ACTIONS[:1])
def test_without_a_right_to_look_the_start_goes_on(life: Life, action: str) -> None:
    with restricted(life.info, [*ACTIONS, *LOOK_ACTIONS], [action]):
        asyncio.run(life.run())


@pytest.mark.parametrize("action", one_in(6, ACTIONS))
def test_none_of_the_actions_can_be_left_out(life: Life, action: str) -> None:
    with restricted(life.info, list(ACTIONS), [action]), pytest.raises(AccessDenied) as caught:
        asyncio.run(life.run())
    assert action.lower() in str(caught.value).lower()


def test_a_whole_life_with_the_role_that_is_printed(profile: Profile) -> None:
    """Start, engines, list, stop and reap as a user runs them, on machines."""
    output = profile.run("ipcluster-azure", "doctor", "--role", "--profile=azure").stdout
    role = json.loads(output)
    assert role["AssignableScopes"] == [f"/subscriptions/{profile.emulator.subscription_id}"]
    with restricted(profile.emulator, [*role["Actions"]], role["NotActions"]):
        output = profile.ipcluster("start", "-n", "1", "--daemonize")
        assert "Azure deallocates its machines after 12 h" in output
        assert "WARNING" not in output
        profile.ipcluster("engines", "-n", "1", "--daemonize")
        text = profile.run("ipcluster-azure", "list").stdout
        assert "3 x Standard_D4s_v5" in text
        profile.ipcluster("stop")
        profile.ipcluster("start", "-n", "1", "--daemonize")
        for path in (profile.folder / "security").glob("*"):
            path.unlink()
        output = profile.run("ipcluster-azure", "reap", "--yes").stdout
        assert "Azure has accepted" in output
        wait_for(lambda: profile.left_on_azure()["resource_groups"] == [])
    profile.assert_nothing_left()


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (SCHEDULE_ACTIONS[0], "not registered"),
        pytest.param(SCHEDULE_ACTIONS[1], SCHEDULE_ACTIONS[1], marks=variant),
    ],
)
def test_without_a_right_to_schedule_the_start_warns(
    profile: Profile, action: str, words: str
) -> None:
    unregister = "/providers/Microsoft.ComputeSchedule/unregister"
    cloud = Cloud(profile.emulator)
    cloud.call("POST", unregister, version="2021-04-01")
    cloud.close()
    with restricted(profile.emulator, [*ACTIONS, *SCHEDULE_ACTIONS], [action]):
        output = profile.ipcluster("start", "-n", "1", "--daemonize")
        profile.ipcluster("stop")
    (line,) = [line for line in output.splitlines() if "WARNING" in line]
    assert "Azure does not schedule the end of the machines" in line
    assert words in line
    profile.assert_nothing_left()


@pytest.mark.parametrize(
    "action", [SELF_DELETION_ACTIONS[0], pytest.param(SELF_DELETION_ACTIONS[1], marks=variant)]
)
def test_what_self_deletion_needs(profile: Profile, action: str) -> None:
    config = (profile.folder / "ipcluster_config.py").read_text()
    profile.configure(f"{config}c.AzureVMLauncher.self_deletion = 'required'\n")
    actions = [*ACTIONS, *SELF_DELETION_ACTIONS]
    with restricted(profile.emulator, actions, [action]):
        output = profile.ipcluster("start", "-n", "1", expect=1)
        assert action in output
    with restricted(profile.emulator, actions):
        output = profile.ipcluster("start", "-n", "1", "--daemonize")
        assert "also if this computer is off or gone" in output
        profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_the_definition_is_what_azure_takes() -> None:
    role = role_definition("s", self_deletion=True)
    assert set(role) == {"Name", "Description", "Actions", "NotActions", "AssignableScopes"}
    assert set(ACTIONS) < set(role["Actions"])
    assert len(set(role["Actions"])) == len(role["Actions"])
    assert "*" not in "".join(role["Actions"])
    assert "Microsoft.Authorization/roleAssignments/write" in role["Actions"]
    assert not any("Authorization" in action for action in role_definition("s")["Actions"])


def test_what_is_lacking() -> None:
    actions = ["A.B/c/read", "A.B/c/write", "A.B/d/read"]
    assert lacking([{"actions": ["*"], "notActions": []}], actions) == []
    assert lacking([{"actions": ["*/READ"]}], actions) == ["A.B/c/write"]
    contributor = {"actions": ["*"], "notActions": ["a.b/*/Write"]}
    assert lacking([contributor], actions) == ["A.B/c/write"]
    assert lacking([contributor, {"actions": ["A.B/c/*"]}], actions) == []
    assert lacking([], actions) == actions

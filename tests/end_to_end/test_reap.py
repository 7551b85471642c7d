"""`ipcluster-azure list` and `reap`: what was lost is found by its tags, and nothing else is."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pexpect
import pytest

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from azure_emulator.testing import fault, faults, page_size
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.naming import Owner, cluster_tags
from ipcluster_azure.plan.requests import ResourceRequest
from ipcluster_azure.plan.resource_types import (
    NETWORK_API,
    NSG,
    VIRTUAL_NETWORK,
)
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.ssh.keys import make_login_key
from tests.forked_client import Server

from ..complete import one_in, variant
from .conftest import BIN, ON_EMULATOR, Profile, new_profile, wait_for

TEAM = "team"
DEPLOYMENT = "Microsoft.Resources/deployments"
HOME = "f" * 32
OURS = Owner("", HOME, "me@here")
SOMEBODY = Owner("other-0@tenant-1", "d" * 32, "somebody@else")


class Azure:
    """Groups and resources that no launcher has made; the groups are gone after the test."""

    def __init__(self, info: EmulatorInfo) -> None:
        endpoint = Endpoint(info.endpoint, info.endpoint, info.ca_file, info.token_file)
        self.api = AzureApi(endpoint, info.subscription_id)
        self.root = f"/subscriptions/{info.subscription_id}/resourceGroups"
        self.groups: list[str] = []

    def group(self, name: str, tags: Mapping[str, str] | None = None) -> None:
        self.api.put_group(name, "eastus", dict(tags or {}))
        self.groups.append(name)

    def resource(
        self, group: str, name: str, tags: Mapping[str, str] | None = None, kind: str = NSG
    ) -> str:
        identity = f"{self.root}/{group}/providers/{kind}/{name}"
        space = {"addressSpace": {"addressPrefixes": ["10.9.0.0/24"]}}
        properties = space if kind == VIRTUAL_NETWORK else {}
        body = {"location": "eastus", "tags": dict(tags or {}), "properties": properties}
        self.api.put(ResourceRequest(kind, name, identity, NETWORK_API, (), body))
        return identity


@pytest.fixture
def azure(bare_profile: Profile) -> Iterator[Azure]:
    azure = Azure(bare_profile.emulator)
    home = bare_profile.data_dir / "ipcluster-azure" / "home-id"
    home.parent.mkdir(parents=True)
    home.write_text(HOME)
    yield azure
    for name in azure.groups:
        azure.api.delete_group(name)
    azure.api.__exit__()


def tags(
    name: str, owner: Owner = OURS, *, age_h: float = 1, lifetime_h: float = 12, **changed: str
) -> dict[str, str]:
    """Those of a cluster that was started in this home."""
    now = datetime.now(timezone.utc) - timedelta(hours=age_h)
    ours = cluster_tags(
        cluster=name,
        profile="azure",
        cluster_id="",
        owner=owner,
        max_lifetime_h=lifetime_h,
        user_tags={},
        now=now,
    )
    return ours | {f"ipcluster-azure-{key}": value for key, value in changed.items()}


def listed(profile: Profile, *args: str) -> dict[str, dict[str, Any]]:
    output = profile.run("ipcluster-azure", "list", "--json", *args).stdout
    return {item["name"]: item for item in json.loads(output)}


def reap(profile: Profile, *args: str, expect: int = 0) -> str:
    return profile.run("ipcluster-azure", "reap", *args, expect=expect).stdout


def test_a_cluster_that_is_on_record_is_listed_and_left_alone(
    profile: Profile, azure: Azure
) -> None:
    (profile.ipython_dir / "mine.py").write_text("x = 1")  # then its job files make machines only
    config = (profile.folder / "ipcluster_config.py").read_text()
    profile.configure(f"{config}c.AzureVMLauncher.sync_paths = ['mine.py']\n")
    profile.ipcluster("start", "-n", "5", "--daemonize")
    with page_size(profile.emulator, 2):  # each list has several pages
        ((name, found),) = listed(profile).items()
    record = profile.folder / "security" / "azure-.json"
    assert (found["state"], found["machines"], found["here"]) == ("running", 3, str(record))
    assert found["vm_sizes"] == {"Standard_D4s_v5": 3}
    assert (found["profile"], found["cluster_id"]) == ("azure", "")
    text = profile.run("ipcluster-azure", "list").stdout
    assert name in text
    assert "3 x Standard_D4s_v5" in text
    before = profile.left_on_azure()
    assert "nothing to delete" in reap(profile, "--yes")
    assert profile.left_on_azure() == before
    assert "named by you" in reap(profile, "--yes", f"--name={name}")
    profile.assert_nothing_left()  # its keys neither, nor ipyparallel's own file
    _deploy_by_hand(azure, profile.folder)
    assert listed(profile) == {}  # no launcher knows it, and nothing ends it
    assert "nothing to delete" in reap(profile, "--yes", "--all-owners")
    assert len(profile.left_on_azure()["virtual_machines"]) == 3
    shown = azure.api.listed("resources", "2025-04-01", JOB_FILE_FILTER, doing="listing")
    assert {item["tags"]["ipcluster-azure-job-file"] for item in shown} == {name}


JOB_FILE_FILTER = "tagName eq 'ipcluster-azure-job-file'"


def _deploy_by_hand(azure: Azure, folder: Path) -> None:
    """Both job files, with keys of one's own: as `az deployment group create` does it."""
    azure.group(TEAM)
    values = {"sshPublicKey": make_login_key().public, "customData": "I2Nsb3VkLWNvbmZpZwo="}
    parameters = {name: {"value": value} for name, value in values.items()}
    for name in ("azure_controller-", "azure_engineset-"):
        template = json.loads((folder / f"{name}.json").read_text())
        properties = {"mode": "Incremental", "template": template, "parameters": parameters}
        identity = f"{azure.root}/{TEAM}/providers/{DEPLOYMENT}/{name}"
        request = ResourceRequest(
            DEPLOYMENT, name, identity, "2025-04-01", (), {"properties": properties}
        )
        azure.api.put(request)
        wait_for(lambda id_=identity: azure.api.state_of(id_) not in ("Accepted", "Running"), 30)
        assert azure.api.state_of(identity) == "Succeeded", azure.api.get(request)


@pytest.mark.parametrize("shared", one_in(2, [True, False]), ids=["shared group", "own group"])
def test_with_the_ipython_directory_erased_all_is_deleted_but_the_decoys(
    profile: Profile, azure: Azure, shared: bool
) -> None:
    azure.group(TEAM)
    if shared:
        config = (profile.folder / "ipcluster_config.py").read_text()
        profile.configure(f"{config}c.AzureVMLauncher.resource_group = {TEAM!r}\n")
    profile.ipcluster("start", "-n", "1", "--daemonize")
    (name,) = listed(profile)
    decoys = _decoys(azure, name)
    shutil.rmtree(profile.ipython_dir)
    profile.ipython_dir.mkdir()
    output = reap(profile, "--yes")
    assert name in output
    assert "not on record" in output
    kept = sorted({identity.split("/")[4] for identity in decoys} | {f"{name}0", TEAM})
    wait_for(lambda: sorted(profile.left_on_azure()["resource_groups"]) == kept)
    assert profile.left_on_azure()["virtual_machines"] == []
    assert all(azure.api.exists(identity) for identity in decoys)
    assert "nothing to delete" in reap(profile, "--yes")
    wait_for(lambda: not profile.processes())


def _decoys(azure: Azure, name: str) -> list[str]:
    """What looks like the cluster and isn't."""
    azure.group("ipp-azure-ffffffff")  # our kind of name, no tags
    azure.group(f"{name}0", {"ipcluster-azure-clusters": name, "cluster": name})
    azure.group("ipp-theirs", tags("ipp-theirs", owner=SOMEBODY))
    others = tags(name, cluster=f"{name}0", owner=SOMEBODY)
    return [
        azure.resource("ipp-azure-ffffffff", f"{name}-nsg"),
        azure.resource("ipp-theirs", "ipp-theirs-nsg", tags("ipp-theirs", owner=SOMEBODY)),
        azure.resource(TEAM, f"{name}-nsg2"),  # no tags, our kind of name
        azure.resource(TEAM, "similar-value", others),
        azure.resource(TEAM, "similar-name", {"ipcluster-azure-clusters": name}),
        azure.resource(TEAM, "network", {"team": "ours"}, VIRTUAL_NETWORK),
    ]


def test_a_reap_that_is_killed_can_be_repeated(profile: Profile, azure: Azure) -> None:
    azure.group(TEAM)
    config = (profile.folder / "ipcluster_config.py").read_text()
    profile.configure(f"{config}c.AzureVMLauncher.resource_group = {TEAM!r}\n")
    profile.ipcluster("start", "-n", "1", "--daemonize")
    shutil.rmtree(profile.folder / "security")
    slow = fault("delay", method="DELETE", type=VIRTUAL_NETWORK, delay_s=60)
    with faults(profile.emulator, slow):
        first = profile.popen("ipcluster-azure", "reap", "--yes")
        wait_for(lambda: not profile.left_on_azure()["virtual_machines"], 60)
        first.kill()
        first.communicate()
    ((_, left),) = listed(profile).items()
    assert left["machines"] == 0
    assert "not on record" in reap(profile, "--yes")
    assert azure.api.listed(f"resourceGroups/{TEAM}/resources", "2025-04-01", doing="listing") == []


@pytest.fixture
def slow_profile(tmp_path: Path, server: Server) -> Iterator[Profile]:
    """A profile on an emulator that takes some 8 s to delete a machine, a minute for a group."""
    slow = client.start(tmp_path / "emulator", time_scale=0.2)
    try:
        with new_profile(tmp_path, slow, server) as profile:
            profile.configure(ON_EMULATOR)
            yield profile
    finally:
        client.stop(slow.state_dir)


@pytest.mark.parametrize(
    "shared", [False, pytest.param(True, marks=variant)], ids=["own group", "shared group"]
)
def test_what_a_killed_stop_has_half_deleted_is_gone_after_one_reap(
    slow_profile: Profile, shared: bool
) -> None:
    profile, azure = slow_profile, Azure(slow_profile.emulator)
    if shared:
        azure.group(TEAM)
        profile.configure(f"{ON_EMULATOR}c.AzureVMLauncher.resource_group = {TEAM!r}\n")
    profile.ipcluster("start", "-n", "1", "--daemonize")
    (name,) = listed(profile)
    _kill_a_stop_after_its_first_requests(profile, shared)
    assert listed(profile)[name]["state"] == "half deleted"
    assert "not on record" in reap(profile, "--yes")
    if shared:
        path = f"resourceGroups/{TEAM}/resources"
        assert azure.api.listed(path, "2025-04-01", doing="listing") == []
    else:
        assert listed(profile)[name]["state"] == "deleting"
        group = azure.api.read(f"resourceGroups/{name}", "2025-04-01", doing="looking")
        assert group["properties"]["provisioningState"] == "Deleting"
    assert "nothing to delete" in reap(profile, "--yes")
    azure.api.__exit__()


def _kill_a_stop_after_its_first_requests(profile: Profile, shared: bool) -> None:
    """Machines are being deleted, slowly, and nothing else; of this computer all is lost."""
    lost = fault("drop", method="DELETE", type="*/resourceGroups", times=None)
    with faults(profile.emulator, lost) as met:
        stopping = profile.popen("ipcluster", "stop", f"--profile={profile.name}")
        if shared:  # of the rest nothing is asked before the machines are gone
            assert stopping.stdout is not None
            assert any("deletion of the machines" in line for line in stopping.stdout)
        else:
            wait_for(lambda: met.fired[0], 30)
        profile.kill_link()
        stopping.kill()
        stopping.communicate()
    wait_for(lambda: not profile.processes())
    shutil.rmtree(profile.ipython_dir)
    profile.ipython_dir.mkdir()


def test_a_group_of_ours_with_foreign_resources_stays_with_them(
    bare_profile: Profile, azure: Azure
) -> None:
    azure.group("ipp-lost", tags("ipp-lost"))
    ours = azure.resource("ipp-lost", "ipp-lost-nsg", tags("ipp-lost"))
    untagged = azure.resource("ipp-lost", "ipp-lost-vnet", kind=VIRTUAL_NETWORK)
    theirs = azure.resource("ipp-lost", "database-nsg", {"team": "theirs"})
    output = reap(bare_profile, "--yes")
    assert "Resource group ipp-lost stays" in output
    assert "database-nsg" in output
    assert (azure.api.exists(ours), azure.api.exists(theirs)) == (False, True)
    assert azure.api.exists(untagged)  # in a group that stays only what carries the tag goes


def test_a_group_with_copied_tags_is_no_group_of_ours(bare_profile: Profile, azure: Azure) -> None:
    azure.group(TEAM, tags("ipp-lost"))
    theirs = azure.resource(TEAM, "theirs")
    ours = azure.resource(TEAM, "ipp-lost-nsg", tags("ipp-lost"))
    assert not listed(bare_profile)["ipp-lost"]["owns_resource_group"]
    reap(bare_profile, "--yes")
    assert (azure.api.exists(ours), azure.api.exists(theirs)) == (False, True)


def test_states_and_reasons(bare_profile: Profile, azure: Azure) -> None:
    azure.group("ipp-expired", tags("ipp-expired", age_h=13))
    azure.group("ipp-lost", tags("ipp-lost"))
    azure.group("ipp-new", tags("ipp-new", age_h=0))
    azure.group("ipp-theirs", tags("ipp-theirs", age_h=13, owner=SOMEBODY))
    states = {name: item["state"] for name, item in listed(bare_profile).items()}
    assert states == {
        "ipp-expired": "expired",
        "ipp-lost": "left behind",
        "ipp-new": "creating",
        "ipp-theirs": "expired",
    }
    left = {"ipp-lost", "ipp-new", "ipp-theirs"}
    assert "its time is over" in reap(bare_profile, "--yes", "--expired")
    wait_for(lambda: set(bare_profile.left_on_azure()["resource_groups"]) == left)
    output = reap(bare_profile, "--yes", "--expired", "--all-owners")
    assert "other people's clusters" in output
    wait_for(
        lambda: set(bare_profile.left_on_azure()["resource_groups"]) == {"ipp-lost", "ipp-new"}
    )


def test_a_cluster_of_another_home_is_foreign(
    profile: Profile, azure: Azure, tmp_path: Path
) -> None:
    """Two homes of users who share a login and a name, on computers that are called the same:
    containers, a classroom."""
    profile.ipcluster("start", "-n", "1", "--daemonize")
    ((name, found),) = listed(profile).items()
    assert (found["foreign"], found["home"]) == (False, HOME)
    assert found["owner"] == azure.api.login()
    theirs = replace(profile, ipython_dir=tmp_path / "theirs" / "ipython")
    theirs.configure((profile.folder / "ipcluster_config.py").read_text())
    before = profile.left_on_azure()
    for options in ((), (f"--profile={profile.name}",), ("--all-owners",)):
        output = reap(theirs, "--yes", *options)
        assert "nothing to delete" in output
        assert f"ipcluster-azure reap --name={name}" in output
        assert profile.left_on_azure() == before
    ((_, seen),) = listed(theirs).items()
    assert (seen["foreign"], seen["home"]) == (True, HOME)
    shown = theirs.run("ipcluster-azure", "list").stdout
    assert f"foreign: {found['user']}, home {HOME[:8]}" in shown
    assert "though foreign" in reap(theirs, "--yes", f"--name={name}")
    profile.assert_nothing_left()


@variant  # of test_a_cluster_of_another_home_is_foreign
def test_without_a_place_for_its_id_a_home_knows_its_clusters_by_their_records(
    profile: Profile,
) -> None:
    profile.environment["XDG_DATA_HOME"] = "/dev/null"
    said = profile.ipcluster("start", "-n", "1", "--daemonize")
    log = "".join(path.read_text() for path in (profile.folder / "log").glob("ipcluster-*.log"))
    assert "can be neither read nor written" in said + log
    ((name, found),) = listed(profile).items()
    assert (found["foreign"], found["home"]) == (False, "")
    shutil.rmtree(profile.ipython_dir)
    profile.ipython_dir.mkdir()
    assert listed(profile)[name]["foreign"]
    output = reap(profile, "--yes")
    assert "can be neither read nor written" in output
    assert f"ipcluster-azure reap --name={name}" in output
    assert profile.left_on_azure()["resource_groups"] == [name]
    reap(profile, "--yes", f"--name={name}")
    wait_for(lambda: not profile.left_on_azure()["resource_groups"])


def test_nobody_is_deleted_without_being_asked(bare_profile: Profile, azure: Azure) -> None:
    azure.group("ipp-lost", tags("ipp-lost"))
    assert "--yes" in reap(bare_profile, expect=1)
    assert "belongs to" in _reap_theirs(bare_profile, azure)
    assert "There is no cluster nosuch" in reap(bare_profile, "--yes", "--name=nosuch", expect=1)
    command = str(BIN / "ipcluster-azure")
    for answer, words in (("n", "Nothing was deleted"), ("y", "Azure has accepted")):
        assert azure.api.group_exists("ipp-lost")
        child = pexpect.spawn(command, ["reap"], env=bare_profile._environment(), timeout=30)
        child.expect("ipp-lost")
        child.expect(r"Delete this\? \[y/N\]")
        child.sendline(answer)
        child.expect(words)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
    wait_for(lambda: not azure.api.group_exists("ipp-lost"))


def _reap_theirs(profile: Profile, azure: Azure) -> str:
    azure.group("ipp-theirs", tags("ipp-theirs", owner=SOMEBODY))
    output = reap(profile, "--yes", "--name=ipp-theirs", expect=1)
    assert azure.api.group_exists("ipp-theirs")
    return output


def test_one_failure_does_not_stop_the_others(bare_profile: Profile, azure: Azure) -> None:
    azure.group("ipp-a", tags("ipp-a"))
    azure.group("ipp-b", tags("ipp-b"))
    locked = fault("refuse", method="DELETE", name="ipp-a", status=409, code="ScopeLocked")
    with faults(bare_profile.emulator, locked):
        output = reap(bare_profile, "--yes", expect=1)
    assert "ipp-a could not be deleted" in output
    assert "ScopeLocked" in output
    wait_for(lambda: bare_profile.left_on_azure()["resource_groups"] == ["ipp-a"])
    reap(bare_profile, "--yes")
    wait_for(lambda: bare_profile.left_on_azure()["resource_groups"] == [])


def test_what_could_not_be_asked_is_not_told_as_absence(
    bare_profile: Profile, azure: Azure
) -> None:
    azure.group("ipp-lost", tags("ipp-lost"))
    refused = fault("refuse", status=403, code="AuthorizationFailed", times=None)
    with faults(bare_profile.emulator, refused):
        for options in ([], ["--json"]):
            (reason, conclusion) = bare_profile.run(
                "ipcluster-azure", "list", *options, expect=1
            ).stdout.splitlines()
            assert "AuthorizationFailed" in reason
            assert conclusion == "ipcluster-azure: which clusters there are is not known."
        for options in (["--yes"], ["--yes", "--name=ipp-lost"]):
            output = reap(bare_profile, *options, expect=1)
            assert "whether there is more to delete is not known" in output
            assert "nothing to delete" not in output
            assert "There is no cluster" not in output
    wrong = {"AZURE_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000001"}
    bare_profile.environment |= {**wrong, "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}
    output = bare_profile.run("ipcluster-azure", "list", expect=1).stdout
    assert "ipp-lost" in output  # the emulator was asked, the other subscription could not be
    output = reap(bare_profile, "--yes", "--name=nosuch", expect=1)
    assert "There is no cluster" not in output
    bare_profile.environment["AZURE_SUBSCRIPTION_ID"] = "no id"
    output = bare_profile.run("ipcluster-azure", "list", expect=1).stdout
    assert "'no id' is not a subscription's id" in output


def test_records_that_can_not_be_read_are_not_told_as_absent(
    bare_profile: Profile, azure: Azure
) -> None:
    azure.group("ipp-lost", tags("ipp-lost"))
    security = bare_profile.folder / "security"
    security.symlink_to(security)
    for command in (["list"], ["reap", "--yes"], ["status", "--profile=azure"]):
        (line,) = bare_profile.run("ipcluster-azure", *command, expect=1).stdout.splitlines()
        assert f"{security} can't be read" in line
    security.unlink()
    (security / "azure-.json").mkdir(parents=True)
    output = reap(bare_profile, "--yes", expect=1)
    assert "can't be read" in output
    assert azure.api.group_exists("ipp-lost")
    (security / "azure-.json").rmdir()
    (security / "azure-.json").write_text("{")
    output = bare_profile.run("ipcluster-azure", "list", expect=1).stdout
    assert "perhaps its subscription was not asked" in output


def test_what_others_wrote_into_tags_does_not_reach_the_terminal(
    bare_profile: Profile, azure: Azure
) -> None:
    azure.group("ipp-lost", tags("ipp-lost", user="\x1b[2Jme", expires="soon"))
    output = bare_profile.run("ipcluster-azure", "list").stdout
    assert "?[2Jme" in output
    assert "\x1b" not in output


def test_where_to_look(bare_profile: Profile, azure: Azure, tmp_path: Path) -> None:
    azure.group("ipp-lost", tags("ipp-lost"))
    bare_profile.configure('c = get_config()\nc.AzureVMLauncher.endpoint = "emulator"\n')
    assert set(listed(bare_profile, "--profile=azure")) == {"ipp-lost"}
    assert set(listed(bare_profile, "--endpoint=emulator")) == {"ipp-lost"}
    command = ("ipcluster-azure", "list", "--profile=nosuch")
    assert "There is no profile 'nosuch'" in bare_profile.run(*command, expect=1).stdout
    bare_profile.configure("c = get_config()\nc.AzureVMLauncher.endpoint = 7\n")
    command = ("ipcluster-azure", "list", "--profile=azure")
    assert "endpoint" in bare_profile.run(*command, expect=1).stdout
    bare_profile.configure("1 / 0\n")
    assert "ZeroDivisionError" in bare_profile.run(*command, expect=1).stdout
    nowhere = {"IPCLUSTER_AZURE_EMULATOR_STATE_DIR": str(tmp_path / "none")}
    bare_profile.environment |= {**nowhere, "AZURE_CONFIG_DIR": str(tmp_path), "PATH": "/nowhere"}
    output = bare_profile.run("ipcluster-azure", "reap", "--yes", expect=1).stdout
    assert "nowhere to look" in output
    command = ("ipcluster-azure", "list", "--endpoint=emulator")
    assert "No emulator is running" in bare_profile.run(*command, expect=1).stdout


def test_a_place_that_does_not_answer_hides_no_other(bare_profile: Profile, azure: Azure) -> None:
    azure.group("ipp-lost", tags("ipp-lost"))
    bare_profile.environment |= {"AZURE_SUBSCRIPTION_ID": "s", "AZURE_CONFIG_DIR": "/nowhere"}
    bare_profile.environment |= {"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}
    output = bare_profile.run("ipcluster-azure", "list", expect=1).stdout
    assert "az login" in output
    assert "ipp-lost" in output

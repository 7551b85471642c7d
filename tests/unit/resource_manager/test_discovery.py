"""Which clusters there are, by what Azure lists, and which of them are to be deleted."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.clusters.local_records import LocalRecord
from ipcluster_azure.clusters.reap import Choice, choose, left_alone, reason_to_reap
from ipcluster_azure.clusters.whereabouts import Whereabouts
from ipcluster_azure.clusters.whose import whose
from ipcluster_azure.endpoint import Endpoint, RecordCore
from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.naming import Owner, cluster_tags
from ipcluster_azure.resource_manager.discovery import (
    FoundCluster,
    find_clusters,
    foreign_resources,
    resources_of_cluster,
)

ME = Owner("o@t", "f" * 32, "me@here")
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc)
ROOT = "/subscriptions/s/resourceGroups"
SET = "Microsoft.Compute/virtualMachineScaleSets"
VM = "Microsoft.Compute/virtualMachines"
NSG = "Microsoft.Network/networkSecurityGroups"
PUBLIC_IP = "Microsoft.Network/publicIPAddresses"
VIRTUAL_NETWORK = "Microsoft.Network/virtualNetworks"
ENDPOINT = Endpoint("https://management.azure.com", "https://management.azure.com")


def tags(name: str, *, hours_ago: float = 1, lifetime_h: float = 12, **more: str) -> dict[str, str]:
    ours = cluster_tags(
        cluster=name,
        profile="azure",
        cluster_id="",
        owner=ME,
        max_lifetime_h=lifetime_h,
        user_tags={},
        now=NOW - timedelta(hours=hours_ago),
    )
    return ours | {f"ipcluster-azure-{key}": value for key, value in more.items()}


class Lists:
    """Azure's three lists, and that of a group."""

    subscription_id = "s"

    def __init__(self) -> None:
        self.groups: list[dict[str, Any]] = []
        self.resources: list[dict[str, Any]] = []
        self.machines: list[dict[str, Any]] = []
        self.asked: list[str] = []

    def listed(
        self, path: str, api_version: str, filter_: str = "", expand: str = "", *, doing: str
    ) -> Any:
        self.asked.append(path)
        if path == "resourceGroups":
            return self.groups
        if path == f"providers/{VM}":
            return self.machines
        return self.resources

    def group(self, name: str, tags: dict[str, str], state: str = "Succeeded") -> None:
        properties = {"provisioningState": state}
        self.groups.append(
            {"name": name, "location": "eastus", "tags": tags, "properties": properties}
        )

    def resource(
        self,
        group: str,
        kind: str,
        name: str,
        tags: dict[str, str] | None,
        state: str = "Succeeded",
    ) -> str:
        identity = f"{ROOT}/{group}/providers/{kind}/{name}"
        found = {"id": identity, "name": name, "location": "eastus", "provisioningState": state}
        self.resources.append(found if tags is None else {**found, "tags": tags})
        return identity

    def machine(self, identity: str, state: str = "Succeeded", scale_set: str = "") -> None:
        properties: dict[str, Any] = {
            "provisioningState": state,
            "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
        }
        if scale_set:
            properties["virtualMachineScaleSet"] = {"id": scale_set.upper()}
        self.machines.append({"id": identity, "properties": properties})


@pytest.fixture
def azure() -> Any:
    return Lists()


def test_a_cluster_is_found_with_all_that_is_its(azure: Any) -> None:
    azure.group("ipp-a", tags("ipp-a"))
    scale_set = azure.resource("IPP-A", SET, "set", tags("ipp-a"))
    azure.machine(f"{ROOT}/ipp-a/providers/{VM}/one", scale_set=scale_set)  # without tags
    controller = azure.resource("ipp-a", VM, "controller", tags("ipp-a"))
    azure.machine(controller.upper())
    azure.machine(f"{ROOT}/ipp-a/providers/{VM}/foreign")
    (found,) = find_clusters(azure, ME)
    assert (found.name, found.owns_group, found.machines) == ("ipp-a", True, 2)
    one = f"{ROOT}/ipp-a/providers/{VM}/one"
    assert sorted(found.resources) == sorted([scale_set, controller, one])
    assert found.state(NOW) == "running"
    assert len(azure.asked) == 3


def test_names_of_tags_may_be_written_in_other_letters(azure: Any) -> None:
    azure.group("ipp-a", {name.upper(): value for name, value in tags("ipp-a").items()})
    (found,) = find_clusters(azure, ME)
    assert (found.name, found.tag("profile")) == ("ipp-a", "azure")


def test_a_group_of_another_name_is_not_the_clusters(azure: Any) -> None:
    azure.group("team", tags("ipp-a"))
    assert find_clusters(azure, ME) == []
    azure.resource("team", NSG, "nsg", tags("ipp-a"))
    azure.resource("other", NSG, "nsg", tags("ipp-a"))
    assert [(item.resource_group, item.owns_group) for item in find_clusters(azure, ME)] == [
        ("other", False),
        ("team", False),
    ]


def test_a_group_may_be_written_in_other_letters(azure: Any) -> None:
    azure.group("IPP-a", tags("ipp-A"))
    (found,) = find_clusters(azure, ME)
    assert found.owns_group


def test_by_its_core_a_cluster_is_found_in_its_group_alone(azure: Any) -> None:
    asked: list[str] = []
    listed = azure.listed

    def noting(path: str, version: str, filter_: str, *, doing: str) -> Any:
        asked.append(filter_)
        return listed(path, version, doing=doing)

    azure.listed = noting
    ours = [azure.resource(group, NSG, group, tags("ipp-a")) for group in ("Team", "TEAM")]
    azure.resource("team2", NSG, "nsg", tags("ipp-a"))
    assert resources_of_cluster(azure, "teaM", "it's") == ours
    assert asked == ["tagName eq 'ipcluster-azure-cluster' and tagValue eq 'it''s'"]


def test_two_clusters_in_one_group_are_two(azure: Any) -> None:
    for name in ("ipp-a", "ipp-ab"):
        azure.resource("team", NSG, f"{name}-nsg", tags(name))
    first, second = find_clusters(azure, ME)
    assert (first.name, second.name) == ("ipp-a", "ipp-ab")
    assert len(first.resources) == len(second.resources) == 1


@pytest.mark.parametrize(
    ("states", "hours_ago", "state"),
    [
        (["Succeeded", "Failed"], 1, "running"),
        (["Succeeded", "Creating"], 1, "creating"),
        (["Updating"], 1, "creating"),
        (["Deleting", "Deleting"], 1, "half deleted"),
        (["Deleting", "Deleting"], 0.1, "half deleted"),
        (["Deleting", "Succeeded"], 1, "running"),
        ([], 1, "left behind"),
        ([], 0.1, "creating"),
        (["Succeeded"], 12.1, "expired"),
        (["Deleting"], 13, "expired"),
    ],
)
def test_states(azure: Any, states: list[str], hours_ago: float, state: str) -> None:
    azure.group("ipp-a", tags("ipp-a", hours_ago=hours_ago))
    for number, each in enumerate(states):
        vm = azure.resource("ipp-a", VM, str(number), tags("ipp-a", hours_ago=hours_ago))
        azure.machine(vm, each)
    (found,) = find_clusters(azure, ME)
    assert found.state(NOW) == state


def test_a_group_that_azure_deletes(azure: Any) -> None:
    azure.group("ipp-a", tags("ipp-a", hours_ago=20), "Deleting")
    (found,) = find_clusters(azure, ME)
    assert found.state(NOW) == "deleting"
    assert reason_to_reap(found, None, Choice(), NOW) == ""


@pytest.mark.parametrize(
    ("hours_ago", "state", "word"),
    [
        (0.1, "Succeeded", "creating"),
        (1, "Succeeded", "left behind"),
        (0.1, "Deleting", "half deleted"),
    ],
)
def test_a_scale_set_without_machines(azure: Any, hours_ago: float, state: str, word: str) -> None:
    azure.resource("team", NSG, "nsg", tags("ipp-a", hours_ago=hours_ago))
    azure.resource("team", SET, "set", tags("ipp-a", hours_ago=hours_ago), state)
    (found,) = find_clusters(azure, ME)
    assert found.state(NOW) == word


@pytest.mark.parametrize(
    ("age_min", "others", "word"),
    [
        (0.5, [], "creating"),
        (2, [], "left behind"),  # by a guard, which can't delete the network of its own machine
        (2, [PUBLIC_IP], "creating"),
    ],
)
def test_a_network_without_anything_in_it(
    azure: Any, age_min: float, others: list[str], word: str
) -> None:
    for kind in (NSG, VIRTUAL_NETWORK, *others):
        azure.resource("team", kind, "one", tags("ipp-a", hours_ago=age_min / 60))
    (found,) = find_clusters(azure, ME)
    assert found.state(NOW) == word
    assert reason_to_reap(found, None, Choice(), NOW) in ("", "not on record in any profile here")


def test_machines_go_with_their_scale_set(azure: Any) -> None:
    azure.group("ipp-a", tags("ipp-a"))
    scale_set = azure.resource("ipp-a", SET, "set", tags("ipp-a"), "Deleting")
    azure.machine(azure.resource("ipp-a", VM, "one", tags("ipp-a")), scale_set=scale_set)
    azure.machine(f"{ROOT}/ipp-a/providers/{VM}/two", scale_set=scale_set)
    (found,) = find_clusters(azure, ME)
    assert (found.state(NOW), found.machines) == ("half deleted", 2)


@pytest.mark.parametrize(
    ("network", "word"), [("Succeeded", "half deleted"), ("Deleting", "deleting")]
)
def test_in_a_shared_group_all_must_go(azure: Any, network: str, word: str) -> None:
    azure.machine(azure.resource("team", VM, "one", tags("ipp-a"), "Deleting"), "Deleting")
    azure.resource("team", NSG, "nsg", tags("ipp-a"), network)
    (found,) = find_clusters(azure, ME)
    assert found.state(NOW) == word
    assert found.being_deleted == (word == "deleting")


def test_in_a_shared_group_the_last_resources_go(azure: Any) -> None:
    azure.resource("team", NSG, "nsg", tags("ipp-a"), "Deleting")
    (found,) = find_clusters(azure, ME)
    assert found.state(NOW) == "deleting"


@pytest.mark.parametrize("text", ["soon", "", "2026-11-21T11:00:00"])
def test_times_that_others_have_written(text: str) -> None:
    found = FoundCluster("a", "s", "a", "eastus", tags("a", created=text, expires=text))
    assert found.expired(NOW) == (text.startswith("2026"))
    assert (found.age_s(NOW) is None) == (not text.startswith("2026"))


def test_what_is_foreign_in_a_clusters_group(azure: Any) -> None:
    azure.group("ipp-a", tags("ipp-a"))
    azure.resource("ipp-a", NSG, "other", tags("ipp-A"))
    for name in ("IPP-A-e1_0a_OsDisk_1_2", "ipp-a-nic", "ipp-a_disk"):
        azure.resource("ipp-a", "Microsoft.Compute/disks", name, None)
    foreign = [
        azure.resource("ipp-a", NSG, "ipp-ab", None),
        azure.resource("ipp-a", NSG, "mine", {"ipcluster-azure-cluster": "ipp-ab"}),
        azure.resource("ipp-a", NSG, "x-ipp-a-nsg", {}),
    ]
    found = FoundCluster("ipp-A", "s", "ipp-a", "eastus", tags("ipp-a"), owns_group=True)
    assert foreign_resources(azure, found) == foreign


WHERE = Whereabouts(ENDPOINT, "s")
CORE = RecordCore(ENDPOINT, "s", "a", True, "a")
ON_RECORD = LocalRecord(Path("azure-.json"), CORE)
STOPPING = LocalRecord(Path("azure-.json"), CORE, stopping=True)


def cluster(name: str = "a", **changes: Any) -> FoundCluster:
    return FoundCluster(name, "s", name, "eastus", tags(name, **changes), ME, owns_group=True)


def of(owner: Owner, name: str = "a", asker: Owner = ME, **changes: Any) -> FoundCluster:
    """A cluster of somebody's, or of ours in another home."""
    ours = {key: value for key, value in tags(name, **changes).items() if key not in OWNERS}
    theirs = {f"ipcluster-azure-{key}": value for key, value in owner.tags.items()}
    return FoundCluster(name, "s", name, "eastus", ours | theirs, asker, owns_group=True)


OWNERS = {f"ipcluster-azure-{name}" for name in ("owner", "home", "user")}
ELSEWHERE = replace(ME, home="e" * 32)
# the computers of a classroom: one image, one user, but each his own login
COPY = replace(ME, login="other@t")
THEIRS = Owner("other@t", "d" * 32, "x@y")
OF_BEFORE = Owner("", "", ME.user)


@pytest.mark.parametrize(
    ("found", "record", "choice", "words"),
    [
        (cluster(), None, Choice(), "not on record"),
        (cluster(), ON_RECORD, Choice(), ""),
        (cluster(), STOPPING, Choice(), "has not finished"),
        (cluster(), None, Choice(expired_only=True), ""),
        (cluster(), STOPPING, Choice(expired_only=True), ""),
        (cluster(hours_ago=13), ON_RECORD, Choice(), "time is over"),
        (cluster(hours_ago=13), None, Choice(expired_only=True), "time is over"),
        (cluster(hours_ago=13, lifetime_h=0), ON_RECORD, Choice(), ""),
        (cluster(), ON_RECORD, Choice("a"), "named by you"),
        (cluster(), None, Choice("A"), ""),
        (cluster("ab"), None, Choice("a"), ""),
        # of the same login, in another home: somebody may be at work with it
        (of(ELSEWHERE), None, Choice(), ""),
        (of(ELSEWHERE), None, Choice(all_owners=True), ""),
        (of(ELSEWHERE), ON_RECORD, Choice(), ""),
        (of(ELSEWHERE), STOPPING, Choice(), "has not finished"),
        (of(ELSEWHERE, hours_ago=13), None, Choice(), "time is over"),
        (of(ELSEWHERE), None, Choice("a"), "though foreign"),
        # in a home that is a copy of this one
        (of(COPY), None, Choice(), ""),
        (of(COPY), None, Choice("a"), "though foreign"),
        # somebody else's
        (of(THEIRS), None, Choice(), ""),
        (of(THEIRS), None, Choice(all_owners=True), ""),
        (of(THEIRS, hours_ago=13), None, Choice(), ""),
        (of(THEIRS, hours_ago=13), None, Choice(expired_only=True, all_owners=True), "over"),
        (of(THEIRS), None, Choice("a"), ""),
        (of(THEIRS), None, Choice("a", all_owners=True), "though foreign"),
        # of the version before, whose tags name the user alone
        (of(OF_BEFORE), None, Choice(), ""),
        (of(OF_BEFORE), ON_RECORD, Choice(), ""),
        (of(OF_BEFORE, hours_ago=13), None, Choice(), "time is over"),
        (of(OF_BEFORE), None, Choice("a"), "though foreign"),
        (of(Owner("", "", "x@y")), None, Choice("a"), ""),
        # without a readable token, and without a place for the home's id
        (of(replace(ME, login="")), None, Choice(), "not on record"),
        (of(ME, asker=replace(ME, login="")), None, Choice(), "not on record"),
        (of(ME, asker=replace(ME, home="")), None, Choice(), ""),
        (of(replace(ME, home=""), asker=replace(ME, home="")), None, Choice(), ""),
    ],
)
def test_reasons(found: FoundCluster, record: Any, choice: Choice, words: str) -> None:
    reason = reason_to_reap(found, record, choice, NOW)
    assert words in reason
    assert bool(reason) == bool(words)


def test_a_choice_has_the_record_of_each() -> None:
    found = [(WHERE, cluster("a")), (WHERE, cluster("b", hours_ago=13))]
    records = {"a": ON_RECORD, "b": STOPPING}
    (doomed,) = choose(found, records, Choice(), NOW)
    assert (doomed.cluster.name, doomed.record) == ("b", STOPPING)


def test_a_name_that_is_not_there_or_somebody_elses() -> None:
    found = [(WHERE, of(THEIRS))]
    with pytest.raises(ConfigurationError, match="There is no cluster b"):
        choose(found, {}, Choice("b"), NOW)
    with pytest.raises(ConfigurationError, match=r"belongs to somebody else.*x@y.*--all-owners"):
        choose(found, {}, Choice("a"), NOW)
    assert len(choose(found, {}, Choice("a", all_owners=True), NOW)) == 1


def test_what_may_be_ones_own_is_told_of_when_it_is_left_alone() -> None:
    clusters = [
        cluster("ours"),
        of(ELSEWHERE, "elsewhere"),
        of(ELSEWHERE, "on-record"),
        of(ELSEWHERE, "expired", hours_ago=13),
        replace(of(ELSEWHERE, "going"), group_deleting=True),
        of(COPY, "copy"),
        of(THEIRS, "theirs"),
        of(OF_BEFORE, "before"),
    ]
    alone = left_alone([(WHERE, item) for item in clusters], {"on-record": ON_RECORD}, NOW)
    assert [item.name for item in alone] == ["elsewhere", "copy", "before"]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (cluster(), "me@here"),
        (of(ELSEWHERE), "foreign: me@here, home eeeeeeee"),
        (of(OF_BEFORE), "foreign: me@here, home unknown"),
        (of(THEIRS), "foreign: x@y, object id other"),
        (of(COPY), "foreign: me@here, object id other"),
        (of(Owner("", "", "")), "foreign: ?, home unknown"),
    ],
)
def test_whose_it_is_in_words(found: FoundCluster, words: str) -> None:
    assert whose(found, None) == words
    assert whose(found, ON_RECORD) == (found.owner.user or "?")

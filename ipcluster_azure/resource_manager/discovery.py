"""Clusters as Azure shows them: found by their tags, without any local file.

Three lists tell of all clusters of a subscription, however many there are: the groups and the
resources that carry CLUSTER_TAG, and the virtual machines. A group belongs to a cluster if it
carries the cluster's name as that tag and is called so itself, as only a group made by a launcher
is. In any other group the resources with exactly that tag are the cluster's, and nothing else.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import NamedTuple

from ..errors import RequestRefused
from ..naming import CLUSTER_TAG, TAG_PREFIX, Owner
from ..plan import resource_types
from ..plan.prices import REGULAR
from ..plan.resource_types import Json
from ..resource_ids import parse_id
from .api import AzureApi

RESOURCES_API = "2025-04-01"
WITH_TAG = f"tagName eq '{CLUSTER_TAG}'"
# without a machine for so long after its creation, a cluster's start has failed or was killed
CREATING_S = 600.0
# an address and an interface follow a network within seconds; where there are none, the machines
# were there, and were deleted by the cluster's own guard, which can't delete their network
NETWORK_ALONE_S = 60.0
CREATING, RUNNING, DELETING = "creating", "running", "deleting"
EXPIRED, LEFT_BEHIND, HALF_DELETED = "expired", "left behind", "half deleted"
GOING = "Deleting"  # Azure's word for what it is deleting
STATE = "provisioningState"


class BilledMachine(NamedTuple):
    """What a machine's price depends on; `os_disk_gb` is 0 where Azure doesn't say it."""

    size: str
    priority: str
    os_disk_gb: int


@dataclass
class FoundCluster:
    """One cluster. `states`: Azure's provisioning state of what carries its tag, and of its
    machines, by id; `vm_sizes`: size -> how many machines, and `billed` the same by all that a
    price depends on; `asker`: who has looked;
    `seen_at`: when, by Azure's clock, which counts where it is known rather than a `now`."""

    name: str
    subscription_id: str
    resource_group: str
    location: str
    tags: Mapping[str, str]
    asker: Owner = field(default_factory=Owner)
    owns_group: bool = False
    group_deleting: bool = False
    seen_at: datetime | None = None
    states: dict[str, str] = field(default_factory=dict)
    vm_sizes: Counter[str] = field(default_factory=Counter)
    billed: Counter[BilledMachine] = field(default_factory=Counter)

    def tag(self, name: str) -> str:
        return self.tags.get(f"{TAG_PREFIX}-{name}", "")

    @property
    def owner(self) -> Owner:
        return Owner.from_tags(self.tags)

    @property
    def is_of_this_home(self) -> bool:
        """Whether it was started in the asker's home directory, and not with another's login: a
        home may be a copy, as in the containers of one image."""
        same_home = self.owner.shares_home(self.asker)
        return same_home and not self.owner.is_other_login(self.asker)

    @property
    def may_be_askers(self) -> bool:
        """Whether it is the asker's by what is known: of this home, or of the same login or user,
        who may be several people in several homes."""
        return self.owner.shares_home(self.asker) or self.owner.may_be(self.asker)

    @property
    def created(self) -> datetime | None:
        return _moment(self.tag("created"))

    @property
    def expires(self) -> datetime | None:
        return _moment(self.tag("expires"))

    @property
    def resources(self) -> list[str]:
        return list(self.states)

    @property
    def machines(self) -> int:
        return sum(self.vm_sizes.values())

    def expired(self, now: datetime) -> bool:
        return self.expires is not None and self.expires <= (self.seen_at or now)

    def age_s(self, now: datetime) -> float | None:
        if self.created is None:
            return None
        return ((self.seen_at or now) - self.created).total_seconds()

    def state(self, now: datetime) -> str:
        """The word for a list of clusters: deleting, expired, half deleted, left behind, creating
        or running, the first of these that holds.

        Deleting is what goes away without anybody's doing. A stop that has asked for the deletion
        of the machines, and has died then, leaves a cluster that is half deleted.
        """
        if self.being_deleted:
            return DELETING
        if self.expired(now):
            return EXPIRED
        machines = self._states_of(resource_types.VIRTUAL_MACHINE)
        scale_sets = self._states_of(resource_types.SCALE_SET)
        if (machines or scale_sets) == {GOING}:
            return HALF_DELETED
        if not machines:
            longest_s = NETWORK_ALONE_S if self._is_network_alone else CREATING_S
            young = (self.age_s(now) or longest_s) < longest_s
            return CREATING if young else LEFT_BEHIND
        return CREATING if machines & {"Creating", "Updating"} else RUNNING

    @property
    def _is_network_alone(self) -> bool:
        kinds = {parse_id(item).type.lower() for item in self.states}
        networks = {resource_types.VIRTUAL_NETWORK.lower(), resource_types.NSG.lower()}
        return bool(kinds) and kinds <= networks

    def _states_of(self, kind: str) -> set[str]:
        return {
            state
            for item, state in self.states.items()
            if parse_id(item).type.lower() == kind.lower()
        }

    @property
    def being_deleted(self) -> bool:
        """Whether Azure deletes all that there is. Of a cluster's own group only its deletion
        counts: that the machines go says nothing of the rest."""
        if self.owns_group:
            return self.group_deleting
        return set(self.states.values()) == {GOING}


def find_clusters(api: AzureApi, asker: Owner) -> list[FoundCluster]:
    """Return all clusters of a subscription, sorted by name. Blocking; raises
    AzureLauncherError."""
    groups = api.listed("resourceGroups", RESOURCES_API, WITH_TAG, doing="listing resource groups")
    resources = api.listed(
        "resources", RESOURCES_API, WITH_TAG, STATE, doing="listing tagged resources"
    )
    path = f"providers/{resource_types.VIRTUAL_MACHINE}"
    machines = api.listed(path, resource_types.COMPUTE_API, doing="listing virtual machines")
    return sorted(
        _clusters(api.subscription_id, asker, groups, resources, machines),
        key=lambda cluster: (cluster.name, cluster.resource_group),
    )


def resources_of_cluster(api: AzureApi, group: str, cluster: str) -> list[str]:
    """Return the ids of what carries the cluster's tag in a group. Blocking."""
    quoted = cluster.replace("'", "''")
    filter_ = f"{WITH_TAG} and tagValue eq '{quoted}'"
    found = api.listed("resources", RESOURCES_API, filter_, doing="listing tagged resources")
    return [
        item["id"] for item in found if parse_id(item["id"]).resource_group.lower() == group.lower()
    ]


def foreign_resources(api: AzureApi, cluster: FoundCluster) -> list[str]:
    """Return the ids of what somebody else has put into a cluster's own group. Blocking.

    What Azure makes for a machine, its disk and its network interface, is named after the machine
    and hence after the cluster; it need not carry tags. A group that was deleted meanwhile, as by
    another process, holds nothing.
    """
    path = f"resourceGroups/{cluster.resource_group}/resources"
    try:
        found = api.listed(path, RESOURCES_API, doing=f"listing {cluster.resource_group}")
    except RequestRefused as error:
        if error.code != "ResourceGroupNotFound":
            raise
        return []
    prefixes = tuple(f"{cluster.name}{mark}".lower() for mark in "-_")
    return [
        item["id"]
        for item in found
        if _tags(item).get(CLUSTER_TAG) != cluster.name
        and not item["name"].lower().startswith(prefixes)
    ]


def _clusters(
    subscription_id: str,
    asker: Owner,
    groups: Iterable[Json],
    resources: Iterable[Json],
    machines: Iterable[Json],
) -> list[FoundCluster]:
    found: dict[tuple[str, str], FoundCluster] = {}

    def cluster(item: Json, group: str) -> FoundCluster:
        tags = _tags(item)
        key = tags[CLUSTER_TAG], group.lower()
        if key not in found:
            place = (subscription_id, group, item["location"])
            found[key] = FoundCluster(key[0], *place, tags, asker)
        return found[key]

    for group in groups:
        if _tags(group)[CLUSTER_TAG].lower() == group["name"].lower():
            own = cluster(group, group["name"])
            own.owns_group = True
            own.group_deleting = group["properties"][STATE] == GOING
    for resource in resources:
        place = parse_id(resource["id"]).resource_group
        cluster(resource, place).states[resource["id"]] = resource.get(STATE) or "unknown"
    _add_machines(
        {item.lower(): (item, one) for one in found.values() for item in one.states}, machines
    )
    return list(found.values())


def _add_machines(tagged: Mapping[str, tuple[str, FoundCluster]], machines: Iterable[Json]) -> None:
    """Add to each cluster what the list of machines says of its own.

    A machine is a cluster's by its own tag or by that of its scale set; with that it goes, too.
    `tagged`: id in lower case -> the id as it was listed, and whose it is.
    """
    for machine in machines:
        properties = machine["properties"]
        scale_set = properties.get("virtualMachineScaleSet", {}).get("id", "").lower()
        known = tagged.get(machine["id"].lower())
        if (entry := known or tagged.get(scale_set)) is None:
            continue
        _, one = entry
        set_goes = scale_set in tagged and one.states[tagged[scale_set][0]] == GOING
        identity = known[0] if known else machine["id"]
        one.states[identity] = GOING if set_goes else properties[STATE]
        size = properties["hardwareProfile"]["vmSize"]
        one.vm_sizes[size] += 1
        one.billed[_billed(size, properties)] += 1


def _billed(size: str, properties: Json) -> BilledMachine:
    disk = properties.get("storageProfile", {}).get("osDisk", {})
    priority = properties.get("priority", REGULAR)
    return BilledMachine(size, priority, int(disk.get("diskSizeGB") or 0))


def _tags(item: Json) -> dict[str, str]:
    """A resource's tags; names in lower case, since Azure keeps their case but ignores it."""
    return {name.lower(): value for name, value in (item.get("tags") or {}).items()}


def _moment(text: str) -> datetime | None:
    """The time in a tag that the launcher has written; None if somebody has changed the tag."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)

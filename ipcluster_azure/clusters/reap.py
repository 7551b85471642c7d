"""`ipcluster-azure reap`: decides which clusters were left behind, and deletes them.

The one place that decides, and that gives the reason which the user is shown. A cluster that is on
record in this IPython directory is deleted as `ipcluster stop` does it. Of any other cluster only
the resources that carry its tag are known; only these are deleted.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ..errors import AzureLauncherError, ConfigurationError
from ..progress import Progress
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.discovery import FoundCluster, foreign_resources
from ..stop.deletion import delete_in_order, delete_whole_group
from ..stop.teardown import delete_cluster
from .local_records import LocalRecord
from .whereabouts import Whereabouts
from .whose import is_ours, whose

NOT_ON_RECORD = "not on record in any profile here"
EXPIRED = "its time is over"
UNFINISHED = "its stop has not finished"
NAMED = "named by you"
FOREIGN = "named by you, though foreign"


@dataclass(frozen=True)
class Choice:
    """What the user asked for: the cluster of a name; only expired ones; other people's, too."""

    name: str = ""
    expired_only: bool = False
    all_owners: bool = False


@dataclass(frozen=True)
class Doomed:
    """A cluster to be deleted, and the reason. `record`: its record on this computer, if any."""

    where: Whereabouts
    cluster: FoundCluster
    reason: str
    record: LocalRecord | None


def reason_to_reap(
    cluster: FoundCluster, record: LocalRecord | None, choice: Choice, now: datetime
) -> str:
    """Return why to delete a cluster; empty if it is to stay.

    What was started elsewhere may be in use: it is deleted when its time is over, or named.

    `record`: the cluster's record in this IPython directory. A start writes it before it creates
    anything, so a cluster that is being started is never taken for one that was left behind.
    """
    ours = is_ours(cluster, record)
    permitted = ours or cluster.may_be_askers or choice.all_owners
    if choice.name:
        return (NAMED if ours else FOREIGN) if permitted and cluster.name == choice.name else ""
    if cluster.being_deleted:
        return ""
    if permitted and cluster.expired(now):
        return EXPIRED
    if choice.expired_only or not ours:
        return ""
    if record is None:
        return NOT_ON_RECORD
    return UNFINISHED if record.stopping else ""


def choose(
    found: Iterable[tuple[Whereabouts, FoundCluster]],
    records: Mapping[str, LocalRecord],
    choice: Choice,
    now: datetime,
    *,
    complete: bool = True,
) -> list[Doomed]:
    """Return the clusters to be deleted.

    `complete`: `found` are all that there are, as every subscription was asked.
    Raises ConfigurationError if the cluster that `choice` names doesn't exist or has another owner.
    """
    found = list(found)
    doomed = [
        Doomed(where, cluster, reason, records.get(cluster.name))
        for where, cluster in found
        if (reason := reason_to_reap(cluster, records.get(cluster.name), choice, now))
    ]
    if choice.name and not doomed:
        others = [cluster for _, cluster in found if cluster.name == choice.name]
        if others:
            raise ConfigurationError(
                f"Cluster {choice.name} belongs to somebody else ({whose(others[0], None)}). Add "
                "--all-owners to delete it nevertheless."
            )
        if not complete:
            return []
        raise ConfigurationError(
            f"There is no cluster {choice.name}. `ipcluster-azure list` shows all clusters."
        )
    return doomed


def left_alone(
    found: Iterable[tuple[Whereabouts, FoundCluster]],
    records: Mapping[str, LocalRecord],
    now: datetime,
) -> list[FoundCluster]:
    """Return the clusters that may be the user's, and are left as they weren't started here.

    A home directory may be gone, as a container's: nothing else would tell of its clusters.
    """
    return [
        cluster
        for _, cluster in found
        if cluster.may_be_askers
        and not is_ours(cluster, records.get(cluster.name))
        and not (cluster.being_deleted or cluster.expired(now))
    ]


async def reap(
    doomed: Iterable[Doomed], progress: Progress, on_failure: Callable[[Doomed, Exception], None]
) -> int:
    """Delete clusters one after the other; return how many of them could not be deleted.

    A resource group counts as deleted when Azure has accepted its deletion; resources in a group
    that stays, when they are gone. Calls `on_failure` with each cluster that failed.
    """
    failures = 0
    for item in doomed:
        progress.say(f"Deleting cluster {item.cluster.name}")
        try:
            if item.record is not None:
                await delete_cluster(item.record.file, progress)
            else:
                with item.where.api() as api:
                    await _delete_found(api, item.cluster, progress)
        except AzureLauncherError as error:
            failures += 1
            on_failure(item, error)
    return failures


async def _delete_found(api: AzureApi, cluster: FoundCluster, progress: Progress) -> None:
    group = cluster.resource_group
    foreign = await bridge(foreign_resources, api, cluster) if cluster.owns_group else []
    if cluster.owns_group and not foreign:
        await delete_whole_group(api, group, cluster.resources)
        progress.say(f"Azure has accepted the deletion of resource group {group}")
        return
    await delete_in_order(api, cluster.resources, progress)
    progress.say(f"Deleted the resources of cluster {cluster.name} in resource group {group}")
    if foreign:
        progress.log.warning(
            "Resource group %s stays: it also holds resources of others: %s. Move them elsewhere, "
            "or delete the group with them: `az group delete --name %s`.",
            group,
            ", ".join(foreign),
            group,
        )

"""`ipcluster-azure list`: all clusters of a subscription, whoever started them on any computer."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

from IPython.paths import get_ipython_dir
from traitlets import Bool

from ..clusters.cost import rates
from ..clusters.local_records import LocalRecord, by_cluster, local_records
from ..clusters.whereabouts import Whereabouts
from ..clusters.whose import is_ours, whose
from ..errors import AzureLauncherError
from ..formatting import duration, table
from ..plan.prices import Rate
from ..record.contents import CREATED, RUNNING, STARTING
from ..resource_manager.asker import asker
from ..resource_manager.azure_time import azure_now
from ..resource_manager.discovery import FoundCluster, find_clusters
from .base import say, say_and_exit
from .subscription_options import SubscriptionCommand

Found = list[tuple[Whereabouts, FoundCluster]]
HEADINGS = [
    "NAME",
    "STATE",
    "AGE",
    "MACHINES",
    "USD/H",
    "OWNER",
    "PROFILE",
    "GROUP",
    "LOCATION",
    "HERE",
]


class ListApp(SubscriptionCommand):
    """Show all clusters of the subscription, found by their tags."""

    name = "ipcluster-azure-list"
    description = """Show all clusters of the subscription, found by their tags.

    They include other people's clusters, and those started in other home directories, which are
    shown as foreign. Asks the emulator
    if one runs, the subscription that a start would use, and the subscriptions of clusters on
    record; with --profile, or --endpoint and --subscription-id, only the one so named. Changes
    nothing.
    """
    examples = """
    ipcluster-azure list
    ipcluster-azure list --profile=azure --json
    """
    as_json = Bool(False, config=True, help="Print JSON instead of text.")

    flags = {"json": ({"ListApp": {"as_json": True}}, "Print JSON instead of text.")}  # noqa: RUF012

    def act(self) -> None:
        now = datetime.now(timezone.utc)
        records = local_records(get_ipython_dir())
        places = self.places(records)
        found, failures = look_around(places)
        if failures == len(places):
            say_and_exit("which clusters there are is not known.")
        for record in records:
            if record.core is None and not self.names_place:
                failures += 1
                say(f"{record.path} is damaged: perhaps its subscription was not asked.")
        here = by_cluster(local_records(get_ipython_dir()))
        costs = rates(found)
        if self.as_json:
            shown = zip(found, costs, strict=True)
            print(json.dumps([as_data(*item, here, now) | _usd(rate) for item, rate in shown]))
        elif found:
            print(as_text([cluster for _, cluster in found], costs, here, now))
        else:
            print("No cluster was found." if failures else "There is no cluster.")
        if failures:
            self.exit(1)


def look_around(places: Iterable[Whereabouts]) -> tuple[Found, int]:
    """Return the clusters of all places, and the number of places that could not be asked.

    The reasons of those are printed.
    """
    found: Found = []
    failures = 0
    for where in places:
        try:
            with where.api() as api:
                for cluster in find_clusters(api, asker(api)):
                    cluster.seen_at = azure_now(where.endpoint)
                    found.append((where, cluster))
        except AzureLauncherError as error:
            failures += 1
            say(f"{where.endpoint.url}, subscription {where.subscription_id}: {error}")
    return found, failures


def as_data(
    where: Whereabouts, cluster: FoundCluster, here: dict[str, LocalRecord], now: datetime
) -> dict[str, Any]:
    """Return one cluster for JSON: times in ISO 8601; `here`: its record's file, or empty;
    `owner`: object id@tenant of the login, or the user's name."""
    record = here.get(cluster.name)
    owner = cluster.owner
    return {
        "name": cluster.name,
        "state": state_of(cluster, record, now),
        "owner": owner.login or owner.user,
        "user": owner.user,
        "home": owner.home,
        "foreign": not is_ours(cluster, record),
        "profile": cluster.tag("profile"),
        "cluster_id": cluster.tag("cluster-id"),
        "created": cluster.tag("created"),
        "expires": cluster.tag("expires"),
        "age_s": cluster.age_s(now),
        "machines": cluster.machines,
        "vm_sizes": dict(cluster.vm_sizes),
        "location": cluster.location,
        "resource_group": cluster.resource_group,
        "owns_resource_group": cluster.owns_group,
        "subscription_id": where.subscription_id,
        "endpoint": where.endpoint.url,
        "here": "" if record is None else str(record.path),
    }


def _usd(rate: Rate) -> dict[str, Any]:
    return {"usd_per_hour": round(rate.usd, 6), "price_unknown": list(rate.unknown)}


def as_text(
    clusters: Sequence[FoundCluster],
    costs: Sequence[Rate],
    here: dict[str, LocalRecord],
    now: datetime,
) -> str:
    rows = [_row(cluster, rate, here, now) for cluster, rate in zip(clusters, costs, strict=True)]
    return table(HEADINGS, rows)


def _price(rate: Rate) -> str:
    if not rate.unknown:
        return f"{rate.usd:.3f}"
    return f"{rate.usd:.3f} + ?" if rate.usd else "?"


def state_of(cluster: FoundCluster, record: LocalRecord | None, now: datetime) -> str:
    """Return the word for a cluster: Azure's, where machines run that of its record here, which
    knows what runs on them."""
    state = cluster.state(now)
    known = record is not None and record.in_word in (CREATED, STARTING)
    return record.in_word if state == RUNNING and known and record is not None else state


def _row(
    cluster: FoundCluster, rate: Rate, here: dict[str, LocalRecord], now: datetime
) -> list[str]:
    age_s = cluster.age_s(now)
    sizes = ", ".join(f"{count} x {size}" for size, count in sorted(cluster.vm_sizes.items()))
    profile = "/".join(filter(None, (cluster.tag("profile"), cluster.tag("cluster-id"))))
    return [
        cluster.name,
        state_of(cluster, here.get(cluster.name), now),
        "?" if age_s is None else duration(max(0.0, age_s)),
        sizes or "none",
        _price(rate),
        whose(cluster, here.get(cluster.name)),
        profile or "?",
        cluster.resource_group,
        cluster.location,
        "yes" if cluster.name in here else "no",
    ]

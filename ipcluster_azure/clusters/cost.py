"""What clusters cost: from their records, or from what Azure shows of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..formatting import money
from ..plan.prices import Prices, Rate
from ..plan.resource_types import PUBLIC_IP
from ..record.contents import Record
from ..resource_ids import parse_id
from ..resource_manager.discovery import FoundCluster
from ..resource_manager.prices import known_prices
from .whereabouts import Whereabouts


@dataclass
class ClusterCost:
    """In US dollars, by list prices. `usd_at_most`: when the cluster ends by itself, None if it
    never does; `unknown`: what is in none of these, as no price of it is known; `source`: where
    the prices are from."""

    usd_per_hour: float
    usd_so_far: float
    usd_at_most: float | None
    unknown: list[str]
    source: str


def cost_of(record: Record, now: datetime) -> ClusterCost | None:
    """What a cluster on record costs; `now` is Azure's time. None for a cluster of a version that
    didn't know prices."""
    cost = record.cost
    if not cost.parts:
        return None
    most = None
    if record.limits.max_lifetime_h:
        lifetime = timedelta(hours=record.limits.max_lifetime_h)
        most = cost.at_most(now, datetime.fromisoformat(record.created) + lifetime)
    rate = cost.rate
    return ClusterCost(rate.usd, cost.spent_by(now), most, list(rate.unknown), cost.source)


def in_words(cost: ClusterCost) -> str:
    """One line, such as "about $1.73 an hour, $0.87 so far, at most $20.76 until it ends"."""
    if not cost.usd_per_hour:
        return "price unknown"
    text = f"about {money(cost.usd_per_hour)} an hour, {money(cost.usd_so_far)} so far"
    if cost.usd_at_most is not None:
        text += f", at most {money(cost.usd_at_most)} until it ends"
    if cost.unknown:
        text += f"; price unknown of {', '.join(cost.unknown)}"
    return f"{text} ({cost.source})"


Found = Iterable[tuple[Whereabouts, FoundCluster]]


def rates(found: Found) -> list[Rate]:
    """What each of the clusters that Azure shows costs an hour. Blocking, for a few seconds."""
    found = list(found)
    sizes: dict[tuple[Whereabouts, str], dict[str, None]] = {}
    for where, cluster in found:
        wanted = sizes.setdefault((where, cluster.location), {})
        wanted |= dict.fromkeys(machine.size for machine in cluster.billed)
    prices = {
        key: known_prices(key[0].endpoint, key[1], [*wanted]) for key, wanted in sizes.items()
    }
    return [_rate(cluster, prices[where, cluster.location]) for where, cluster in found]


def _rate(cluster: FoundCluster, prices: Prices) -> Rate:
    rate = Rate()
    for machine, count in cluster.billed.items():
        one = prices.machine(machine.size, machine.priority) + prices.disk(machine.os_disk_gb)
        rate += one.times(count)
    kinds = [parse_id(item).type.lower() for item in cluster.states]
    return rate + prices.public_address().times(kinds.count(PUBLIC_IP.lower()))

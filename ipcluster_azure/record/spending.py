"""What a cluster on record costs, in numbers and in words, for `status` and notebooks."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..formatting import money
from .contents import Record


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

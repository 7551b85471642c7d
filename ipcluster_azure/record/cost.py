"""What a cluster costs, by list prices and by Azure's clock: so far, an hour, and at most.

It is part of the record. Whoever asks Azure for machines, or deletes some, says so here.
"""

import math
from dataclasses import dataclass, field, replace
from datetime import datetime

from ..formatting import money
from ..plan.prices import Rate

CONTROLLER = ""  # with its disk and the address; the other parts are engine sets
EXPECTED = "expected"  # engines that come next, until their set is on record


@dataclass
class CostPart:
    """Machines of one kind. `usd`: US dollars an hour of each; `unknown`: what isn't in it."""

    machines: int
    usd: float
    unknown: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, rate: Rate, machines: int) -> "CostPart":
        return cls(machines, rate.usd, list(rate.unknown))

    @property
    def rate(self) -> Rate:
        return Rate(self.usd, tuple(self.unknown)).times(self.machines)


@dataclass
class Cost:
    """Amounts are US dollars. `spent` was spent until `since`, in ISO 8601; from then on it is
    `rate` an hour.

    `max_cost` is the setting, and `longest_h` the setting max_lifetime_h, which Limits may have
    shortened for it; 0: no limit. `source` says where the prices are from, `problem` why some
    aren't known. `controllers` are the parts that the controller would be in other sizes.
    """

    max_cost: float = 0.0
    longest_h: float = 0.0
    source: str = ""
    problem: str = ""
    parts: dict[str, CostPart] = field(default_factory=dict)
    controllers: dict[str, CostPart] = field(default_factory=dict)
    spent: float = 0.0
    since: str = ""

    @property
    def rate(self) -> Rate:
        return sum((part.rate for part in self.parts.values()), Rate())

    @property
    def machines(self) -> int:
        return sum(part.machines for part in self.parts.values())

    def spent_by(self, now: datetime) -> float:
        """What was spent until `now`, without what is not known."""
        if not self.since:
            return self.spent
        hours = (now - datetime.fromisoformat(self.since)).total_seconds() / 3600
        return self.spent + max(0.0, hours) * self.rate.usd

    def change(self, now: datetime, key: str, part: CostPart | None) -> None:
        """Have a part cost from `now` on what `part` says; None: it is gone."""
        self.spent, self.since = self.spent_by(now), now.isoformat()
        self.parts.pop(key, None)
        if part is not None:
            self.parts[key] = part

    def have_machines(self, now: datetime, key: str, count: int) -> None:
        """Have a part consist of so many machines from `now` on."""
        if key in self.parts:
            self.change(now, key, replace(self.parts[key], machines=count))

    def lifetime_h(self, created: datetime, now: datetime) -> float:
        """Hours from `created` on until max_cost is spent, or longest_h is over; 0: never."""
        ends = [self.longest_h] if self.longest_h else []
        if self.max_cost and self.rate.usd:
            age_h = (now - created).total_seconds() / 3600
            left_h = (self.max_cost - self.spent_by(now)) / self.rate.usd
            # whole hundredths, that is 36 s, and never 0, which would be no limit at all
            ends.append(max(0.01, math.floor(round((age_h + left_h) * 100, 6)) / 100))
        return min(ends, default=0.0)

    def spent_in_words(self, now: datetime) -> str:
        """About how much was spent until `now`; empty if nothing is known of it."""
        rate = self.rate
        if not rate.usd and not self.spent:
            return ""
        rest = ""
        if rate.unknown:
            rest = f", without what {', '.join(rate.unknown)} cost: price unknown"
        return f"about {money(self.spent_by(now))}{rest} ({self.source})"

    def at_most(self, now: datetime, ends: datetime) -> float:
        """What will have been spent when the cluster ends, if it stays as it is until then."""
        hours = max(0.0, (ends - now).total_seconds()) / 3600
        return self.spent_by(now) + hours * self.rate.usd

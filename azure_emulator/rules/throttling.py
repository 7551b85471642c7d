"""Token buckets: what is left of each limit is shown always, kept to only if it is switched on."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from ..base import front_errors
from ..base.calls import Call
from ..base.clock import Clock
from ..base.declared import FLAG, checked
from ..base.messages import Json
from .throttling_limits import ALL_PRINCIPALS, ARM, NETWORK, Group, Limit, compute_group, kind_of

KEPT = 20_000  # buckets; full ones are forgotten then
RESOURCE_HEADER = "x-ms-ratelimit-remaining-resource"


@dataclass
class Bucket:
    limit: Limit
    left: float
    at_s: float

    def refill(self, now_s: float) -> None:
        self.left = min(
            self.limit.capacity, self.left + (now_s - self.at_s) * self.limit.refill_per_s
        )
        self.at_s = now_s

    def wait_s(self) -> float:
        """Return how long it takes until one request more is allowed."""
        return max(0.0, (1 - self.left) / self.limit.refill_per_s)


class Throttle:
    def __init__(self, clock: Clock, subscription_id: str, *, on: bool) -> None:
        self._clock = clock
        self._subscription_id = subscription_id
        self._on = on
        self._buckets: dict[tuple[str, ...], Bucket] = {}

    def switch(self, body: Json) -> Json:
        """Switch throttling on or off; all buckets are full afterwards."""
        self._on = bool(checked(body, {"on": FLAG}, required=("on",))["on"])
        self._buckets.clear()
        return self.shown()

    def shown(self) -> Json:
        return {"on": self._on}

    def take_arm(
        self, object_id: str, method: str, shown_as: str, scope: str = "subscription"
    ) -> dict[str, str]:
        """Count a request as ARM does, first of all; return the headers that tell what is left.

        shown_as: the headers' word for deletions, which were "writes" once; scope: tenant for what
        is asked of no subscription.
        """
        kind = kind_of(method)
        word = shown_as if kind == "deletes" else kind
        limit = ARM[kind]
        whole = Limit(limit.capacity * ALL_PRINCIPALS, limit.refill_per_s * ALL_PRINCIPALS)
        own = self._bucket(limit, scope, kind, object_id)
        total = self._bucket(whole, scope, kind)
        wait_s = self._take([own, total])
        headers = {
            f"x-ms-ratelimit-remaining-{scope}-{word}": _left(own),
            f"x-ms-ratelimit-remaining-{scope}-global-{word}": _left(total),
        }
        if wait_s:
            retry_after = self._retry_after(wait_s)
            raise front_errors.subscription_throttled(
                kind, self._subscription_id, object_id, retry_after, headers
            )
        return headers

    def take_provider(self, call: Call, region: str) -> dict[str, str]:
        """Count a request as its resource provider does.

        Return the headers that tell what is left.
        """
        group = compute_group(call)
        if group:
            return self._take_compute(group, call, region)
        if call.action.lower().startswith("microsoft.network/"):
            kind = "reads" if kind_of(call.method) == "reads" else "writes"
            wait_s = self._take([self._bucket(NETWORK[kind], "network", kind, region)])
            if wait_s:
                raise front_errors.network_throttled(self._retry_after(wait_s))
        return {}

    def _take_compute(self, group: Group, call: Call, region: str) -> dict[str, str]:
        whole = self._bucket(group.subscription, "compute", group.name, region)
        counts = [(f"{group.name}SubscriptionMaximum", whole)]
        if group.resource:
            own = self._bucket(group.resource, "compute", group.name, region, call.scope.lower())
            counts.append((f"{group.name}Resource", own))
        wait_s = self._take([bucket for _, bucket in counts])
        if wait_s:
            name, bucket = max(counts, key=lambda count: count[1].wait_s())
            raise front_errors.compute_throttled(
                name, self._details(name, bucket), self._retry_after(wait_s)
            )
        shown = ",".join(f"Microsoft.Compute/{name};{_left(bucket)}" for name, bucket in counts)
        return {RESOURCE_HEADER: shown}

    def _details(self, name: str, bucket: Bucket) -> str:
        """Return the text within Compute's refusal, itself JSON."""
        now = self._clock.now()
        window = timedelta(seconds=bucket.limit.capacity / bucket.limit.refill_per_s)
        values = {
            "operationGroup": name,
            "startTime": (now - window).isoformat(),
            "endTime": now.isoformat(),
            "allowedRequestCount": bucket.limit.capacity,
            "measuredRequestCount": bucket.limit.capacity + 1,
        }
        return json.dumps(values, separators=(",", ":"))

    def _bucket(self, limit: Limit, *key: str) -> Bucket:
        now_s = self._clock.monotonic()
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= KEPT:
                self._forget_full(now_s)
            bucket = self._buckets[key] = Bucket(limit, limit.capacity, now_s)
        bucket.refill(now_s)
        return bucket

    def _forget_full(self, now_s: float) -> None:
        for bucket in self._buckets.values():
            bucket.refill(now_s)
        self._buckets = {
            key: bucket
            for key, bucket in self._buckets.items()
            if bucket.left < bucket.limit.capacity
        }

    def _take(self, buckets: Sequence[Bucket]) -> float:
        """Take one from each bucket and return 0, or how long to wait, in which case none is taken.

        While throttling is switched off they are only counted.
        """
        wait_s = max(bucket.wait_s() for bucket in buckets)
        if wait_s > 0 and self._on:
            return wait_s
        for bucket in buckets:
            bucket.left = max(0.0, bucket.left - 1)
        return 0.0

    def _retry_after(self, wait_s: float) -> int:
        return max(1, math.ceil(wait_s * (self._clock.client_scale or 1.0)))


def _left(bucket: Bucket) -> str:
    return str(int(bucket.left))

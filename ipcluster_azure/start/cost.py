"""What a cluster is going to cost: said before anything is created, and held by max_cost."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ..errors import ConfigurationError
from ..formatting import counted, money
from ..plan.cluster_plan import EngineSetPlan
from ..plan.image import Image
from ..plan.prices import REGULAR, Prices, Rate
from ..plan.vm_sizes import VmSize
from ..record.contents import Limits, Record
from ..record.cost import CONTROLLER, EXPECTED, Cost, CostPart
from ..resource_manager.azure_time import azure_now
from ..settings.shortest_times import SHORTEST_LIFETIME_H
from ..settings.values import Settings


def machine_rate(prices: Prices, size: str, priority: str, os_disk_gb: int, image: Image) -> Rate:
    """The rate of a machine with its disk."""
    return prices.machine(size, priority) + prices.disk(os_disk_gb or image.size_gb)


def priced(plans: Sequence[EngineSetPlan], prices: Prices, image: Image) -> list[EngineSetPlan]:
    """The plans, each with the rate of its machines."""
    return [
        replace(
            plan,
            rate=machine_rate(
                prices,
                plan.machine.vm_size,
                plan.machine.priority,
                plan.machine.os_disk_gb,
                image,
            ),
        )
        for plan in plans
    ]


def expected_cost(
    settings: Settings,
    prices: Prices,
    image: Image,
    sizes: Sequence[VmSize],
    engines: Sequence[EngineSetPlan],
) -> Cost:
    """The cost of a cluster whose controller has the first of the `sizes`, and whose engines come
    by the first of these plans, if there are any.

    Raises ConfigurationError if max_cost is set and can't be held: a price is not known, or it
    would be spent at once.
    """
    address = prices.public_address() if settings.public_ip else Rate()

    def controller(size: VmSize) -> CostPart:
        disk_gb = settings.os_disk_gb
        return CostPart.of(machine_rate(prices, size.name, REGULAR, disk_gb, image) + address, 1)

    cost = Cost(
        max_cost=settings.max_cost,
        longest_h=settings.max_lifetime_h,
        source=prices.source,
        problem=prices.problem,
        parts={CONTROLLER: controller(sizes[0])},
        controllers={size.name: controller(size) for size in sizes[1:]},
    )
    if engines:
        cost.parts[EXPECTED] = CostPart.of(engines[0].rate, engines[0].vm_count)
    rates = [part.rate for part in cost.controllers.values()]
    _require_known(cost, [cost.rate, *rates, *(plan.rate for plan in engines)])
    if cost.max_cost:
        _require_time(cost, cost.max_cost)
    return cost


def require_affordable(record: Record, plans: Sequence[EngineSetPlan], now: datetime) -> None:
    """Raise ConfigurationError unless max_cost leaves time for engines that are to be added."""
    if not record.cost.max_cost or not plans:
        return
    _require_known(record.cost, [plan.rate for plan in plans])
    cost = copy.deepcopy(record.cost)
    _add(cost, plans[0], now)
    _require_time(cost, cost.max_cost - cost.spent_by(now))


def add_engines(record: Record, plan: EngineSetPlan, now: datetime) -> bool:
    """Note that an engine set costs from now on; returns whether the cluster ends at another time.

    Its lifetime is computed anew. Where Azure has been told when to end the machines, it only gets
    shorter: what Azure was told stays.
    """
    _add(record.cost, plan, now)
    return hold(record, now)


def hold(record: Record, now: datetime) -> bool:
    """Have the limits hold max_cost with what the cluster costs by now, as add_engines does."""
    if not record.cost.max_cost:
        return False
    before, limits = record.limits.max_lifetime_h, record.limits
    hours = record.cost.lifetime_h(datetime.fromisoformat(record.created), now)
    limits.max_lifetime_h = hours if limits.self_deletion or not before else min(hours, before)
    return limits.max_lifetime_h != before


def move_cost(record: Record, size: VmSize, now: datetime) -> bool:
    """Note that the controller gets another size, of those on record; returns as add_engines."""
    if (part := record.cost.controllers.get(size.name)) is not None:
        record.cost.change(now, CONTROLLER, part)
    return hold(record, now)


def _add(cost: Cost, plan: EngineSetPlan, now: datetime) -> None:
    if EXPECTED in cost.parts:
        cost.change(now, EXPECTED, None)
    cost.change(now, plan.set_id, CostPart.of(plan.rate, plan.vm_count))


def limited(limits: Limits, cost: Cost, created: datetime) -> Limits:
    """The limits of a new cluster: max_cost may end it before max_lifetime_h does."""
    return replace(limits, max_lifetime_h=cost.lifetime_h(created, created))


def _require_known(cost: Cost, rates: Sequence[Rate]) -> None:
    unknown = [name for rate in rates for name in rate.unknown]
    if cost.max_cost and unknown:
        why = f" ({cost.problem})" if cost.problem else ""
        raise ConfigurationError(
            f"max_cost = {cost.max_cost:g} can't be held: no price is known of "
            f"{', '.join(dict.fromkeys(unknown))}{why}. Set c.AzureVMLauncher.max_cost = 0 and "
            "limit the time by max_lifetime_h instead, or choose another vm_size."
        )


def _require_time(cost: Cost, left: float) -> None:
    hours, usd = left / cost.rate.usd, cost.rate.usd
    if hours < SHORTEST_LIFETIME_H:
        least = cost.max_cost - left + SHORTEST_LIFETIME_H * usd
        lasts = f"lasts for {max(0.0, hours * 60):.1f} min" if left > 0 else "is spent already"
        raise ConfigurationError(
            f"max_cost = {cost.max_cost:g} {lasts}: {counted(cost.machines, 'machine')} would cost "
            f"about {money(usd)} an hour. Use fewer engines or another vm_size, or start a cluster "
            f"with c.AzureVMLauncher.max_cost above {least:.2f}."
        )


def cost_in_words(cost: Cost, limits: Limits, now: datetime, created: datetime) -> str:
    """For the user: what the cluster costs an hour, and at most, while it stays as it is."""
    what = f"{counted(cost.machines, 'machine')}, disks and address"
    rate = cost.rate
    if not rate.usd:
        return f"{what}: price unknown{_why_unknown(cost)}"
    text = f"{what}: about {money(rate.usd)} an hour"
    if rate.unknown:
        text += f" and what {', '.join(rate.unknown)} may cost: price unknown"
    if limits.max_lifetime_h:
        most = cost.at_most(now, created + timedelta(hours=limits.max_lifetime_h))
        text += f", at most {money(most)} until it ends by itself"
    else:
        text += ", for as long as it runs"
    return f"{text} ({cost.source})"


def cost_now(record: Record) -> str:
    """What the cluster on record costs from now on, as cost_in_words says it."""
    now, created = azure_now(record.endpoint), datetime.fromisoformat(record.created)
    return cost_in_words(record.cost, record.limits, now, created)


def _why_unknown(cost: Cost) -> str:
    why = cost.problem or f"no price is known of {', '.join(cost.rate.unknown)}"
    return f" ({why})"

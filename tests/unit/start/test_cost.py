"""What a start says of its cost, what max_cost refuses, and when a cluster then ends."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.plan.cluster_plan import EngineSetPlan
from ipcluster_azure.plan.image import Image
from ipcluster_azure.plan.prices import Prices, Rate
from ipcluster_azure.plan.vm_sizes import VmSize
from ipcluster_azure.record.contents import Limits, Record
from ipcluster_azure.record.cost import CONTROLLER, EXPECTED, Cost
from ipcluster_azure.start.cost import (
    add_engines,
    cost_in_words,
    expected_cost,
    limited,
    move_cost,
    priced,
    require_affordable,
)

from ..plans import ENGINES, MACHINE, settings
from ..record.test_record import _record

CREATED = datetime(2026, 12, 1, 8, tzinfo=timezone.utc)
IMAGE = Image(size_gb=30)
D4, D8 = "Standard_D4s_v5", "Standard_D8s_v5"
SIZES = [VmSize(D4, 4), VmSize(D8, 8)]
KINDS = {
    D4.lower(): {"Regular": 0.2, "Spot": 0.05},
    D8.lower(): {"Regular": 0.4},
}
PRICES = Prices(KINDS, {"E4": 7.3, "E10": 73.0}, 0.005, source="a list")
DISK = 0.01


def _plans(*, n: int = 32, size: str = D4, priority: str = "Regular") -> list[EngineSetPlan]:
    machine = replace(MACHINE, vm_size=size, priority=priority)
    return priced([replace(ENGINES, n=n, machine=machine)], PRICES, IMAGE)


def _cost(plans: list[EngineSetPlan] | None = None, prices: Prices = PRICES, **more: Any) -> Cost:
    return expected_cost(
        settings(**more), prices, IMAGE, SIZES, _plans() if plans is None else plans
    )


def test_machines_disks_and_the_address_are_counted() -> None:
    cost = _cost()
    assert cost.parts[CONTROLLER].usd == pytest.approx(0.2 + DISK + 0.005)
    assert cost.parts[EXPECTED].rate.usd == pytest.approx(8 * (0.2 + DISK))
    assert cost.machines == 9
    assert _cost(public_ip=False).rate.usd == pytest.approx(cost.rate.usd - 0.005)
    large = _cost([], os_disk_gb=100)
    assert large.rate.usd == pytest.approx(0.2 + 0.1 + 0.005)
    (spot,) = _plans(priority="Spot")
    assert spot.rate.usd == pytest.approx(0.05 + DISK)


def _said(cost: Cost, limits: Limits) -> str:
    return cost_in_words(cost, limits, CREATED, CREATED)


def test_it_is_said_before_anything_is_created() -> None:
    cost = _cost()
    assert _said(cost, Limits(12)) == (
        "9 machines, disks and address: about $1.90 an hour, at most $22.74 until it ends by "
        "itself (a list)"
    )
    assert "$1.90 an hour, for as long as it runs (a list)" in _said(cost, Limits(0))


def test_no_figure_is_invented() -> None:
    nowhere = Prices(problem="prices.example can't be reached")
    said = _said(_cost(priced(_plans(), nowhere, IMAGE), nowhere), Limits(12))
    assert said == (
        "9 machines, disks and address: price unknown (prices.example can't be reached)"
    )
    said = _said(_cost(_plans(size=D8, priority="Spot")), Limits(12))
    assert f"about $0.295 an hour and what {D8} (Spot) may cost: price unknown" in said
    assert "no price is known of" in _said(_cost([], Prices()), Limits(12))


def test_max_cost_needs_prices_of_all_that_may_be_asked_for() -> None:
    unknown = Prices({D4.lower(): KINDS[D4.lower()]}, PRICES.disks, 0.005, problem="why")
    assert _cost(prices=unknown).max_cost == 0
    with pytest.raises(
        ConfigurationError, match=rf"max_cost = 5 can't be held: .* of {D8} \(why\)\. Set .* = 0"
    ):
        _cost(prices=unknown, max_cost=5.0)  # the controller may have to take the second size
    engines = [*_plans(), *_plans(size=D8, priority="Spot")]
    with pytest.raises(ConfigurationError, match=rf"{D8} \(Spot\)"):
        _cost(engines, max_cost=5.0)


def test_a_max_cost_that_is_spent_at_once_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        _cost(max_cost=0.1)
    assert "max_cost = 0.1 lasts for 3.2 min: 9 machines would cost about $1.90 an hour" in str(
        caught.value
    )
    assert "above 0.16." in str(caught.value)
    assert _cost(max_cost=0.16).max_cost == 0.16


def test_max_cost_shortens_the_lifetime() -> None:
    cost = _cost(max_cost=10.0)
    assert limited(Limits(12, 60, True), cost, CREATED) == Limits(5.27, 60, True)
    assert limited(Limits(12), _cost(max_cost=1000.0), CREATED).max_lifetime_h == 12
    assert limited(Limits(0), _cost(max_lifetime_h=0.0), CREATED).max_lifetime_h == 0


def _begun(*, self_deletion: bool = True) -> Record:
    """The record of a cluster of max_cost 10 whose first engines were requested."""
    cost = replace(_cost(max_cost=10.0), since=CREATED.isoformat())
    limits = limited(Limits(12, 0, self_deletion), cost, CREATED)
    record = replace(_record(), created=CREATED.isoformat(), cost=cost, limits=limits)
    (first,) = _plans()
    assert not add_engines(record, replace(first, set_id="1"), CREATED + timedelta(minutes=1))
    assert EXPECTED not in record.cost.parts
    return record


def test_engines_that_were_expected_change_nothing() -> None:
    record = _begun()
    assert record.limits.max_lifetime_h == 5.27
    assert record.cost.machines == 9


def test_engines_that_are_added_end_the_cluster_sooner() -> None:
    record, now = _begun(), CREATED + timedelta(hours=1)
    (more,) = _plans(size=D8)
    assert add_engines(record, replace(more, set_id="2"), now)
    hours = 1 + (10 - 1.895) / (1.895 + 8 * 0.41)
    assert record.limits.max_lifetime_h == pytest.approx(hours, abs=0.01)
    assert record.cost.at_most(now, CREATED + timedelta(hours=hours)) == pytest.approx(10)


@pytest.mark.parametrize("self_deletion", [True, False])
def test_what_azure_was_told_is_not_put_off(self_deletion: bool) -> None:
    """Fewer engines make the rest last longer, unless Azure deallocates it by its own clock."""
    record, now = _begun(self_deletion=self_deletion), CREATED + timedelta(hours=1)
    record.cost.change(now, "1", None)
    (fewer,) = _plans(n=4)
    assert add_engines(record, replace(fewer, set_id="2"), now) is self_deletion
    assert (record.limits.max_lifetime_h > 12 - 0.01) is self_deletion


def test_engines_that_max_cost_leaves_no_time_for_are_refused() -> None:
    record, late = _begun(), CREATED + timedelta(hours=5.2)
    before = replace(record.cost)
    require_affordable(record, _plans(), CREATED + timedelta(hours=1))
    with pytest.raises(ConfigurationError, match=r"max_cost = 10 lasts for 2\.. min: 17 machines"):
        require_affordable(record, [replace(_plans()[0], set_id="2")], late)
    with pytest.raises(ConfigurationError, match="is spent already"):
        require_affordable(record, _plans(), CREATED + timedelta(hours=6))
    with pytest.raises(ConfigurationError, match=rf"no price is known of {D8} \(Spot\)"):
        require_affordable(record, _plans(size=D8, priority="Spot"), CREATED)
    assert record.cost == before
    unlimited = replace(record, cost=replace(record.cost, max_cost=0.0))
    require_affordable(unlimited, _plans(size=D8, priority="Spot"), late)


def test_a_controller_that_moves_to_another_size_costs_what_that_does() -> None:
    record = _begun()
    assert move_cost(record, SIZES[1], CREATED + timedelta(minutes=2))
    assert record.cost.parts[CONTROLLER].usd == pytest.approx(0.4 + DISK + 0.005)
    assert record.limits.max_lifetime_h < 5.27
    assert record.cost.rate == Rate(record.cost.rate.usd)

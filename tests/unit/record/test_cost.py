"""What a cluster has cost, and when max_cost ends it, as its parts come and go."""

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ipcluster_azure.plan.prices import Rate
from ipcluster_azure.record.contents import Record, UnknownMembers
from ipcluster_azure.record.cost import CONTROLLER, Cost, CostPart

from .test_record import _record

CREATED = datetime(2026, 12, 1, 8, tzinfo=timezone.utc)


def _at(hours: float) -> datetime:
    return CREATED + timedelta(hours=hours)


@pytest.fixture
def cost() -> Cost:
    """A controller for half a dollar an hour, and four machines for a quarter each."""
    parts = {CONTROLLER: CostPart(1, 0.5), "s": CostPart(4, 0.25)}
    return Cost(max_cost=12.0, longest_h=10.0, parts=parts, since=CREATED.isoformat())


def test_what_was_spent_is_what_each_part_cost_while_it_was_there(cost: Cost) -> None:
    assert (cost.rate, cost.machines) == (Rate(1.5), 5)
    assert cost.spent_by(_at(2)) == pytest.approx(3.0)
    cost.change(_at(2), "t", CostPart(2, 1.0))
    assert cost.rate.usd == 3.5
    assert cost.spent_by(_at(3)) == pytest.approx(6.5)
    cost.change(_at(3), "s", None)
    assert cost.rate.usd == 2.5
    cost.have_machines(_at(4), "t", 1)
    cost.have_machines(_at(4), "gone", 1)
    assert cost.spent_by(_at(5)) == pytest.approx(6.5 + 2.5 + 1.5)
    assert cost.at_most(_at(5), _at(7)) == pytest.approx(10.5 + 3.0)
    assert cost.at_most(_at(5), _at(1)) == pytest.approx(10.5)
    assert cost.spent_by(_at(-1)) == pytest.approx(cost.spent)  # a clock that was set back


def test_max_cost_shortens_the_lifetime_and_never_lengthens_it(cost: Cost) -> None:
    assert cost.lifetime_h(CREATED, CREATED) == 8.0
    assert cost.lifetime_h(CREATED, _at(3)) == 8.0  # nothing has changed
    assert replace(cost, longest_h=5.0).lifetime_h(CREATED, CREATED) == 5.0
    assert replace(cost, longest_h=0.0).lifetime_h(CREATED, CREATED) == 8.0
    assert replace(cost, max_cost=0.0).lifetime_h(CREATED, CREATED) == 10.0
    assert replace(cost, max_cost=0.0, longest_h=0.0).lifetime_h(CREATED, CREATED) == 0.0


def test_the_lifetime_is_computed_anew_when_something_comes_or_goes(cost: Cost) -> None:
    cost.change(_at(2), "t", CostPart(2, 1.0))  # 9 of 12 dollars are left, at 3.50 an hour
    assert cost.lifetime_h(CREATED, _at(2)) == 4.57
    cost.change(_at(3), "t", None)  # 5.50 are left, at 1.50
    assert cost.lifetime_h(CREATED, _at(3)) == 6.66


def test_a_lifetime_that_is_over_is_not_one_without_end(cost: Cost) -> None:
    assert replace(cost, spent=99.0).lifetime_h(CREATED, _at(0)) == 0.01


def test_what_was_spent_in_words(cost: Cost) -> None:
    assert replace(cost, source="x").spent_in_words(_at(2)) == "about $3.00 (x)"
    cost.parts["s"].unknown.append("disk E4")
    text = cost.spent_in_words(_at(0.1))
    assert text == "about $0.150, without what disk E4 cost: price unknown ()"
    assert Cost().spent_in_words(_at(1)) == ""


def test_it_survives_in_a_record(cost: Cost) -> None:
    record = replace(_record(), cost=cost)
    data = json.loads(record.to_json())
    assert Record.from_data(data) == record
    del data["cost"]
    assert Record.from_data(data).cost == Cost()
    for member in ("cost", "parts"):
        newer = json.loads(record.to_json())
        target = newer["cost"] if member == "cost" else newer["cost"]["parts"][CONTROLLER]
        target["currency"] = "EUR"
        with pytest.raises(UnknownMembers, match="currency"):
            Record.from_data(newer)

"""What `status` and `list` say of costs, and what they leave open."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from azure_emulator.client import EmulatorInfo
from ipcluster_azure.clusters.cost import rates
from ipcluster_azure.clusters.whereabouts import Whereabouts
from ipcluster_azure.commands.list import as_text
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.plan.prices import Rate
from ipcluster_azure.record.contents import Limits, Record
from ipcluster_azure.record.cost import CONTROLLER, Cost, CostPart
from ipcluster_azure.record.spending import ClusterCost, cost_of, in_words
from ipcluster_azure.resource_manager.discovery import BilledMachine, FoundCluster

from ..record.test_record import _record

CREATED = datetime(2026, 12, 1, 8, tzinfo=timezone.utc)
NOW = CREATED + timedelta(hours=2)
ADDRESS = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/publicIPAddresses/a"


def _costing(*unknown: str, usd: float = 0.5, lifetime_h: float = 12.0) -> Record:
    parts = {CONTROLLER: CostPart(1, usd, list(unknown))}
    cost = Cost(source="a list", parts=parts, since=CREATED.isoformat())
    limits = Limits(lifetime_h)
    return replace(_record(), created=CREATED.isoformat(), cost=cost, limits=limits)


def _said(record: Record) -> str:
    cost = cost_of(record, NOW)
    assert cost is not None
    return in_words(cost)


def test_what_a_cluster_on_record_costs() -> None:
    assert cost_of(_costing(), NOW) == ClusterCost(0.5, 1.0, 6.0, [], "a list")
    assert _said(_costing()) == (
        "about $0.500 an hour, $1.00 so far, at most $6.00 until it ends (a list)"
    )
    assert _said(_costing(lifetime_h=0)) == "about $0.500 an hour, $1.00 so far (a list)"
    assert _said(_costing("disk E4")).endswith("until it ends; price unknown of disk E4 (a list)")
    assert _said(_costing("Standard_X", usd=0)) == "price unknown"


def test_a_cluster_of_a_version_without_prices() -> None:
    assert cost_of(_record(), NOW) is None


def _found(endpoint: Endpoint, *machines: Any, **more: Any) -> tuple[Whereabouts, FoundCluster]:
    billed = Counter(BilledMachine(*machine) for machine in machines)
    cluster = FoundCluster("n", "s", "g", "eastus", {}, billed=billed, **more)
    return Whereabouts(endpoint, "s"), cluster


def test_what_azure_shows_is_priced_wherever_it_was_started(emulator: EmulatorInfo) -> None:
    here = Endpoint(emulator.endpoint, emulator.endpoint, emulator.ca_file)
    d4, disk = "Standard_D4s_v5", 3.2 / 730
    found = [
        _found(here, (d4, "Regular", 30), (d4, "Spot", 30), (d4, "Spot", 30)),
        _found(here, (d4, "Regular", 0), states={ADDRESS: "Succeeded"}),
        _found(Endpoint("https://management.chinacloudapi.cn", "x"), (d4, "Regular", 30)),
        _found(here),
    ]
    regular, unsized, elsewhere, nothing = rates(found)
    assert regular.usd == pytest.approx(0.04 + 2 * 0.008 + 3 * disk)
    assert regular.unknown == ()
    assert unsized.usd == pytest.approx(0.04 + 0.01)
    assert unsized.unknown == ("the disks",)
    assert elsewhere == Rate(0.0, (d4, "disk E4"))
    assert nothing == Rate()


def test_the_column_leaves_open_what_is_not_known() -> None:
    costs = [Rate(1.5), Rate(0.04, ("the disks",)), Rate(0.0, ("Standard_X",)), Rate()]
    _, cluster = _found(Endpoint("x", "x"))
    _, *rows = as_text([cluster] * 4, costs, {}, NOW).splitlines()
    shown = [row.split("none")[1].lstrip()[:9].rstrip() for row in rows]
    assert shown == ["1.500", "0.040 + ?", "?", "0.000"]

"""How busy a cluster is, from what its guard tells to the words of `top`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ipcluster_azure.clusters.load import load_of
from ipcluster_azure.clusters.load_table import as_text, load_rows, memory, time_rows
from ipcluster_azure.record.contents import EngineSet, Limits, Machine, Record
from ipcluster_azure.record.cost import CONTROLLER, Cost, CostPart
from ipcluster_azure.record.spending import ClusterCost

Json = dict[str, Any]
GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "record-1.json").read_text())
MACHINE = {"cpus": 4, "cpu_percent": 25.0, "memory_bytes": 3 << 30, "memory_total_bytes": 16 << 30}


def record(**limits: float) -> Record:
    machines = [Machine("vm_1", "10.0.0.5", 2), Machine("vm_10", "10.0.0.6", 1)]
    made = Record.from_data(GOLDEN)
    made.engine_sets = {"s": EngineSet("id", 3, 2, 2, "key", state="ready", machines=machines)}
    made.limits = replace(Limits(), **limits)  # type: ignore[arg-type]
    return made


def engine(engine_id: int, begun: int, done: int, rate: float | None = 0.5) -> Json:
    numbers = {"id": engine_id, "begun": begun, "done": done, "done_per_s": rate}
    return {**numbers, "cpu_percent": 50.0, "memory_bytes": 100 << 20}


def told(**changes: Any) -> Json:
    first = {
        "ids": [0, 1],
        "silent": False,
        **MACHINE,
        "engines": [engine(0, 5, 4), engine(1, 2, 2)],
    }
    lost = {"ids": [7], "silent": True}
    machines = {"10.0.0.5": first, "10.0.0.99": lost}
    times = {"idle_s": 0.5, "age_s": 600.0}
    return {
        "event": "load",
        "registered": 3,
        "controller": MACHINE,
        **times,
        "machines": machines,
        **changes,
    }


def test_machines_have_their_names_and_sums_are_of_all_engines() -> None:
    load = load_of(record(max_lifetime_h=1.0, idle_timeout_min=60.0), told())
    assert [(item.name, item.silent) for item in load.machines] == [
        (record().plan.names.controller, False),
        ("vm_1", False),
        ("vm_10", True),  # not heard yet
    ]
    assert (load.sums.engines, load.sums.busy, load.sums.running, load.sums.done) == (2, 1, 1, 6)
    assert (load.sums.done_per_s, load.sums.cpu_percent) == (1.0, 100.0)
    assert (load.registered, load.time_left_s, load.idle_left_s) == (3, 3000.0, 3599.5)


def test_the_table_has_a_row_for_each_machine_and_each_engine() -> None:
    text = as_text(load_of(record(), told(idle_s=300.0)))
    first, times, _, *rows = text.splitlines()
    assert first.startswith(
        f"Cluster, {record().plan.names.base}: 1 of 2 engines compute; 7 tasks begun, 1 running, "
        "6 done, 1.00"
    )
    assert times == "  idle for 5 min; no end of its lifetime"
    assert rows[0].split() == "MACHINE ENGINE CPU % MEMORY BEGUN RUN DONE DONE/S".split()
    assert rows[1].split()[0] == "controller"  # without what all names begin with
    assert rows[2].split() == "vm_1 all 25, 4 CPUs 3.0 of 16.0 GiB 7 1 6 1.00".split()
    assert rows[3].split() == "0 50 100 MiB 5 1 4 0.50".split()
    assert rows[5].split()[:2] == ["vm_10", "silent"]
    assert len(rows) == 6


def test_what_it_costs_by_the_guard_s_clock() -> None:
    costing = record(max_lifetime_h=2.0)
    costing.cost = Cost(
        source="a list", parts={CONTROLLER: CostPart(1, 0.5)}, since=costing.created
    )
    load = load_of(costing, told(age_s=3600.0))
    assert load.cost == ClusterCost(0.5, 0.5, 1.0, [], "a list")
    line = as_text(load).splitlines()[2]
    assert (
        line == "  cost: about $0.500 an hour, $0.500 so far, at most $1.00 until it ends (a list)"
    )
    assert load_of(record(), told()).cost is None


def test_a_guard_of_another_version_tells_less() -> None:
    state = {
        "event": "state",
        "idle_s": 120.0,
        "age_s": 60.0,
        "machines": {"a": {"ids": [0, 1], "silent": False}, "b": {"ids": [2], "silent": True}},
    }
    load = load_of(record(), state)
    assert (load.registered, load.machines, load.sums.engines) == (2, [], 0)
    text = as_text(load)
    assert "idle for 2 min" in text
    assert "another version" in text


def test_what_status_shows_of_it() -> None:
    load = load_of(record(), told())
    (row,) = load_rows(load.sums, "")
    assert row.startswith("  load: 1 of 2 engines compute")
    assert load_rows(None, "") == []
    assert load_rows(None, "no answer\nat all") == ["  load: not known. no answer at all"]
    assert time_rows(None, None, None) == []
    assert time_rows(0.0, 3600.0, 60.0) == ["  time: not idle; 1 min until the end of its lifetime"]
    assert time_rows(60.0, 120.0, None) == [
        "  time: idle for 1 min, 2 min more until it is deleted; no end of its lifetime"
    ]


def test_memory() -> None:
    assert [memory(it) for it in (None, 5 << 20, 3 << 29)] == ["-", "5 MiB", "1.5 GiB"]

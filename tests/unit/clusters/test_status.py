"""The words of `ipcluster-azure status`."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ipcluster_azure.clusters.status import (
    ClusterStatus,
    EngineSetStatus,
    as_json,
    as_text,
    clusters,
)
from ipcluster_azure.formatting import duration
from ipcluster_azure.record.contents import EngineSet, Machine
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.record.joining import Joining
from ipcluster_azure.resource_manager.answers import MachineState

NEWER = json.loads((Path(__file__).parents[2] / "golden" / "record-1.json").read_text())


SUCCEEDED = "Succeeded"


def engine_set(
    state: str,
    on_record: Mapping[str, int],
    found: Mapping[str, str] | None,
    *,
    n: int = 4,
    lost: int = 0,
    joining: Joining | None = None,
) -> EngineSetStatus:
    """`on_record`: machine's name -> its engines; `found`: its name -> its state in Azure."""
    machines = [Machine(name, "10.0.0.1", engines) for name, engines in on_record.items()]
    item = EngineSet("id", n, 2, 2, "key", state=state, machines=machines, lost_engines=lost)
    item.joining = joining or Joining()
    shown = EngineSetStatus.of(item)
    if found is not None:
        shown.see(on_record, [MachineState("", name, "", it) for name, it in found.items()])
    return shown


def status(**changes: object) -> ClusterStatus:
    values: dict[str, object] = {
        "cluster_id": "",
        "state": "running",
        "resource_group": "group",
        "location": "eastus",
        "subscription_id": "subscription",
        "age_s": 61.0,
        "controller": "ready",
        "controller_exists": True,
        "tunnels_open": True,
        "registered": 3,
        "engine_sets": {
            "1": engine_set("ready", {"a": 2, "b": 2}, {"a": "Failed", "b": SUCCEEDED})
        },
    }
    return ClusterStatus(**{**values, **changes})  # type: ignore[arg-type]


def test_a_cluster_is_described() -> None:
    text = as_text("azure", [status()])
    assert "Cluster: running, 3 of 4 engines registered, started 1 min ago" in text
    assert "2 VMs (1 Failed, 1 Succeeded) for 4 engines" in text
    assert "not there" not in text
    assert json.loads(as_json([status()]))[0]["registered"] == 3


def test_what_azure_was_not_asked_is_not_claimed() -> None:
    sets = {"1": engine_set("ready", {"a": 2, "b": 2}, None)}
    unknown = status(controller_exists=None, engine_sets=sets, problem="Azure does not answer.")
    text = as_text("azure", [unknown])
    assert "not there" not in text
    assert "2 VMs (unknown) for 4 engines" in text
    assert "problem: Azure does not answer." in text


def test_what_is_missing_is_said() -> None:
    sets = {"1": engine_set("ready", {"a": 2, "b": 2}, {})}
    text = as_text("azure", [status(cluster_id="a", controller_exists=False, engine_sets=sets)])
    assert "Cluster 'a'" in text
    assert "its machine is not there" in text
    assert "2 VMs (2 gone) for 4 engines" in text
    assert as_text("azure", []).startswith("No cluster on Azure is on record in profile azure; ")


BOTH = {"a": 2, "b": 2}


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (
            engine_set("creating", {}, {"a": "Creating"}),
            "creating, 2 VMs (1 Creating) for 4 engines",
        ),
        (engine_set("creating", {}, {}), "creating, 2 VMs (none is there) for 4 engines"),
        (
            engine_set("creating", {"a": 2}, {"a": SUCCEEDED}, n=2),
            "1 VM (1 Succeeded) for 2 engines",
        ),
        # after min_engines: the machine that failed is deleted, and then gone
        (
            engine_set("ready", {"a": 2}, {"a": SUCCEEDED, "b": "Deleting"}),
            "ready, 1 VM (1 Succeeded) for 2 of 4 engines; 2 engines did not start"
            "; 1 Deleting without engines",
        ),
        (
            engine_set("ready", {"a": 2}, {"a": SUCCEEDED}, n=3),
            "ready, 1 VM (1 Succeeded) for 2 of 3 engines; 1 engine did not start",
        ),
        # taken back, and nobody has noticed so far
        (
            engine_set("ready", BOTH, {"b": SUCCEEDED}),
            "ready, 2 VMs (1 Succeeded, 1 gone) for 4 engines",
        ),
        # their start did not wait for one
        (
            engine_set("ready", BOTH, {"a": SUCCEEDED, "b": "Creating"}, joining=Joining(["b"])),
            "ready, 2 VMs (1 Creating, 1 Succeeded) for 4 engines; 2 engines yet to join as their"
            " machines boot",
        ),
        (
            engine_set("ready", {"a": 2}, {"a": SUCCEEDED}, joining=Joining(problem="b: no SSH")),
            "for 2 of 4 engines; 2 engines did not start\n  b: no SSH\n",
        ),
        # taken back, and another is on its way
        (
            engine_set("ready", {"a": 2}, {"a": SUCCEEDED, "c": "Creating"}, lost=2),
            "ready, 1 VM (1 Succeeded) for 2 of 4 engines; 2 engines lost with a machine, to be"
            " replaced; 1 Creating without engines",
        ),
        (
            engine_set("ready", {"a": 2}, {"a": SUCCEEDED}, n=5, lost=2),
            "1 VM (1 Succeeded) for 2 of 5 engines; 1 engine did not start; 2 engines lost",
        ),
        (
            engine_set("ready", {}, {}, lost=4),
            "0 VMs (none is there) for 0 of 4 engines; 4 engines lost",
        ),
        (
            engine_set("kept", BOTH, {"a": SUCCEEDED, "b": SUCCEEDED}),
            "kept: its engines are stopped, and 2 VMs (2 Succeeded) wait for their restart",
        ),
    ],
)
def test_the_numbers_of_a_set_are_those_of_now(shown: EngineSetStatus, words: str) -> None:
    assert words in as_text("azure", [status(engine_sets={"1": shown})])


def test_engines_of_several_sets_are_counted_together_but_not_stopped_ones() -> None:
    sets = {
        "1": engine_set("ready", {"a": 2}, {"a": SUCCEEDED}, n=3),
        "2": engine_set("kept", BOTH, {"a": SUCCEEDED, "b": SUCCEEDED}),
        "3": engine_set("creating", {}, {}),
    }
    text = as_text("azure", [status(registered=2, engine_sets=sets)])
    assert "2 of 7 engines registered" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5.2, "5 s"), (60, "1 min"), (3599, "59 min"), (11100, "3 h 5 min"), (356400, "4 d 3 h")],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_record_that_can_not_be_read_hides_no_other(tmp_path: Path) -> None:
    for cluster_id, text in (("a", "{"), ("b", json.dumps({**NEWER, "format": 9}))):
        file = RecordFile.of(str(tmp_path), cluster_id)
        file.path.parent.mkdir(exist_ok=True)
        file.path.write_text(text)
    found = clusters(tmp_path)
    assert [(item.cluster_id, item.state) for item in found] == [
        ("a", "unreadable"),
        ("b", "unreadable"),
    ]
    first, second = as_text("azure", found).splitlines()
    assert first.startswith("Cluster 'a': The cluster's record")
    assert "written by another version" in second


def test_machines_on_which_nothing_runs() -> None:
    sets = {"1": engine_set("created", BOTH, {"a": SUCCEEDED, "b": SUCCEEDED})}
    shown = status(state="created", controller="created", engine_sets=sets, tunnels_open=False)
    text = as_text("azure", [shown])
    assert "Cluster: created, nothing runs on its machines, made 1 min ago" in text
    assert "engine set 1: created, 2 VMs (2 Succeeded) for 4 engines" in text
    assert "`ipcluster-azure deploy` starts controller and engines on them" in text
    assert "registered" not in text

"""The words of `ipcluster-azure status`."""

import json
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
from ipcluster_azure.record.file import RecordFile

NEWER = json.loads((Path(__file__).parents[2] / "golden" / "record-1.json").read_text())


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
        "engine_sets": {"1": EngineSetStatus(4, 2, "ready", {"Failed": 1, "Succeeded": 1})},
    }
    return ClusterStatus(**{**values, **changes})  # type: ignore[arg-type]


def test_a_cluster_is_described() -> None:
    text = as_text("azure", [status()])
    assert "Cluster: running, 3 of 4 engines registered, started 1 min ago" in text
    assert "4 engines on 2 VMs (1 Failed, 1 Succeeded)" in text
    assert "not there" not in text
    assert json.loads(as_json([status()]))[0]["registered"] == 3


def test_what_azure_was_not_asked_is_not_claimed() -> None:
    sets = {"1": EngineSetStatus(4, 2, "ready")}
    unknown = status(controller_exists=None, engine_sets=sets, problem="Azure does not answer.")
    text = as_text("azure", [unknown])
    assert "not there" not in text
    assert "none is there" not in text
    assert "problem: Azure does not answer." in text


def test_what_is_missing_is_said() -> None:
    sets = {"1": EngineSetStatus(4, 2, "ready")}
    text = as_text("azure", [status(cluster_id="a", controller_exists=False, engine_sets=sets)])
    assert "Cluster 'a'" in text
    assert "its machine is not there" in text
    assert "none is there" in text
    assert as_text("azure", []) == "No cluster on Azure is on record in profile azure."


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

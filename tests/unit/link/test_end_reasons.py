"""What the guard tells, and which of it ends a cluster."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.link.end_reasons import as_news, end_of
from ipcluster_azure.record.contents import Limits
from ipcluster_azure.record.file import RecordFile

from ..record.test_record import _record

STATE: dict[str, Any] = {
    "event": "state",
    "controller": {"alive": True},
    "machines": {"10.0.0.4": {"ids": [0], "silent": False}},
    "evicted": [],
    "idle": False,
    "idle_s": 1.0,
    "expired": False,
    "age_s": 2.0,
}


@pytest.fixture
def file(tmp_path: Path) -> RecordFile:
    file = RecordFile.of(str(tmp_path / "profile_azure"), "")
    file.create(replace(_record(), limits=Limits(12.0, 60.0)))
    return file


def test_a_state_in_which_all_is_well_is_no_news() -> None:
    assert list(as_news(STATE)) == []


def test_a_state_is_the_news_that_led_to_it() -> None:
    state = STATE | {
        "controller": {"alive": False, "log": "x", "log_tail": "its end"},
        "machines": {"a": {"ids": [], "silent": True}, "b": {"ids": [], "silent": False}},
        "evicted": ["b"],
        "idle": True,
        "expired": True,
    }
    assert list(as_news(state)) == [
        {"event": "controller_exited", "log_tail": "its end"},
        {"event": "idle"},
        {"event": "expired"},
        {"event": "silent", "machines": ["a"]},
        {"event": "evicted", "machines": ["b"]},
    ]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("idle", "Deleted after 60 min without a task (idle_timeout_min)."),
        ("expired", "Deleted after 12 h, its longest life (max_lifetime_h)."),
    ],
)
def test_the_end_says_which_setting_it_comes_from(file: RecordFile, kind: str, why: str) -> None:
    end = end_of({"event": kind}, file)
    assert end is not None
    assert end.why == why


def test_a_dead_controller_ends_the_cluster(file: RecordFile) -> None:
    end = end_of({"event": "controller_exited", "log_tail": "its end"}, file)
    assert end is not None
    assert file.require().plan.names.base in end.why
    assert str(file.log_path("", "controller")) in end.why
    assert end.log_tail == "its end"


@pytest.mark.parametrize("kind", ["alive", "heard", "silent", "evicted", "failed"])
def test_nothing_else_does(file: RecordFile, kind: str) -> None:
    assert end_of({"event": kind, "machines": ["10.0.0.4"]}, file) is None


def test_a_lifetime_that_max_cost_has_shortened_is_said_to_be_so(file: RecordFile) -> None:
    with file.edit() as record:
        record.cost.max_cost, record.cost.longest_h = 20.0, 24.0
    end = end_of({"event": "expired"}, file)
    assert end is not None
    assert end.why == "Deleted after 12 h, as it has cost $20.00 (max_cost)."
    with file.edit() as record:
        record.cost.longest_h = 12.0  # which was over first
    end = end_of({"event": "expired"}, file)
    assert end is not None
    assert "its longest life (max_lifetime_h)" in end.why

"""What a notebook shows of a cluster."""

from dataclasses import replace
from datetime import datetime, timezone
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.launchers.cluster_html import html_of
from ipcluster_azure.record.contents import Controller, Limits
from ipcluster_azure.record.cost import Cost, CostPart
from ipcluster_azure.record.file import RecordFile

from ..record.test_record import _record

NOW = datetime(2026, 11, 21, 14, 30, tzinfo=timezone.utc)  # 2.5 h after the record's start


class Cells(HTMLParser):
    """The rows of a table, by their headings, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: dict[str, str] = {}
        self.links: list[str | None] = []
        self.tags: list[str] = []
        self._texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "a":
            self.links.append(dict(attrs)["href"])
        elif tag in ("th", "td"):
            self._texts.append("")

    def handle_data(self, data: str) -> None:
        if self._texts:
            self._texts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr":
            head, cell = self._texts
            self.rows[head], self._texts = cell, []


@pytest.fixture
def file(tmp_path: Path) -> RecordFile:
    return RecordFile.of(str(tmp_path / "profile_<b>"), "c1")


def test_machines_engines_time_and_links(file: RecordFile) -> None:
    record = replace(
        _record(),
        controller=Controller(state="ready"),
        limits=Limits(max_lifetime_h=12, idle_timeout_min=60),
    )
    record.engine_sets["s"].state = "ready"
    record.engine_sets["s"].lost_engines = 1
    part = CostPart(machines=2, usd=0.2)
    record.cost = Cost(source="a list", parts={"": part}, since=record.created)
    shown = Cells(html_of(file, record, NOW))
    group = record.plan.resource_group
    assert shown.rows == {
        "State": "running",
        "Machines": f"1 {record.plan.machine.vm_size} for the controller, 1 for engines",
        "Engines": "3, 1 of them lost with a machine, to be replaced",
        "Cost": "about $0.400 an hour, $1.00 so far, at most $4.80 until it ends (a list)",
        "Ends": "in 9 h 30 min at the latest, 60 min after the last task",
        "In Azure": f"{group} in {record.plan.location}",
        "JupyterLab": "ipcluster-azure notebook --profile=<b> --cluster-id=c1",
    }
    assert shown.links == [
        "https://portal.azure.com/#resource/subscriptions/"
        f"{record.plan.subscription_id}/resourceGroups/{group}"
    ]


def test_what_is_not_known_is_left_out_and_no_name_is_html(file: RecordFile) -> None:
    record = replace(_record(), endpoint=Endpoint("https://127.0.0.1:5000", "x"))
    shown = Cells(html_of(file, record, NOW))
    assert shown.rows["State"] == "starting"
    assert "Ends" not in shown.rows
    assert shown.links == []
    assert shown.tags.count("b") == 1  # ours

"""When there is no room: which place is tried next, and what is said in the end."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from ipcluster_azure.errors import (
    AzureLauncherError,
    CapacityUnavailable,
    ClusterStopped,
    QuotaExceeded,
)
from ipcluster_azure.progress import Progress
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.start.next_place import first_with_room, next_plan
from ipcluster_azure.start.request import StartContext

from ..plans import ENGINES

FULL = [CapacityUnavailable("no D4s"), QuotaExceeded("no D8s"), CapacityUnavailable("no D16s")]


class Places:
    """As many places as `outcomes`; each is an error, or what the attempt there returns."""

    def __init__(self, *outcomes: Exception | str) -> None:
        self.left = list(outcomes)
        self.refusals: list[AzureLauncherError | None] = []

    async def attempt(self, refusal: AzureLauncherError | None) -> str:
        self.refusals.append(refusal)
        if not self.left:
            assert refusal is not None
            raise refusal
        outcome = self.left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def test_the_first_place_with_room_is_used() -> None:
    places = Places("there", "not tried")
    assert await first_with_room(places.attempt) == "there"
    assert places.refusals == [None]


async def test_each_refusal_leads_to_the_next_place() -> None:
    places = Places(*FULL, "there")
    assert await first_with_room(places.attempt) == "there"
    assert places.refusals == [None, *FULL]


async def test_the_last_refusal_is_what_is_raised() -> None:
    places = Places(*FULL)
    with pytest.raises(CapacityUnavailable, match="no D16s"):
        await first_with_room(places.attempt)
    assert places.refusals == [None, *FULL]


async def test_other_places_do_not_help_against_other_errors() -> None:
    places = Places(FULL[0], ClusterStopped("stopped"), "not tried")
    with pytest.raises(ClusterStopped):
        await first_with_room(places.attempt)
    assert places.left == ["not tried"]


def test_plans_are_taken_in_turn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    context = StartContext(RecordFile.of(str(tmp_path), ""), Progress(logging.getLogger("test")))
    other = replace(ENGINES, engines_per_vm=2)
    left = [ENGINES, other]
    assert next_plan(context, left, None) is ENGINES
    assert caplog.text == ""
    assert next_plan(context, left, FULL[0]) is other
    assert "no D4s" in caplog.text
    with pytest.raises(QuotaExceeded, match="no D8s"):
        next_plan(context, left, FULL[1])

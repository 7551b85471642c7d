"""How long a Spot machine still has: by Azure's clock, from the Date of the answer that says so."""

import time
from email.utils import formatdate

import pytest

from ipcluster_azure.on_vm.agent.eviction import seconds_left
from ipcluster_azure.on_vm.agent.instance_metadata import seconds_of

AT_S = 1_750_000_000.0  # long ago by this computer's clock


def test_the_notice_is_counted_from_the_answers_date() -> None:
    event = {"NotBefore": formatdate(AT_S + 30, usegmt=True)}
    assert seconds_left(event, AT_S) == 30
    assert seconds_left(event, AT_S + 60) == 0
    assert seconds_left({"NotBefore": formatdate(time.time() + 30)}, None) == pytest.approx(
        30, abs=9
    )


@pytest.mark.parametrize("text", ["", None, "soon", "Mon, 32 Foo 2026", "\0"])
def test_an_event_without_a_time_has_begun(text: str | None) -> None:
    assert seconds_of(text) is None
    assert seconds_left({"NotBefore": text}, AT_S) == 0
    assert seconds_left({}, AT_S) == 0

"""What is said while something takes long."""

import time

import pytest

from ipcluster_azure.environment import telling
from ipcluster_azure.environment.telling import Telling


def test_a_line_comes_at_least_every_four_seconds() -> None:
    assert telling.SAY_EVERY_S + telling.LOOK_EVERY_S < 4


def test_the_task_is_said_again_and_again_between_other_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling, "SAY_EVERY_S", 0.2)
    monkeypatch.setattr(telling, "LOOK_EVERY_S", 0.02)
    said: list[tuple[float, str]] = []
    started = time.monotonic()
    with Telling(lambda text: said.append((time.monotonic() - started, text))) as told:
        time.sleep(0.5)
        told.now("Building spam")
        time.sleep(0.3)
        told.say("Building spam: compiling")
        time.sleep(0.1)
    lines = [text for _, text in said]
    assert lines[0] == "Reading what is installed here, 0 s so far"
    assert "Building spam, 0 s so far" in lines
    assert lines[-1] == "Building spam: compiling"
    count = len(lines)
    time.sleep(0.3)
    assert len(lines) == count

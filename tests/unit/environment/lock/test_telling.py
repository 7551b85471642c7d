"""What is said while something takes long."""

import time

import pytest

from ipcluster_azure.environment import telling
from ipcluster_azure.environment.telling import Telling


def test_a_line_comes_at_least_every_four_seconds() -> None:
    assert telling.SAY_EVERY_S + telling.LOOK_EVERY_S < 4


def test_the_task_is_said_again_and_again_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "SAY_EVERY_S", 0.1)
    monkeypatch.setattr(telling, "LOOK_EVERY_S", 0.01)
    said: list[str] = []

    def wait_for(line: str, times: int = 1) -> None:
        deadline = time.monotonic() + 20
        while said.count(line) < times and time.monotonic() < deadline:
            time.sleep(0.01)
        assert said.count(line) >= times

    with Telling(said.append) as told:
        wait_for("Reading what is installed here, 0 s so far")
        told.now("Building spam")
        wait_for("Building spam, 0 s so far", times=2)
        told.say("Building spam: compiling")
        wait_for("Building spam: compiling")
    count = len(said)
    time.sleep(0.3)
    assert len(said) == count

"""What a launcher's log says of engines that its start did not wait for."""

import logging
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from ipcluster_azure.launchers import join_news
from ipcluster_azure.launchers.join_news import JoinNews
from ipcluster_azure.record.contents import Machine, Record
from ipcluster_azure.record.joining import Joining

from ..record.test_record import _record

Hear = Callable[..., list[str]]


def record(joining: Joining, lost: int = 0, machines: int = 3) -> Record:
    found = _record()
    engine_set = found.engine_sets["s"]
    engine_set.n, engine_set.lost_engines, engine_set.joining = 3, lost, joining
    engine_set.machines = [Machine(name, "10.0.0.4", 1) for name in "abc"[:machines]]
    return found


@pytest.fixture
def hear(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Hear:
    """What is said about a record; each is 10 s later than the one before."""
    times = iter(range(0, 1000, 10))
    clock = SimpleNamespace(monotonic=lambda: float(next(times)))
    monkeypatch.setattr(join_news, "time", clock)
    caplog.set_level(logging.INFO)
    news = JoinNews(logging.getLogger("test"), "s")

    def hear(*given: object, **more: int) -> list[str]:
        caplog.clear()
        news.hear(record(*given, **more) if given else None)  # type: ignore[arg-type]
        return caplog.messages

    return hear


def test_engines_that_join_are_counted(hear: Hear) -> None:
    assert hear(Joining(["b", "c"])) == []
    assert hear(Joining(["b", "c"])) == []
    assert hear(Joining(["c"])) == ["2 of 3 engines are registered, 20 s after the start"]
    assert hear(Joining()) == ["3 of 3 engines are registered, 30 s after the start"]
    assert hear(Joining()) == hear() == []


def test_why_some_do_not_join_is_said_once_and_when_others_have_taken_their_place(
    hear: Hear,
) -> None:
    hear(Joining(["c"]))
    assert hear(Joining(problem="c: silent")) == ["c: silent"]
    assert hear(Joining(problem="c: silent"), lost=1, machines=2) == []
    assert hear(Joining()) == ["3 of 3 engines are registered, 30 s after the start"]


def test_nothing_is_said_of_a_set_that_was_complete(hear: Hear) -> None:
    assert hear(Joining()) == hear(Joining(), lost=1) == []

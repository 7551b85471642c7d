"""The logs of a machine, as `vm_agent.py logs` tells them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.on_vm.agent.logs import since

from .agents import Agent

Json = dict[str, Any]
PATIENCE_S = 60.0
TWO_HOURS_AGO = "2026-11-30 08:00:00"
TEXT = f"{TWO_HOURS_AGO}.123 [IPEngine] first\n2026-11-30 10:00:00 second\n  a traceback\n"
AT = 1_796_032_800.0  # 2026-11-30 10:00:00 UTC


@pytest.fixture
def logging(tmp_path: Path) -> Agent:
    """A machine with the logs of two engines, of their supervisor, and of a controller."""
    agent = Agent(tmp_path, "127.70.3.24")
    folder = agent.dir / "log"
    folder.mkdir()
    for name in ("ipengine-s-0", "ipengine-s-1", "ipengine-s-10", "supervisor-s", "ipcontroller"):
        (folder / f"{name}.log").write_text(f"of {name}\n")
    engines = [{"index": index, "id": 7 + index} for index in (0, 1, 10)]
    (agent.dir / "engines-s.json").write_text(json.dumps({"engines": engines}))
    return agent


def names(events: list[Json]) -> list[str]:
    return [event["name"] for event in events]


def test_the_logs_of_a_set_of_the_controller_and_of_one_engine(logging: Agent) -> None:
    _, of_set = logging.run("logs", "--set=s")
    assert names(of_set) == [
        "ipengine-s-0.log",
        "ipengine-s-1.log",
        "ipengine-s-10.log",
        "supervisor-s.log",
    ]
    assert of_set[3]["text"] == "of supervisor-s\n"
    assert names(logging.run("logs", "--controller")[1]) == ["ipcontroller.log"]
    assert names(logging.run("logs", "--set=s", "--engine=8")[1]) == ["ipengine-s-1.log"]
    failed = logging.failed("logs", "--set=s", "--engine=1")
    assert failed["reason"] == "there is no engine 1 on this machine"


@contextmanager
def following(agent: Agent, *words: str) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(
        [
            sys.executable,
            agent.dir / "vm_agent.py",
            "logs",
            f"--dir={agent.dir}",
            "--follow",
            *words,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "HOME": str(agent.home)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process
        process.stdin.close()
        assert process.wait(timeout=PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        if not process.stdin.closed:
            process.stdin.close()


def test_what_is_added_is_told_in_whole_lines_and_new_logs_are_found(logging: Agent) -> None:
    log = logging.dir / "log" / "ipengine-s-1.log"
    with following(logging, "--set=s") as process:

        def told() -> tuple[str, str]:
            event = json.loads(process.stdout.readline())  # type: ignore[union-attr]
            return event["name"], event["text"]

        first = [told() for _ in range(4)]
        assert ("ipengine-s-1.log", "of ipengine-s-1\n") in first
        with open(log, "a", encoding="utf-8") as file:
            file.write("half a ")
            file.flush()
            (log.parent / "ipengine-s-11.log").write_text("of a new engine\n")
            assert told() == ("ipengine-s-11.log", "of a new engine\n")
            file.write("line, ü\nand half")
            file.flush()
            assert told() == ("ipengine-s-1.log", "half a line, ü\n")
        log.write_text("anew\n")  # another engine set of this name
        assert told() == ("ipengine-s-1.log", "anew\n")


@pytest.fixture
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import time

    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_utc")
def test_lines_since_a_time() -> None:
    whole, last = TEXT, TEXT[TEXT.index("2026-11-30 10") :]
    assert since(TEXT, AT - 7200.0, 0.0) == whole
    assert since(TEXT, AT - 7199.0, 0.0) == last  # what follows a line belongs to it
    assert since(TEXT, AT, 0.0) == last
    assert since(TEXT, AT + 1.0, AT + 9.0) == ""
    assert since("", AT, AT) == ""


def test_a_log_without_times_is_shown_if_it_has_changed_since() -> None:
    assert since("no\ntimes\n", 100.0, 100.0) == "no\ntimes\n"
    assert since("no\ntimes\n", 100.0, 99.0) == ""

"""How busy machines and engines are: read from /proc, told by beats, asked of a real guard."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.on_vm.agent.loads import RATE_S, Loads
from ipcluster_azure.on_vm.agent.usage import Usage

from .agents import Agent, connect, vm, wait_for

Json = dict[str, Any]
ENGINES = "127.70.3.15"
PATIENCE_S = 60.0
WAIT = "import os, time\nwhile not os.path.exists({!r}):\n    time.sleep(0.05)"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Agent]:
    with vm(tmp_path, "127.70.3.14") as agent:
        yield agent


def told(agent: Agent) -> Json:
    """What `vm_guard.py load` prints."""
    done = subprocess.run(
        [sys.executable, agent.dir / "vm_guard.py", "load", f"--dir={agent.dir}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    event: Json = json.loads(line)
    assert event.pop("event") == "load"
    return event


def test_the_guard_tells_what_every_engine_has_done_and_does(guarded: Agent) -> None:
    info = guarded.controller()["engine"]
    guarded.engine_file = guarded.dir / "engine.json"
    guarded.engine_file.write_text(json.dumps(info))
    engines = guarded.engines("s", 2, f"--address={ENGINES}")["engines"]
    ids = sorted(engine["id"] for engine in engines)
    busy, free = ids

    def load(engine_id: int) -> Json:
        machine = told(guarded)["machines"].get(ENGINES, {})
        found: Json = {engine["id"]: engine for engine in machine.get("engines", ())}
        return found.get(engine_id, {})

    go_on = guarded.home / "go on"
    with connect(guarded, 2) as client:
        before = {engine_id: client[engine_id].apply_sync(os.getpid) for engine_id in ids}
        assert len(set(before.values())) == 2
        waiting = client[busy].execute(WAIT.format(str(go_on)), block=False)
        client.broadcast_view(targets=[free]).apply_sync(os.getpid)  # the hub counts no broadcasts
        wait_for(lambda: (e := load(busy)) and e["begun"] - e["done"] == 1, PATIENCE_S)
        wait_for(lambda: (e := load(free)) and e["begun"] == e["done"] == 3, PATIENCE_S)
        go_on.touch()
        waiting.get(timeout=PATIENCE_S)
        wait_for(lambda: (e := load(busy)) and e["begun"] == e["done"] == 3, PATIENCE_S)
    found = told(guarded)
    assert found["registered"] == 2
    assert found["idle_s"] >= 0
    assert found["age_s"] >= 0
    machine = found["machines"][ENGINES]
    assert machine["ids"] == ids
    assert machine["cpus"] == os.cpu_count()
    for engine in machine["engines"]:
        assert 0 < engine["memory_bytes"] < machine["memory_total_bytes"]
        assert engine["cpu_percent"] >= 0
        assert engine["done_per_s"] >= 0
    assert 0 < found["controller"]["memory_bytes"] < found["controller"]["memory_total_bytes"]


def test_a_follower_is_told_again_until_it_hangs_up(guarded: Agent) -> None:
    guarded.controller()
    process = subprocess.Popen(
        [sys.executable, guarded.dir / "vm_guard.py", "load", f"--dir={guarded.dir}", "--follow"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(3):
        event = json.loads(process.stdout.readline())
        assert (event["event"], event["registered"], event["machines"]) == ("load", None, {})
    process.stdin.close()
    assert process.wait(timeout=PATIENCE_S) == 0
    process.stdout.close()


# --- pure


def _load(*engines: tuple[int, int, int]) -> Json:
    """`engines`: id, tasks begun, tasks done."""
    return {"cpus": 4, "engines": [[*engine, 50.0, 1000] for engine in engines]}


def _rates(loads: Loads) -> dict[int, float | None]:
    return {engine["id"]: engine["done_per_s"] for engine in loads.shown("a")["engines"]}


def test_tasks_a_second_are_counted_over_the_last_seconds() -> None:
    loads = Loads()
    loads.note("a", _load((1, 1, 0)), 100.0)
    assert _rates(loads) == {1: None}
    loads.note("a", _load((1, 9, 8)), 102.0)
    assert _rates(loads) == {1: 4.0}
    for second in range(1, 20):  # nothing more is done
        loads.note("a", _load((1, 9, 8)), 102.0 + second)
    assert _rates(loads) == {1: 0.0}
    assert loads.shown("a")["cpus"] == 4


def test_many_beats_a_second_are_not_all_kept() -> None:
    loads = Loads()
    for number in range(1000):
        loads.note("a", _load((1, number, number)), number / 10)
    assert len(loads._machines["a"].moments) <= RATE_S + 2
    assert _rates(loads)[1] == pytest.approx(10.0)


def test_an_engine_that_has_taken_anothers_place_has_a_rate_of_its_own() -> None:
    loads = Loads()
    loads.note("a", _load((1, 100, 100)), 0.0)
    loads.note("a", _load((2, 100, 100)), 1.0)
    assert _rates(loads) == {2: None}
    loads.note("a", _load((2, 103, 102)), 2.0)
    assert _rates(loads) == {2: 2.0}


def test_a_machine_that_has_left_or_never_told_has_no_load() -> None:
    loads = Loads()
    loads.note("a", _load((1, 1, 0)), 0.0)
    loads.note("b", {}, 0.0)  # of a version that does not tell it
    loads.forget("a")
    assert loads.shown("a") == loads.shown("b") == {}
    known = {"b": {"ids": [3], "silent": False}}
    assert loads.beside(known)["machines"] == known


def test_a_process_that_computes_is_seen_to() -> None:
    usage = Usage()
    assert usage.of_process(os.getpid())[0] is None
    deadline = time.monotonic() + PATIENCE_S
    while not (usage.of_process(os.getpid())[0] or 0.0) > 0:  # reading is work enough
        assert time.monotonic() < deadline
        sum(range(100_000))
    _, memory_bytes = usage.of_process(os.getpid())
    assert memory_bytes is not None
    assert memory_bytes > 1 << 20
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        pass
    assert usage.of_process(ended.pid) == (None, None)


def test_the_machines_processors_are_known_from_the_second_reading_on() -> None:
    usage = Usage()
    assert usage.of_machine()["cpu_percent"] is None
    deadline = time.monotonic() + PATIENCE_S
    while (percent := usage.of_machine()["cpu_percent"]) is None:
        assert time.monotonic() < deadline
        sum(range(100_000))
    assert 0 <= percent <= 100

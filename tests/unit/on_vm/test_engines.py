"""The agent's command `engines`: real engines, their supervisor, and how engines are replaced."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from pathlib import Path

import ipyparallel as ipp
import pytest

from ipcluster_azure.on_vm.agent import engine as vm_engine
from tests.processes import is_alive

from .agents import TIMEOUT_S, Agent, Json, connect, wait_for

AT_ONCE_S = 10.0  # 0.1 s on an idle computer; by missing heartbeats alone the hub would take 200

# tasks; interactive: sent as code, since engines can't import this file


@ipp.interactive
def look_around() -> Json:
    import os
    import random
    import signal

    from ipyparallel.engine.app import IPEngine

    app = IPEngine.instance()
    return {
        "pid": os.getpid(),
        "cwd": os.getcwd(),
        "threads": os.environ["OMP_NUM_THREADS"],
        "ident": app.ident,
        "msg_id": app.session.msg_id,
        "random": random.random(),  # noqa: S311
        "numpy": __import__("numpy").random.random(),
        "session_leader": os.getsid(0) == os.getpid(),
        "mask": list(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "ignored": [s.name for s in signal.Signals if signal.getsignal(s) == signal.SIG_IGN],
    }


def test_engines_registered_and_distinct(agent: Agent) -> None:
    ready = agent.engines("s1", 3, "--cores=7", "--", "--log-level=20")
    assert [e["index"] for e in ready["engines"]] == [0, 1, 2]
    assert ready["registered"] == 3
    assert ready["ipyparallel"] == ipp.__version__
    with connect(agent, 3) as client:
        assert sorted(e["id"] for e in ready["engines"]) == client.ids
        seen = client[:].apply_async(look_around).get_dict(timeout=TIMEOUT_S)
    assert {i: s["pid"] for i, s in seen.items()} == {e["id"]: e["pid"] for e in ready["engines"]}
    for key in ("ident", "msg_id", "random", "numpy"):
        assert len({s[key] for s in seen.values()}) == 3
    for seen_by in seen.values():
        assert seen_by["cwd"] == str(agent.home)
        assert seen_by["threads"] == "2"
        assert seen_by["session_leader"]
        assert seen_by["mask"] == []
        assert seen_by["ignored"] == ["SIGPIPE", "SIGXFSZ"]
    for engine in agent.state("s1")["engines"]:
        assert engine["state"] == "registered"
        expected = f"Completed registration with id {engine['id']}"
        assert expected in Path(engine["log"]).read_text()
        assert stat.S_IMODE(Path(engine["log"]).stat().st_mode) == 0o600
    assert list(agent.home.iterdir()) == []


def test_engines_twice_is_once(agent: Agent) -> None:
    first = agent.engines("twice", 2)
    status, events = agent.run(
        "engines", "--set=twice", "--count=2", f"--engine-file={agent.engine_file}"
    )
    assert status == 0
    assert events[0] == {"event": "registered", "registered": 2, "count": 2}
    assert events[-1] == first


def test_daemons_hold_no_pipe_of_the_command(agent: Agent) -> None:
    started = time.monotonic()
    (engine,) = agent.engines("pipes", 1)["engines"]  # run() waits for the end of its pipes
    assert time.monotonic() - started < 20  # the engine runs on
    assert is_alive(engine["pid"])
    supervisor = agent.state("pipes")["supervisor"]["pid"]
    controller = json.loads((agent.dir / "controller.json").read_text())["pid"]
    for pid, log in ((supervisor, "supervisor-pipes.log"), (controller, "ipcontroller.log")):
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)]
        assert links == ["/dev/null", *2 * [str(agent.dir / "log" / log)]]


def test_a_killed_engine_leaves_the_hub_at_once_and_is_replaced(agent: Agent) -> None:
    before = agent.engines("killed", 2)["engines"]
    with connect(agent, 2) as client:
        os.kill(before[1]["pid"], signal.SIGKILL)
        assert wait_for(lambda: before[1]["id"] not in client.ids) < AT_ONCE_S
        assert wait_for(lambda: len(client.ids) == 2) < 20
        seen = client[:].apply_async(os.getpid).get_dict(timeout=TIMEOUT_S)
    state = agent.state("killed")["engines"]
    assert seen == {engine["id"]: engine["pid"] for engine in state}
    assert [engine["restarts"] for engine in state] == [0, 1]
    assert state[1]["exit_code"] == -signal.SIGKILL
    again = agent.engines("killed", 2)["engines"]
    assert [engine["id"] for engine in again] == list(seen)
    log = (agent.dir / "log" / "supervisor-killed.log").read_text()
    assert "engine 1 died with -9; a new one in 0 s" in log


def test_deaths_leave_no_zombie_no_descriptor_and_no_thread(agent: Agent) -> None:
    agent.engines("many", 4)
    supervisor = Path(f"/proc/{agent.state('many')['supervisor']['pid']}")

    def held() -> tuple[int, int, int]:
        children = (supervisor / "task" / supervisor.name / "children").read_text().split()
        descriptors = len(list((supervisor / "fd").iterdir()))
        return len(children), descriptors, len(list((supervisor / "task").iterdir()))

    def restored() -> bool:
        engines = agent.state("many")["engines"]
        return all(engine["state"] == "registered" for engine in engines)

    before = held()  # who looks for evictions is among them, until it knows that there can be none
    for _ in range(2):
        for engine in agent.state("many")["engines"]:
            os.kill(engine["pid"], signal.SIGKILL)
        wait_for(lambda: not restored())
        wait_for(restored)
    wait_for(lambda: all(now <= then for now, then in zip(held(), before, strict=True)))
    assert held()[0] >= 4


def test_a_replacement_that_never_registers_is_tried_again_and_again(agent: Agent) -> None:
    (engine,) = agent.engines("broken", 1)["engines"]
    config = agent.dir / "profile" / "ipengine_config.py"
    config.write_text("import os; os._exit(9)\n")
    try:
        os.kill(engine["pid"], signal.SIGKILL)
        wait_for(lambda: agent.state("broken")["engines"][0]["restarts"] >= 3)
        assert agent.state("broken")["engines"][0]["exit_code"] == 9
    finally:
        config.unlink()
    wait_for(lambda: agent.state("broken")["engines"][0]["state"] == "registered")


def test_the_set_ends_with_its_last_engine(agent: Agent) -> None:
    (engine,) = agent.engines("last", 1)["engines"]
    supervisor = agent.state("last")["supervisor"]["pid"]
    os.kill(engine["pid"], signal.SIGTERM)
    wait_for(lambda: not is_alive(supervisor))
    assert agent.state("last")["engines"][0]["exit_code"] == 0
    again = agent.engines("last", 1)  # a set that ended can be started again
    assert again["engines"][0]["pid"] != engine["pid"]


def test_curve_encrypted_hub_is_told_too(bare: Agent) -> None:
    bare.controller("--", "--IPController.enable_curve=True")
    (engine,) = bare.engines("curve", 1)["engines"]
    with connect(bare, 1) as client:
        os.kill(engine["pid"], signal.SIGKILL)
        assert wait_for(lambda: engine["id"] not in client.ids) < AT_ONCE_S


def test_wrong_key(agent: Agent, tmp_path: Path) -> None:
    file = tmp_path / "engine.json"
    file.write_text(json.dumps(json.loads(agent.engine_file.read_text()) | {"key": "wrong"}))
    failed = agent.failed(
        "engines", "--set=wrong", "--count=2", f"--engine-file={file}", "--timeout-s=2"
    )
    assert (
        "0 of 2 engines registered; engine 0, engine 1 did not register within 2 s"
        in failed["reason"]
    )
    assert "Registering with controller" in failed["log_tail"]


def test_unreachable_controller_ends_the_engines(agent: Agent, tmp_path: Path) -> None:
    file = tmp_path / "engine.json"
    info = json.loads(agent.engine_file.read_text()) | {"interface": "tcp://127.70.9.9"}
    file.write_text(json.dumps(info))
    started = time.monotonic()
    failed = agent.failed(
        "engines", "--set=far", "--count=1", f"--engine-file={file}", "--timeout-s=1.5"
    )
    assert time.monotonic() - started < 10
    assert "0 of 1 engines registered" in failed["reason"]
    # registration gives up after the same time, so nothing that failed comes to life later
    wait_for(lambda: agent.state("far")["engines"][0]["state"] == "exited")
    _, events = agent.run("logs", "--set=far")
    assert "Registration timed out after 1.5 seconds" in events[0]["text"]


def test_engine_that_fails_to_start_is_named(agent: Agent) -> None:
    (agent.dir / "profile" / "startup").mkdir(exist_ok=True)
    failed = agent.failed(
        "engines",
        "--set=bad",
        "--count=1",
        f"--engine-file={agent.engine_file}",
        "--",
        "--IPEngine.timeout=soon",
    )
    assert "0 of 1 engines registered; engine 0 exited with 1" in failed["reason"]
    assert "soon" in failed["log_tail"]


def test_missing_engine_file(bare: Agent) -> None:
    failed = bare.failed("engines", "--set=s", "--count=1", "--engine-file=/no/such/file")
    assert "/no/such/file" in failed["reason"]


@pytest.mark.parametrize(
    ("count", "gpus", "shares"),
    [
        (1, 2, ["0,1"]),
        (2, 2, ["0", "1"]),
        (2, 5, ["0,1", "2,3,4"]),
        (4, 2, ["0", "0", "1", "1"]),
    ],
)
def test_gpus_are_shared_out(count: int, gpus: int, shares: list[str]) -> None:
    assert [vm_engine.share(index, count, gpus) for index in range(count)] == shares

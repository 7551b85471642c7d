"""What the agent does to engines that run: signals, the stop, logs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import ipyparallel as ipp
import pytest

from ipcluster_azure.on_vm.agent import processes
from tests.processes import is_alive

from .agents import TIMEOUT_S, Agent, connect, start_time, wait_for


@ipp.interactive
def interrupt_on_usr1() -> None:
    import signal

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt(f"signal {number}")

    signal.signal(signal.SIGUSR1, interrupt)


def test_signal_interrupts_the_tasks_of_a_set(agent: Agent) -> None:
    pids = [engine["pid"] for engine in agent.engines("sig", 2)["engines"]]
    with connect(agent, 2) as client:
        client[:].apply_async(interrupt_on_usr1).get(timeout=TIMEOUT_S)
        tasks = client[:].apply_async(time.sleep, 20)
        time.sleep(0.3)
        signalled = agent.ok("signal", "--set=sig", "--signum=SIGUSR1")
        assert signalled == {"event": "signalled", "pids": pids}
        with pytest.raises(ipp.error.RemoteError, match="KeyboardInterrupt"):
            tasks.get(timeout=TIMEOUT_S)
        assert sorted(client[:].apply_async(os.getpid).get(timeout=TIMEOUT_S)) == sorted(pids)


def test_a_client_signals_single_engines(agent: Agent) -> None:
    agent.engines("one", 2)
    with connect(agent, 2) as client:
        first, second = client.ids
        client[:].apply_async(interrupt_on_usr1).get(timeout=TIMEOUT_S)
        for sig in (signal.SIGUSR1, "SIGINT"):
            task = client[first].apply_async(time.sleep, 20)
            undisturbed = client[second].apply_async(time.sleep, 0.5)
            time.sleep(0.3)
            client.send_signal(sig, targets=first, block=True)
            with pytest.raises(ipp.error.RemoteError, match="KeyboardInterrupt"):
                task.get(timeout=TIMEOUT_S)
            undisturbed.get(timeout=TIMEOUT_S)
        with pytest.raises(ipp.error.RemoteError, match="no such signal"):
            client.send_signal("SIGNONSENSE", targets=first, block=True)
        client.send_signal("SIGKILL", targets=first, block=True)
        wait_for(lambda: client.ids == [second], timeout_s=2)


@pytest.mark.parametrize(("text", "number"), [("2", 2), ("int", 2), ("SIGUSR1", 10), ("0", 0)])
def test_parse_signal(text: str, number: int) -> None:
    assert processes.parse_signal(text) == number


def test_recycled_pids_are_left_alone(bare: Agent) -> None:
    stranger = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
    try:
        process = {"pid": stranger.pid, "create_time": (start_time(stranger.pid) or 0) - 1}
        engine = {"index": 0, "id": 0, "state": "registered", "exit_code": None, "log": ""}
        state = {"set": "old", "supervisor": process, "engines": [engine | process]}
        (bare.dir / "engines-old.json").write_text(json.dumps(state))
        assert bare.ok("signal", "--set=old", "--signum=TERM")["pids"] == []
        assert bare.ok("stop", "--set=old")["killed"] == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@ipp.interactive
def fork_a_worker() -> int:
    import subprocess

    return subprocess.Popen(["/bin/sleep", "60"]).pid


@ipp.interactive
def refuse_to_end() -> None:
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def test_stop_leaves_no_process_and_no_id(agent: Agent) -> None:
    agent.engines("gone", 2)
    agent.engines("stays", 1)
    with connect(agent, 3) as client:
        view = client[[e["id"] for e in agent.state("gone")["engines"]]]
        workers = view.apply_async(fork_a_worker).get(timeout=TIMEOUT_S)
        view.apply_async(refuse_to_end).get(timeout=TIMEOUT_S)
        stopped = agent.ok("stop", "--set=gone")
        assert stopped == {"event": "stopped", "set": "gone", "killed": []}
        wait_for(lambda: len(client.ids) == 1, timeout_s=1)
    ended = agent.state("gone")
    assert [e["exit_code"] for e in ended["engines"]] == [-signal.SIGKILL] * 2
    pids = [e["pid"] for e in ended["engines"]] + workers + [ended["supervisor"]["pid"]]
    assert not any(map(is_alive, pids))
    assert agent.ok("stop", "--set=gone") == stopped


def test_engines_of_a_killed_supervisor_are_stopped(bare: Agent) -> None:
    bare.controller()
    (engine,) = bare.engines("orphan", 1)["engines"]
    supervisor = bare.state("orphan")["supervisor"]["pid"]
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not is_alive(supervisor))
    assert is_alive(engine["pid"])
    bare.ok("stop", "--set=orphan")
    wait_for(lambda: not is_alive(engine["pid"]))


def test_logs(agent: Agent) -> None:
    agent.engines("a", 1)
    agent.engines("a-1", 1)
    _, events = agent.run("logs", "--set=a", "--max-bytes=40")
    assert [e["name"] for e in events] == ["ipengine-a-0.log", "supervisor-a.log"]
    assert "Completed registration with id" in events[0]["text"]
    assert len(events[0]["text"]) == 40
    assert agent.ok("logs", "--controller")["name"] == "ipcontroller.log"


def test_engines_of_a_killed_supervisor_are_replaced(agent: Agent) -> None:
    """What the link has a machine do that is not heard any more."""
    before = agent.engines("again", 2)["engines"]
    with connect(agent, 2) as client:
        ids = set(client.ids)
        waiting = client[:].apply_async(time.sleep, 60)
        time.sleep(0.3)
        os.kill(agent.state("again")["supervisor"]["pid"], signal.SIGKILL)
        os.kill(before[0]["pid"], signal.SIGKILL)
        after = agent.engines("again", 2)["engines"]
        with pytest.raises(ipp.error.RemoteError, match="EngineError"):
            waiting.get(timeout=TIMEOUT_S)
        wait_for(lambda: set(client.ids) == {engine["id"] for engine in after})
        assert ids.isdisjoint(client.ids)
    assert not any(is_alive(engine["pid"]) for engine in before)
    log = (agent.dir / "log" / "supervisor-again.log").read_text()
    assert "an earlier supervisor was killed" in log


def test_a_supervisor_that_runs_is_left_alone_but_goes_on(agent: Agent) -> None:
    before = agent.engines("same", 1)["engines"]
    supervisor = agent.state("same")["supervisor"]["pid"]
    os.kill(supervisor, signal.SIGSTOP)
    assert agent.engines("same", 1)["engines"] == before
    assert agent.state("same")["supervisor"]["pid"] == supervisor
    with connect(agent, 1) as client:
        os.kill(before[0]["pid"], signal.SIGKILL)
        wait_for(lambda: client.ids and client.ids != [before[0]["id"]], TIMEOUT_S)


def test_engines_begin_anew_as_their_supervisor_does_it(agent: Agent) -> None:
    first, second, third = agent.engines("some", 3)["engines"]
    supervisor = agent.state("some")["supervisor"]["pid"]
    with connect(agent, 3) as client:
        restarted = agent.ok("restart", "--set=some", f"--pids=[{first['pid']}, {third['pid']}]")
        now = {engine["index"]: engine for engine in agent.state("some")["engines"]}
        assert now[1]["pid"] == second["pid"]
        assert restarted["ids"] == {str(first["id"]): now[0]["id"], str(third["id"]): now[2]["id"]}
        wait_for(lambda: set(client.ids) == {engine["id"] for engine in now.values()}, 30)
        assert {engine["id"] for engine in now.values()} & {first["id"], third["id"]} == set()
    assert agent.state("some")["supervisor"]["pid"] == supervisor
    assert [engine["restarts"] for engine in agent.state("some")["engines"]] == [1, 0, 1]


def test_an_engine_that_was_replaced_meanwhile_is_left_alone(agent: Agent) -> None:
    (before,) = agent.engines("late", 1)["engines"]
    os.kill(before["pid"], signal.SIGKILL)
    wait_for(lambda: agent.state("late")["engines"][0]["pid"] != before["pid"], 30)
    restarted = agent.ok("restart", "--set=late", f"--pids=[{before['pid']}]")
    assert restarted["ids"] == {}
    assert agent.state("late")["engines"][0]["restarts"] == 1


def test_the_supervisor_begins_anew_with_its_engines(agent: Agent) -> None:
    before = agent.engines("whole", 2)["engines"]
    supervisor = agent.state("whole")["supervisor"]
    (agent.dir / "outdated").touch()
    with connect(agent, 2) as client:
        waiting = client[:].apply_async(time.sleep, 60)
        restarted = agent.ok("restart", "--set=whole")
        with pytest.raises(ipp.error.RemoteError, match="EngineError"):
            waiting.get(timeout=60)
        after = agent.state("whole")["engines"]
        pairs = zip(before, after, strict=True)
        assert restarted["ids"] == {str(old["id"]): new["id"] for old, new in pairs}
        wait_for(lambda: client.ids == [engine["id"] for engine in after], 30)
    assert agent.state("whole")["supervisor"] == supervisor
    assert not any(is_alive(engine["pid"]) for engine in before)
    assert not (agent.dir / "outdated").exists()
    log = (agent.dir / "log" / f"ipengine-whole-{before[0]['index']}.log").read_text()
    assert log.count("Completed registration") == 2  # the log of before is there, too
    assert agent.ok("restart", "--set=whole")["ids"].keys() == {str(e["id"]) for e in after}


@pytest.mark.parametrize("whole", [True, False])
def test_the_ids_that_are_told_are_there_whoever_else_ends_engines(
    agent: Agent, whole: bool
) -> None:
    agent.engines("both", 2)
    with connect(agent, 2) as client:
        for victim in (0, 1, 0):
            before = agent.state("both")["engines"]
            words = [] if whole else [f"--pids={[engine['pid'] for engine in before]}"]
            os.kill(before[victim]["pid"], signal.SIGKILL)  # may be replaced before, or within
            told = agent.ok("restart", "--set=both", *words)["ids"]
            after = agent.state("both")["engines"]
            ids = {engine["id"] for engine in after}
            assert {*told.values()} <= ids
            assert str(before[1 - victim]["id"]) in told
            assert [engine["state"] for engine in after] == ["registered"] * 2
            assert {e["pid"] for e in before}.isdisjoint(e["pid"] for e in after)
            wait_for(lambda ids=ids: set(client.ids) == ids, 30)


def test_engines_without_supervisor_are_not_begun_anew(bare: Agent) -> None:
    bare.controller()
    (engine,) = bare.engines("nobody", 1)["engines"]
    supervisor = bare.state("nobody")["supervisor"]["pid"]
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not is_alive(supervisor), 30)
    assert "nobody supervises its engines" in bare.failed("restart", "--set=nobody")["reason"]
    assert is_alive(engine["pid"])
    assert bare.ok("restart", "--set=gone")["ids"] == {}

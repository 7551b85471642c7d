"""The guard with a real ipcontroller, real engines and beats over real connections."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ipcluster_azure.on_vm.agent import heartbeat, limits
from ipcluster_azure.on_vm.agent import hub as vm_hub
from ipcluster_azure.on_vm.agent.heard_machines import Roll
from ipcluster_azure.on_vm.agent.hub import Load
from ipcluster_azure.on_vm.agent.places import Place
from tests.processes import is_alive

from .agents import Agent, connect, vm, wait_for

Json = dict[str, Any]
HEARD_S = 5.0
ENGINES = "127.70.3.5"


class Follower:
    """`vm_guard.py follow`, as the link has it run."""

    def __init__(self, agent: Agent) -> None:
        self.process = subprocess.Popen(
            [sys.executable, agent.dir / "vm_guard.py", "follow", f"--dir={agent.dir}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "HOME": str(agent.home)},
        )
        self.events: queue.Queue[Json] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with self.process.stdout as lines:  # type: ignore[union-attr]
            for line in lines:
                self.events.put(json.loads(line))

    def next(self, event: str, timeout_s: float = HEARD_S) -> Json:
        """The next of these; fails if there is none in time."""
        deadline = time.monotonic() + timeout_s
        others = []
        while True:
            try:
                found = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"no {event} within {timeout_s} s, only {others}")
            if found["event"] == event:
                return found
            others.append(found["event"])

    def seen(self) -> list[str]:
        events = []
        while not self.events.empty():
            events.append(self.events.get()["event"])
        return events


@contextmanager
def following(agent: Agent) -> Iterator[Follower]:
    follower = Follower(agent)
    try:
        yield follower
    finally:
        follower.process.stdin.close()  # type: ignore[union-attr]
        assert follower.process.wait(timeout=10) == 0


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Agent]:
    """A machine whose controller is not started yet: the guard's settings come first."""
    with vm(tmp_path, "127.70.3.4") as agent:
        yield agent


def set_limits(agent: Agent, **settings: object) -> None:
    (agent.dir / "guard_settings.json").write_text(json.dumps(settings))


def start_engines(agent: Agent, count: int = 2, address: str = ENGINES) -> list[Json]:
    """With the connection file as the launcher has it, which says where the guard is."""
    info = agent.controller()["engine"]
    agent.engine_file = agent.dir / "engine.json"
    agent.engine_file.write_text(json.dumps(info))
    engines: list[Json] = agent.engines("s", count, f"--address={address}")["engines"]
    return engines


def test_it_says_how_all_is_and_that_the_line_is_up(guarded: Agent) -> None:
    engines = start_engines(guarded)
    state_file = guarded.dir / "guard.json"
    wait_for(lambda: ENGINES in state_file.read_text())
    with following(guarded) as follower:
        state = follower.next("state")
        assert state["controller"]["alive"]
        assert state["machines"][ENGINES]["silent"] is False
        wait_for(
            lambda: (
                json.loads(state_file.read_text())["machines"][ENGINES]["ids"]
                == sorted(engine["id"] for engine in engines)
            )
        )
        assert not state["idle"]
        assert not state["expired"]
        follower.next("alive")
        follower.next("alive")


def test_a_follower_ends_when_nobody_reads_it(guarded: Agent) -> None:
    guarded.controller()
    process = subprocess.Popen(
        [sys.executable, guarded.dir / "vm_guard.py", "follow", f"--dir={guarded.dir}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()  # type: ignore[union-attr]
    process.stdout.close()  # type: ignore[union-attr]
    assert process.wait(timeout=10) == 0
    assert process.stderr.read() == b""  # type: ignore[union-attr]
    process.stderr.close()  # type: ignore[union-attr]
    process.stdin.close()  # type: ignore[union-attr]


def test_the_controllers_end_is_told_with_its_log(guarded: Agent) -> None:
    pid = guarded.controller()["pid"]
    with following(guarded) as follower:
        follower.next("state")
        killed_at = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        event = follower.next("controller_exited")
        assert time.monotonic() - killed_at < HEARD_S
    assert "Hub listening" in event["log_tail"]
    assert Path(event["log"]).name == "ipcontroller.log"
    with following(guarded) as follower:  # who asks later learns it too
        assert not follower.next("state")["controller"]["alive"]


def test_a_silent_machine_is_told_and_its_engines_leave_the_hub(guarded: Agent) -> None:
    engines = start_engines(guarded)
    supervisor = guarded.state("s")["supervisor"]["pid"]
    members = [pid for pid in pids_of_group(supervisor) if pid != supervisor]
    with following(guarded) as follower:
        follower.next("state")
        follower.next("alive", 3)
        for pid in [supervisor, *members]:  # a machine that hangs: nothing is closed
            os.kill(pid, signal.SIGSTOP)
        assert follower.next("silent")["machines"] == [ENGINES]
        with connect(guarded, 2) as client:
            told = guard(guarded, "unregister", f"--machine={ENGINES}")
            assert told == {"event": "unregistered", "ids": sorted(e["id"] for e in engines)}
            wait_for(lambda: not client.ids, 2)
            # back again: the hub would never give these engines a task, so others take their place
            for pid in [supervisor, *members]:
                os.kill(pid, signal.SIGCONT)
            assert follower.next("heard")["machines"] == [ENGINES]
            wait_for(lambda: len(client.ids) == 2, 15)
        assert {e["id"] for e in guarded.state("s")["engines"]} == set(client.ids)
    assert not any(is_alive(engine["pid"]) for engine in engines)


def test_a_killed_supervisor_is_a_silent_machine_and_a_stopped_one_is_not(guarded: Agent) -> None:
    start_engines(guarded, 1)
    with following(guarded) as follower:
        follower.next("state")
        wait_for(lambda: ENGINES in (guarded.dir / "guard.json").read_text())
        guarded.ok("stop", "--set=s")
        assert ENGINES not in (guarded.dir / "guard.json").read_text()
        start_engines(guarded, 1)
        time.sleep(3)
        assert "silent" not in follower.seen()
        os.kill(guarded.state("s")["supervisor"]["pid"], signal.SIGKILL)
        follower.next("silent")


def test_nobody_is_heard_without_the_clusters_key(guarded: Agent) -> None:
    info = guarded.controller()["engine"]
    beat = {"machine": "127.70.3.9", "ids": [7], "evicted": False, "begun": 0, "done": 0}
    with pytest.raises((OSError, ValueError)):
        heartbeat.tell({**info, "key": "wrong"}, beat)
    with socket.create_connection((info["location"], info["guard"])) as line:
        line.sendall(b"\xff{\n")
        assert b"nonce" in line.recv(1000)
        assert line.recv(1000) == b""
    assert "127.70.3.9" not in (guarded.dir / "guard.json").read_text()
    assert heartbeat.tell(info, beat)["unknown"] == []
    assert "127.70.3.9" in (guarded.dir / "guard.json").read_text()


def test_a_recorded_beat_is_of_no_use(guarded: Agent) -> None:
    info = guarded.controller()["engine"]
    key = info["key"].encode()
    with (
        heartbeat.Line.to(info) as first,
        socket.create_connection(first._socket.getpeername()) as s,
    ):
        nonce = json.loads(s.recv(1000))["nonce"]
        stolen = heartbeat.sign(
            key, first._nonce, "machine", {"count": 1, "machine": "x", "ids": []}
        )
        s.sendall(json.dumps(stolen).encode() + b"\n")
        assert nonce != first._nonce
        assert s.recv(1000) == b""


def test_idle_is_told_and_computing_is_not_idle(guarded: Agent) -> None:
    """A task that the hub knows, one that engines alone know, and 3 s without any."""

    def is_work(result: Any) -> None:
        time.sleep(1)
        follower.seen()
        time.sleep(4)
        assert "idle" not in follower.seen()
        result.get(timeout=20)

    set_limits(guarded, idle_timeout_min=3 / 60, age_s=0)
    start_engines(guarded, 1)
    with following(guarded) as follower, connect(guarded, 1) as client:
        follower.next("state")
        is_work(client.load_balanced_view().apply_async(time.sleep, 6))
        assert follower.next("idle", 20)["idle_s"] >= 3
        direct = client[:].apply_async(time.sleep, 3)
        wait_for(lambda: not json.loads((guarded.dir / "guard.json").read_text())["idle"], 10)
        direct.get(timeout=20)
        is_work(client.broadcast_view().apply_async(time.sleep, 6))
        follower.next("idle", 20)


def test_the_end_of_its_lifetime_is_told_whatever_is_computed(guarded: Agent) -> None:
    set_limits(guarded, max_lifetime_h=8 / 3600, age_s=2)
    started = time.monotonic()
    guarded.controller()
    with following(guarded) as follower:
        follower.next("state")
        follower.next("expired", 15)
        assert time.monotonic() - started > 3


def test_a_guard_that_was_killed_is_started_again_and_knows_what_it_knew(guarded: Agent) -> None:
    set_limits(guarded, max_lifetime_h=1, age_s=1000)
    start_engines(guarded, 1)
    wait_for(lambda: ENGINES in (guarded.dir / "guard.json").read_text())
    before = json.loads((guarded.dir / "guard.json").read_text())
    with following(guarded) as follower:
        follower.next("state")
        os.kill(before["guard"]["pid"], signal.SIGKILL)

        def after() -> Any:
            return json.loads((guarded.dir / "guard.json").read_text())

        wait_for(lambda: after()["guard"]["pid"] != before["guard"]["pid"])
        assert after()["clock"]["age_s"] > 1000
        assert ENGINES in after()["machines"]
        time.sleep(4)
        assert not after()["machines"][ENGINES]["silent"]  # it is heard where it was before


def test_who_asks_a_dead_guard_starts_it(guarded: Agent) -> None:
    guarded.controller()
    before = json.loads((guarded.dir / "guard.json").read_text())
    os.kill(before["guard"]["pid"], signal.SIGKILL)
    wait_for(lambda: not is_alive(before["guard"]["pid"]))
    with following(guarded) as follower:
        follower.next("state", 10)
    after = json.loads((guarded.dir / "guard.json").read_text())
    assert after["guard"] != before["guard"]
    assert after["port"] == before["port"]


def test_a_hub_that_does_not_answer_costs_no_thread(guarded: Agent) -> None:
    pid = guarded.controller()["pid"]
    info = json.loads(guarded.engine_file.read_text())
    guard_pid = json.loads((guarded.dir / "guard.json").read_text())["guard"]["pid"]
    os.kill(guard_pid, signal.SIGKILL)  # it would have the controller go on
    os.kill(pid, signal.SIGSTOP)
    try:
        before = threading.active_count(), len(os.listdir("/proc/self/task"))
        for _ in range(3):
            with pytest.raises(vm_hub.HubSilent), vm_hub.hub_of(info) as hub:
                hub.engines(0.1)
        wait_for(lambda: len(os.listdir("/proc/self/task")) <= before[1])
    finally:
        os.kill(pid, signal.SIGCONT)


def guard(agent: Agent, command: str, *arguments: str) -> Json:
    done = subprocess.run(
        [sys.executable, agent.dir / "vm_guard.py", command, f"--dir={agent.dir}", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    event: Json = json.loads(done.stdout.splitlines()[-1])
    return event


def pids_of_group(group: int) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            found.append(int(process.name))
    return found


# --- pure


def beat(roll: Roll, now: float, *ids: int, **more: bool) -> None:
    roll.hear("a", ids, **{"evicted": False, "first": False, **more}, now=now)


def test_a_machine_is_silent_after_two_missed_beats_and_heard_at_the_second() -> None:
    roll = Roll()
    beat(roll, 0.0, 1, first=True)
    roll.note_silence(2.4)
    assert not roll.machines["a"].silent
    roll.note_silence(2.6)
    assert roll.machines["a"].silent
    beat(roll, 9.0, 1, first=True)  # one packet gets through
    assert roll.machines["a"].silent
    beat(roll, 10.0, 1)
    assert not roll.machines["a"].silent


def test_our_own_delay_is_nobodys_silence() -> None:
    roll = Roll()
    beat(roll, 0.0, 1)
    roll.be_late(60.0)
    roll.note_silence(61.0)
    assert not roll.machines["a"].silent


def test_engines_that_the_hub_has_given_up_are_unknown_once_it_must_know_them() -> None:
    roll = Roll()
    beat(roll, 0.0, 1, 2)
    beat(roll, 1.0, 1, 2, 3)
    roll.compare({1}, 20.5)
    assert roll.unknown == {2}
    roll.compare({1}, 30.0)
    assert roll.unknown == {2, 3}
    beat(roll, 31.0, 1)
    roll.compare({1}, 60.0)
    assert roll.unknown == set()


def test_an_evicted_machines_address_may_come_again() -> None:
    roll = Roll()
    beat(roll, 0.0, 1, evicted=True)
    assert roll.evicted == {"a"}
    roll.leave("a", evicted=True)
    assert (roll.machines, roll.evicted) == ({}, {"a"})
    beat(roll, 9.0, 7)
    assert roll.evicted == set()


def test_what_an_earlier_guard_knew() -> None:
    roll = Roll()
    beat(roll, 0.0, 1, evicted=True)
    roll.note_silence(9.0)
    again = Roll.read(roll.shown(), 100.0)
    assert again.shown() == roll.shown()
    assert again.machines["a"].heard_at == 100.0


def test_the_pause_before_an_engine_is_started_again_grows() -> None:
    place = Place(0, "")
    assert [place.pause_s(now) for now in range(8)] == [0, 1, 2, 4, 8, 16, 30, 30]
    place.started_at = 1000.0
    assert place.pause_s(1100.0) == 30
    assert place.pause_s(1301.0) == 0
    place.started_at = 1301.0
    assert place.pause_s(1302.0) == 1


def test_idleness_waits_for_the_first_engines() -> None:
    now = 0.0
    idleness = limits.Idleness(lambda: now)
    now = 600.0
    assert not idleness.is_idle(60)  # they may boot
    now = limits.FIRST_ENGINES_S
    assert idleness.is_idle(60)
    assert not idleness.is_idle(0)
    idleness.note_load(Load({0}, 0, 0))
    assert not idleness.is_idle(60)
    now += 59
    idleness.note_load(Load({1}, 0, 0))  # one that was started again is no work
    now += 1
    assert idleness.is_idle(60)
    idleness.note_load(Load({1}, 0, 1))
    assert not idleness.is_idle(60)
    now += 60
    idleness.note_tasks("a", 1, 0)
    assert not idleness.is_idle(60)
    now += 60
    idleness.note_tasks("a", 1, 1)
    assert not idleness.is_idle(60)
    now += 60
    idleness.note_tasks("a", 1, 1)
    assert idleness.is_idle(60)


def test_a_lifetime_goes_on_over_a_reboot_and_a_clock_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    boot, wall, name = 50.0, 1e9, "a"
    monkeypatch.setattr(limits, "boottime_s", lambda: boot)
    monkeypatch.setattr(limits, "boot_id", lambda: name)
    monkeypatch.setattr("time.time", lambda: wall)
    lifetime = limits.Lifetime(100, {})
    boot, wall = 60.0, 2e9  # somebody set the clock
    assert lifetime.age_s() == 110
    saved = lifetime.to_save()
    boot, wall = 70.0, 1e9
    assert limits.Lifetime(0, saved).age_s() == 120
    boot, wall, name = 5.0, 2e9 + 1000, "b"
    assert limits.Lifetime(0, saved).age_s() == 1110
    wall = 1e9  # and back
    assert limits.Lifetime(0, saved).age_s() == 115


def test_a_lifetime_goes_by_azures_clock_where_that_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    boot = 50.0
    monkeypatch.setattr(limits, "boottime_s", lambda: boot)
    lifetime = limits.Lifetime(100, {})
    idleness = limits.Idleness(lifetime.age_s)
    lifetime.correct(100 + limits.TOLERANCE_S)  # whole seconds, and a while on the way
    assert lifetime.age_s() == 100
    boot = 60.0
    lifetime.correct(100)  # a virtual clock that stands still
    assert (lifetime.age_s(), idleness.idle_s()) == (100, 0)
    lifetime.correct(3700)
    boot = 61.0
    assert (lifetime.age_s(), idleness.idle_s()) == (3701, 3601)
    lifetime.correct(-1)  # it can't be younger than it is old
    assert lifetime.age_s() == 3701
    saved = lifetime.to_save()
    assert limits.Lifetime(0, saved).age_s() == 3701


def test_the_guard_asks_what_time_it_is(guarded: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Azure's clock says that two hours have passed; the machine's own that it was no second."""

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(200)
            self.send_header("Date", formatdate(created_s + 7200, usegmt=True))
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    created_s = 1_000_000_000
    with HTTPServer(("127.0.0.1", 0), Service) as service:
        monkeypatch.setenv("IPCLUSTER_AZURE_IMDS", f"http://127.0.0.1:{service.server_port}")
        threading.Thread(target=service.serve_forever, daemon=True).start()
        set_limits(guarded, max_lifetime_h=2, age_s=0, created_s=created_s)
        guarded.controller()
        state_file = guarded.dir / "guard.json"
        wait_for(lambda: json.loads(state_file.read_text())["expired"])
        assert json.loads(state_file.read_text())["idle_s"] < 3600
        service.shutdown()

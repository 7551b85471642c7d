"""The agent as the launcher uses it: real ipcontroller, real engines, on addresses of 127/8."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import pytest

from ipcluster_azure.on_vm.agent import engine as vm_engine
from ipcluster_azure.ssh.bundle import bundle_of

Json = dict[str, Any]
TIMEOUT_S = 8.0
# 200 s until the hub misses an engine that vanishes silently; registration still takes only 0.4 s
HEARTBEAT = "c.HeartMonitor.period = 200\nc.HeartMonitor.max_heartmonitor_misses = 1000\n"


class Agent:
    """One VM: a work directory with what all machines are given, a home and an address."""

    def __init__(self, root: Path, ip: str) -> None:
        self.dir = root / "work dir é"
        self.home = root / "home"
        self.ip = ip
        self.home.mkdir(parents=True)
        (self.dir / "profile").mkdir(parents=True)
        subprocess.run(
            ["/bin/tar", "-xzf", "-"],
            input=bundle_of(root / "no profile").data,
            cwd=self.dir,
            check=True,
        )
        (self.dir / "profile" / "ipcontroller_config.py").write_text(HEARTBEAT)
        security = self.dir / "profile" / "security"
        self.engine_file = security / "ipcontroller-engine.json"
        self.client_file = security / "ipcontroller-client.json"

    def run(self, command: str, *arguments: object) -> tuple[int, list[Json]]:
        """Exit status and events. Returns at the end of file on both pipes, as sshd would."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV_"))}
        env |= {"HOME": str(self.home), "IPP_PROFILE_DIR": "/not/for/the/vm"}
        words = [command, f"--dir={self.dir}", *map(str, arguments)]
        done = subprocess.run(
            [sys.executable, self.dir / "vm_agent.py", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=env,
            timeout=30,
        )
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def ok(self, command: str, *arguments: object) -> Json:
        status, events = self.run(command, *arguments)
        assert status == 0, events
        return events[-1]

    def failed(self, command: str, *arguments: object) -> Json:
        status, events = self.run(command, *arguments)
        assert status == 1
        assert events[-1]["event"] == "failed"
        return events[-1]

    def controller(self, *arguments: object) -> Json:
        return self.ok("controller", f"--ip={self.ip}", *arguments)

    def engines(self, set_id: str, count: int, *arguments: object) -> Json:
        file = f"--engine-file={self.engine_file}"
        return self.ok("engines", f"--set={set_id}", f"--count={count}", file, *arguments)

    def state(self, set_id: str) -> Json:
        state: Json = json.loads((self.dir / f"engines-{set_id}.json").read_text())
        return state

    def sets(self) -> list[str]:
        return [
            file.stem.removeprefix("engines-") for file in sorted(self.dir.glob("engines-*.json"))
        ]

    def kill_everything(self) -> None:
        """By the recorded ids, without the code under test."""
        leaders: list[Json] = []
        for state in map(self.state, self.sets()):
            leaders += [state["supervisor"], *state["engines"]]
        with suppress(FileNotFoundError):
            leaders.append(json.loads((self.dir / "controller.json").read_text()))
        with suppress(FileNotFoundError):
            leaders.append(json.loads((self.dir / "guard.json").read_text())["guard"])
        for leader in leaders:
            if leader["pid"] and start_time(leader["pid"]) == leader["create_time"]:
                with suppress(ProcessLookupError):
                    os.killpg(leader["pid"], signal.SIGKILL)


def start_time(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except FileNotFoundError:
        return None


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def processes_of(folder: Path) -> list[str]:
    """Command lines of the running processes whose environment names this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.fsencode(folder) in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def wait_for(condition: Callable[[], object], timeout_s: float = TIMEOUT_S) -> float:
    """Seconds it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < timeout_s, "waited in vain"
        time.sleep(0.02)
    return time.monotonic() - start


@contextmanager
def vm(root: Path, ip: str) -> Iterator[Agent]:
    agent = Agent(root, ip)
    try:
        yield agent
    finally:
        agent.kill_everything()


@contextmanager
def connect(agent: Agent, count: int) -> Iterator[ipp.Client]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ipyparallel's own
        client = ipp.Client(str(agent.client_file))
        try:
            client.wait_for_engines(count, timeout=TIMEOUT_S, interactive=False)
            # a task's way there and back, so that the client is subscribed to what the hub tells
            if count:
                client[:].apply_sync(os.getpid)
            yield client
        finally:
            client.close()


@pytest.fixture(scope="module")
def controlled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """A VM with a controller, shared by tests that each use an engine set of their own."""
    with vm(tmp_path_factory.mktemp("vm"), "127.70.1.4") as agent:
        agent.controller()
        yield agent


@pytest.fixture
def agent(controlled: Agent) -> Iterator[Agent]:
    yield controlled
    for set_id in controlled.sets():
        controlled.ok("stop", f"--set={set_id}")
    with connect(controlled, 0) as client:
        wait_for(lambda: not client.ids)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Agent]:
    with vm(tmp_path, "127.70.2.4") as agent:
        yield agent


# --- controller


def test_a_controller_is_ready_and_started_once(bare: Agent) -> None:
    ready = bare.controller("--cluster-id=mine")
    security = bare.dir / "profile" / "security"
    files = {s: security / f"ipcontroller-mine-{s}.json" for s in ("client", "engine")}
    assert ready["event"] == "ready"
    assert ready["client"]["location"] == bare.ip
    assert ready["python"] == ".".join(map(str, sys.version_info[:3]))
    assert ready["ipyparallel"] == ipp.__version__
    added = {"client": {}, "engine": {"guard": ready["engine"]["guard"]}}
    for side, file in files.items():
        assert ready[side] == json.loads(file.read_text()) | added[side]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(bare.dir.stat().st_mode) == 0o700
    assert list(bare.home.iterdir()) == []

    limits = Path(f"/proc/{ready['pid']}/limits").read_text().splitlines()
    soft, hard = next(line.split()[3:5] for line in limits if line.startswith("Max open files"))
    assert soft == hard

    assert bare.controller("--cluster-id=mine") == ready
    assert len(processes_of(bare.dir)) > 5


def test_controller_that_dies_is_reported_with_its_log(bare: Agent) -> None:
    failed = bare.failed("controller", "--ip=127.70.2.4", "--", "--IPController.ports=nonsense")
    assert "ipcontroller exited with 1 before it was ready" in failed["reason"]
    assert failed["log"] in failed["reason"]
    assert "nonsense" in failed["log_tail"]


def test_controller_too_late_is_killed(bare: Agent) -> None:
    failed = bare.failed("controller", "--ip=127.70.2.4", "--timeout-s=0.1")
    assert "not ready after 0.1 s" in failed["reason"]
    assert processes_of(bare.dir) == []


def test_files_of_a_killed_controller_are_not_taken_for_ready(bare: Agent) -> None:
    first = bare.controller()
    bare.kill_everything()
    wait_for(lambda: not processes_of(bare.dir))
    second = bare.controller()
    assert second["client"]["key"] != first["client"]["key"]
    bare.kill_everything()
    wait_for(lambda: not processes_of(bare.dir))
    third = bare.controller("--", "--reuse")
    assert third["client"] == second["client"]
    assert third["pid"] != second["pid"]


# --- engines


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
    assert time.monotonic() - started < 5
    assert running(engine["pid"])
    supervisor = agent.state("pipes")["supervisor"]["pid"]
    controller = json.loads((agent.dir / "controller.json").read_text())["pid"]
    for pid, log in ((supervisor, "supervisor-pipes.log"), (controller, "ipcontroller.log")):
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)]
        assert links == ["/dev/null", *2 * [str(agent.dir / "log" / log)]]


def test_a_killed_engine_leaves_the_hub_at_once_and_is_replaced(agent: Agent) -> None:
    before = agent.engines("killed", 2)["engines"]
    with connect(agent, 2) as client:
        os.kill(before[1]["pid"], signal.SIGKILL)
        assert wait_for(lambda: before[1]["id"] not in client.ids) < 2
        assert wait_for(lambda: len(client.ids) == 2) < 5
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
    wait_for(lambda: not running(supervisor))
    assert agent.state("last")["engines"][0]["exit_code"] == 0
    again = agent.engines("last", 1)  # a set that ended can be started again
    assert again["engines"][0]["pid"] != engine["pid"]


def test_curve_encrypted_hub_is_told_too(bare: Agent) -> None:
    bare.controller("--", "--IPController.enable_curve=True")
    (engine,) = bare.engines("curve", 1)["engines"]
    with connect(bare, 1) as client:
        os.kill(engine["pid"], signal.SIGKILL)
        assert wait_for(lambda: engine["id"] not in client.ids) < 2


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
    assert time.monotonic() - started < 3
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


# --- signals


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
    assert vm_engine.parse_signal(text) == number


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


# --- stop


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
    assert not any(map(running, pids))
    assert agent.ok("stop", "--set=gone") == stopped


def test_engines_of_a_killed_supervisor_are_stopped(bare: Agent) -> None:
    bare.controller()
    (engine,) = bare.engines("orphan", 1)["engines"]
    supervisor = bare.state("orphan")["supervisor"]["pid"]
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not running(supervisor))
    assert running(engine["pid"])
    bare.ok("stop", "--set=orphan")
    wait_for(lambda: not running(engine["pid"]))


# --- logs


def test_logs(agent: Agent) -> None:
    agent.engines("a", 1)
    agent.engines("a-1", 1)
    _, events = agent.run("logs", "--set=a", "--max-bytes=40")
    assert [e["name"] for e in events] == ["ipengine-a-0.log", "supervisor-a.log"]
    assert "Completed registration with id" in events[0]["text"]
    assert len(events[0]["text"]) == 40
    assert agent.ok("logs", "--controller")["name"] == "ipcontroller.log"


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

"""A machine's agent as the launcher uses it: with real processes, on an address of 127/8."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ipyparallel as ipp

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

"""One "machine" on this computer: vm_agent.py run as the launcher runs it, without SSH."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipyparallel as ipp
import psutil

from ipcluster_azure.on_vm.agent import commands
from ipcluster_azure.ssh.bundle import controller_config

IP = "127.0.0.1"


RUN = f"import sys; from {commands.__name__} import main; sys.exit(main(sys.argv[1:]))"


class Agent:
    """A work directory with the configuration that the launcher would send for n engines."""

    def __init__(self, root: Path, n_engines: int, prefix: tuple[str, ...] = ()) -> None:
        self.dir = root / "work"
        self.prefix = prefix
        self.profile = self.dir / "profile"
        self.profile.mkdir(parents=True)
        config = controller_config(root / "none", n_engines)
        (self.profile / "ipcontroller_config.py").write_bytes(config)
        self.engine_file = self.profile / "security" / "ipcontroller-engine.json"
        self.client_file = self.profile / "security" / "ipcontroller-client.json"
        self.environment = {**os.environ, "HOME": str(root), "IPYTHONDIR": str(root / "ipython")}

    def run(self, command: str, *arguments: str) -> dict[str, Any]:
        """Its last event. SystemExit with what it said if it failed."""
        words = [
            *self.prefix,
            *(sys.executable, "-c", RUN),
            command,
            f"--dir={self.dir}",
        ]
        done = subprocess.run(
            [*words, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{command} failed: {done.stdout[-4000:]}")
        last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return last

    def engines(self, count: int, timeout_s: float = 120.0) -> dict[str, Any]:
        return self.run(
            "engines",
            "--set=bench",
            f"--count={count}",
            f"--engine-file={self.engine_file}",
            f"--timeout-s={timeout_s:g}",
        )

    def client(self) -> Any:
        return ipp.Client(str(self.client_file))


@contextlib.contextmanager
def controller(n_engines: int, prefix: tuple[str, ...] = ()) -> Iterator[Agent]:
    """A running ipcontroller, ended with the agent's engines. `prefix`: words before Python."""
    root = Path(tempfile.mkdtemp(prefix="bench-"))
    agent = Agent(root, n_engines, prefix)
    try:
        agent.run("controller", f"--ip={IP}")
        yield agent
    finally:
        _kill_all_of(root)
        shutil.rmtree(root, ignore_errors=True)


def _kill_all_of(root: Path) -> None:
    """Kill the controller and the engines, which all name their work directory; none replaces
    another's after that."""
    while found := [process for process in psutil.process_iter() if _names(process, root)]:
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=5)


def _names(process: psutil.Process, root: Path) -> bool:
    try:
        return any(str(root) in word for word in process.cmdline())
    except psutil.Error:
        return False

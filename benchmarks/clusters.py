"""Clusters to measure: an emulator of one's own, a profile, `ipcluster` as a user runs it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from azure_emulator.http_client import ask

BIN = Path(sys.executable).parent
PROFILE = "bench"
CONFIG = """
c = get_config()
c.Cluster.controller_launcher_class = "azurevm"
c.Cluster.engine_launcher_class = "azurevm"
c.Cluster.delay = 0
c.AzureVMLauncher.endpoint = "emulator"
c.AzureVMLauncher.python_environment = "image"
c.AzureVMLauncher.image_python = {python!r}
c.AzureVMLauncher.sync_paths = []
c.AzureVMEngineSetLauncher.engines_per_vm = {engines_per_vm}
c.AzureVMEngineSetLauncher.max_engines = 100_000
"""
# For more machines than the network that the emulator offers has room for; of this computer.
WIDE = 'c.AzureVMLauncher.address_prefix = "127.100.0.0/20"\n'
REQUEST = re.compile(r" (?P<method>[A-Z]+) (?P<path>\S+) -> (?P<status>\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Talk:
    """A process that prints JSON lines, and waits for lines."""

    process: subprocess.Popen[str]

    def answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise SystemExit(f"{self.process.args!r} ended with status {self.process.wait()}")
        values: dict[str, Any] = json.loads(line)
        return values

    def go_on(self) -> None:
        self.process.stdin.write("\n")  # type: ignore[union-attr]
        self.process.stdin.flush()  # type: ignore[union-attr]


@dataclass(frozen=True)
class Home:
    """An IPython directory and an emulator of its own."""

    folder: Path
    emulator: EmulatorInfo

    @property
    def profile_dir(self) -> Path:
        return self.folder / f"profile_{PROFILE}"

    @property
    def security(self) -> Path:
        return self.profile_dir / "security"

    @property
    def environment(self) -> dict[str, str]:
        ours = {"IPYTHONDIR": str(self.folder), client.STATE_DIR_VARIABLE: self.emulator.state_dir}
        return {**os.environ, **ours}

    def configure(self, engines_per_vm: int, more: str = "") -> None:
        text = CONFIG.format(python=sys.executable, engines_per_vm=engines_per_vm) + more
        self.profile_dir.mkdir(parents=True, exist_ok=True)
        (self.profile_dir / "ipcluster_config.py").write_text(text, encoding="utf-8")

    def ipcluster(self, *words: str, **environment: str) -> str:
        """Run to the end; what it said. SystemExit with that if it failed."""
        command = [str(BIN / "ipcluster"), *words, f"--profile={PROFILE}"]
        return run(command, {**self.environment, **environment})

    def python(self, module: str, *arguments: str) -> str:
        """A module of this folder, in a process of its own; what it printed."""
        command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{module}", *arguments]
        return run(command, self.environment, stderr=None)

    @contextlib.contextmanager
    def talking(self, module: str, *arguments: str) -> Iterator[Talk]:
        """As python(), but it answers a JSON line at a time, and may be told to go on."""
        command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{module}", *arguments]
        with subprocess.Popen(
            command,
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            yield Talk(process)

    def arm(self, path: str, api_version: str = "2025-04-01") -> dict[str, Any]:
        """A GET below the subscription."""
        base = f"/subscriptions/{self.emulator.subscription_id}"
        return ask(self.emulator, "GET", f"{base}{path}?api-version={api_version}")

    def requests(self) -> list[tuple[str, str, int]]:
        """Method, path and status of all requests so far, but for the emulator's own."""
        log = Path(self.emulator.state_dir, "emulator.log").read_text(encoding="utf-8")
        found = [
            (match["method"], match["path"], int(match["status"]))
            for match in REQUEST.finditer(log)
        ]
        return [item for item in found if not item[1].startswith("/emulator")]


def run(
    command: list[str], environment: Mapping[str, str], stderr: int | None = subprocess.STDOUT
) -> str:
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout[-4000:]}")
    return done.stdout


@contextlib.contextmanager
def home(**options: Any) -> Iterator[Home]:
    """An emulator with these options, and nothing of it left at the end."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    state = folder / "emulator"
    try:
        yield Home(folder / "ipython", client.start(state, end_with_pid=os.getpid(), **options))
    finally:
        client.stop(state)
        shutil.rmtree(folder, ignore_errors=True)

"""Clean virtual environments with the built wheel in them, and a cluster's life in one."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from azure_emulator import client

UV = Path(sys.executable).parent / "uv"
# what a developer's shell may set, and a user's may not
FOREIGN = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "IPYTHONDIR", client.STATE_DIR_VARIABLE)
CLIENT = """
import ipyparallel as ipp
with ipp.Client(profile="wheel") as c:
    print(c[:].map_sync(lambda x: x**2, range(4)))
"""
EMPTY = {"resource_groups": [], "virtual_machines": []}


def run(*command: object, timeout_s: float = 120, **options: object) -> str:
    """The command's output; it must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return str(done.stdout)


def find_python(version: str) -> Path:
    """An interpreter of that version on this machine; skips the test if there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    kept_by_pyenv = sorted(pyenv.glob(f"versions/{version}.*/bin"))
    path = os.pathsep.join([*map(str, kept_by_pyenv), os.environ["PATH"]])
    done = subprocess.run(
        [UV, "python", "find", "--system", "--no-python-downloads", version],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no Python {version} on this machine")
    return Path(done.stdout.strip())


@dataclass
class Installed:
    """A virtual environment in a folder of its own, and a user who knows nothing else."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        return {
            **kept,
            "PATH": f"{self.python.parent}{os.pathsep}{kept['PATH']}",
            "IPYTHONDIR": str(self.folder / "ipython"),
            client.STATE_DIR_VARIABLE: str(self.folder / "emulator"),
        }

    @classmethod
    def make(cls, folder: Path, base: Path, *requirements: object) -> "Installed":
        self = cls(folder)
        run(UV, "venv", "--quiet", "--python", base, folder / "venv")
        install = (UV, "pip", "install", "--quiet")
        run(*install, "--python", self.python, *requirements)
        return self

    def run(self, *command: str) -> str:
        cwd = self.folder / "empty"
        cwd.mkdir(exist_ok=True)
        return run(self.python.parent / command[0], *command[1:], cwd=cwd, env=self.environment)

    def status(self) -> dict[str, list[str]]:
        shown: dict[str, list[str]] = json.loads(
            self.run("ipcluster-azure", "emulator", "status", "--json")
        )
        return shown

    def processes(self) -> list[psutil.Process]:
        """Processes that know this folder, by their command line or environment."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                texts = [*process.cmdline(), *process.environ().values()]
                if any(str(self.folder) in text for text in texts):
                    found.append(process)
        return found

    def start_and_stop_a_cluster(self) -> None:
        """As the README tells it; nothing may be left."""
        try:
            self.run("ipcluster-azure", "init", "--template=emulator", "--profile=wheel")
            output = self.run("ipcluster", "start", "--profile=wheel", "-n", "2", "--daemonize")
            assert "2 of 2 engines are registered" in output
            assert self.run("python", "-c", CLIENT).strip().endswith("[0, 1, 4, 9]")
            assert len(self.status()["resource_groups"]) == 1
            self.run("ipcluster", "stop", "--profile=wheel")
            assert self.status() == EMPTY
            self.run("ipcluster-azure", "emulator", "stop")
            _, alive = psutil.wait_procs(self.processes(), timeout=5)
            assert alive == []
        finally:
            for process in self.processes():
                with suppress(psutil.Error):
                    process.kill()

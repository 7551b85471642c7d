"""An emulator of `--machines=nspawn`, a laptop in its network, and a cluster that tests share."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from azure_emulator.nspawn import programs
from tests.end_to_end.conftest import TWO_LINES, wait_for
from tests.end_to_end.outputs import assert_no_traceback
from tests.real_machines import REAL

# An index that needs a login: machines may use it, and not everybody on them may read the login.
INDEX = "https://somebody:a-secret@pypi.org/simple"
SETTINGS = f"""{TWO_LINES}
c.Cluster.delay = 0
c.AzureVMLauncher.endpoint = "emulator"
c.AzureVMLauncher.vm_size = "Standard_D2s_v5"
c.AzureVMLauncher.python_environment = "minimal"
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A start takes a minute, on a busy computer two."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))


@dataclass(frozen=True)
class Laptop:
    """A computer from which the machines' public addresses can be reached, and nothing else."""

    ip: str  # the program
    namespace: str
    emulator: EmulatorInfo
    home: Path
    profile: str = "real"

    @property
    def folder(self) -> Path:
        return self.home / f"ipython/profile_{self.profile}"

    def with_profile(self, name: str, more: str = "") -> "Laptop":
        """The same laptop, whose commands are of another profile; `more`: its configuration."""
        other = replace(self, profile=name)
        other.folder.mkdir(parents=True, exist_ok=True)
        (other.folder / "ipcluster_config.py").write_text(f"{SETTINGS}{more}")
        return other

    def run(self, *command: str, expect: int | None = 0, timeout_s: float = 300) -> str:
        """Return what a command prints, on both its outputs."""
        variables = {
            "IPYTHONDIR": str(self.home / "ipython"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        done = subprocess.run(
            [self.ip, "netns", "exec", self.namespace, *command],
            env={**os.environ, **variables},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if expect is not None:
            assert done.returncode == expect, f"{command}: {done.returncode}\n{done.stdout}"
        assert_no_traceback(done.stdout)
        return done.stdout

    def here(self, *command: str) -> str:
        """What a command prints that runs beside the emulator, not on the laptop."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def ipcluster(self, command: str, *words: str, expect: int | None = 0) -> str:
        return self.run("ipcluster", command, f"--profile={self.profile}", *words, expect=expect)

    def python(self, code: str) -> str:
        return self.run("python", "-W", "ignore", "-c", code).strip()

    def machines(self) -> list[str]:
        """The names of the cluster's machines, the controller's first."""
        top = self.run("ipcluster-azure", "top", f"--profile={self.profile}", "--once", "--json")
        return ["controller", *(entry["name"] for entry in json.loads(top)["machines"][1:])]

    def on_machine(self, machine: str, command: str, expect: int | None = 0) -> str:
        """What a shell command prints on a machine, "controller" or an engines' machine's name."""
        words = ("ipcluster-azure", "ssh", f"--profile={self.profile}", machine, "--", command)
        return self.run(*words, expect=expect)

    def left_on_azure(self) -> list[str]:
        """This profile's virtual machines, once those that are being deleted are gone."""

        def machines() -> list[str]:
            names = client.status(self.emulator.state_dir)["virtual_machines"]
            return [name for name in names if self.profile in name]

        with suppress(AssertionError):
            wait_for(lambda: not machines(), 60)
        return machines()

    def record(self) -> dict[str, Any]:
        path = self.folder / "security/azure-.json"
        content: dict[str, Any] = json.loads(path.read_text())
        return content

    def on_engines(self, code: str) -> list[object]:
        """Return what the function `task`, which `code` defines, returns on each engine."""
        client = f"import ipyparallel as ipp, json\nclient = ipp.Client(profile={self.profile!r})\n"
        call = "print(json.dumps(client[:].apply_sync(task)))"
        values: list[object] = json.loads(self.python(f"{client}{code}\n{call}"))
        return values


@pytest.fixture(scope="session")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    if not REAL:
        pytest.skip("takes minutes, run by `make test-machines`")
    if problem := programs.missing():
        pytest.skip(problem)
    folder = tmp_path_factory.mktemp("machines")
    state_dir = folder / "emulator"
    with pytest.MonkeyPatch.context() as index:
        index.setenv("PIP_EXTRA_INDEX_URL", INDEX)
        info = client.start(state_dir, machines="nspawn", idle_timeout_s=86_400)
    namespace = info.network_namespace
    patch = pytest.MonkeyPatch()
    patch.setenv(client.STATE_DIR_VARIABLE, str(state_dir))
    try:
        yield Laptop(shutil.which("ip") or "", namespace, info, folder).with_profile("real")
    finally:
        patch.undo()
        client.stop(state_dir)
    wait_for(lambda: not left_of(info), 30)


def left_of(emulator: EmulatorInfo) -> list[str]:
    """Return what there is of an emulator on this computer: nothing, once it has ended."""
    prefix = emulator.network_namespace.removesuffix("laptop")
    left = [str(path) for path in Path("/run/netns").glob(f"{prefix}*")]
    left += [str(path) for path in Path("/etc/netns").glob(f"{prefix}*")]
    folder = emulator.state_dir
    left += [line for line in Path("/proc/mounts").read_text().splitlines() if folder in line]
    processes = (one for one in psutil.process_iter() if _names(one, Path(folder)))
    return left + [f"process {one.pid}" for one in processes]


def _names(process: psutil.Process, folder: Path) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return any(str(folder) in word for word in process.cmdline())
    except psutil.Error:
        return False


@pytest.fixture(scope="session")
def cluster(laptop: Laptop) -> Iterator[str]:
    """A cluster of two engines on one machine, for all tests; returns what its start printed.

    After its stop its logs are at home, and nothing is left of it.
    """
    try:
        yield laptop.ipcluster("start", "-n", "2", "--daemonize")
    finally:
        laptop.ipcluster("stop", expect=None)
    logs = {path.name for path in laptop.folder.glob("log/*")}
    assert any("ipengine" in name for name in logs)
    assert any("ipcontroller" in name for name in logs)
    assert not (laptop.folder / "security/azure-.json").exists()
    assert laptop.left_on_azure() == []
    prefix = laptop.namespace.removesuffix("laptop")
    own = {path.name for path in Path("/run/netns").glob(f"{prefix}*")}
    assert own == {f"{prefix}laptop", f"{prefix}router"}

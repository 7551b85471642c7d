"""An emulator of `--machines=nspawn`, a laptop in its network, and a cluster that tests share."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from azure_emulator.nspawn import programs
from tests.end_to_end.conftest import TWO_LINES, wait_for
from tests.end_to_end.outputs import assert_no_traceback

WANTED = "IPCLUSTER_AZURE_TEST_MACHINES"
PROFILE = "real"
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

    def ipcluster(self, command: str, *words: str, expect: int | None = 0) -> str:
        return self.run("ipcluster", command, f"--profile={PROFILE}", *words, expect=expect)

    def python(self, code: str) -> str:
        return self.run("python", "-W", "ignore", "-c", code).strip()

    def on_engines(self, code: str) -> list[object]:
        """Return what the function `task`, which `code` defines, returns on each engine."""
        client = f"import ipyparallel as ipp, json\nclient = ipp.Client(profile={PROFILE!r})\n"
        call = "print(json.dumps(client[:].apply_sync(task)))"
        values: list[object] = json.loads(self.python(f"{client}{code}\n{call}"))
        return values


@pytest.fixture(scope="session")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    if not os.environ.get(WANTED):
        pytest.skip("takes minutes, run by `make test-machines`")
    if problem := programs.missing():
        pytest.skip(problem)
    folder = tmp_path_factory.mktemp("machines")
    state_dir = folder / "emulator"
    info = client.start(state_dir, machines="nspawn", idle_timeout_s=86_400)
    namespace = info.network_namespace
    profile = folder / "ipython" / f"profile_{PROFILE}"
    profile.mkdir(parents=True)
    (profile / "ipcluster_config.py").write_text(SETTINGS)
    patch = pytest.MonkeyPatch()
    patch.setenv(client.STATE_DIR_VARIABLE, str(state_dir))
    try:
        yield Laptop(shutil.which("ip") or "", namespace, info, folder)
    finally:
        patch.undo()
        client.stop(state_dir)
    prefix = namespace.removesuffix("laptop")
    assert not [path.name for path in Path("/run/netns").glob(f"{prefix}*")]
    assert not (Path("/etc/netns") / namespace).exists()
    assert str(state_dir) not in Path("/proc/mounts").read_text()
    wait_for(lambda: not [one for one in psutil.process_iter() if _names(one, state_dir)], 30)


def _names(process: psutil.Process, folder: Path) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return any(str(folder) in word for word in process.cmdline())
    except psutil.Error:
        return False


@pytest.fixture(scope="module")
def cluster(laptop: Laptop) -> Iterator[str]:
    """A cluster of two engines on one machine; returns what its start printed.

    After its stop its logs are at home, and nothing is left but the laptop and the router.
    """
    try:
        yield laptop.ipcluster("start", "-n", "2", "--daemonize")
    finally:
        laptop.ipcluster("stop", expect=None)
    logs = {path.name for path in (laptop.home / "ipython").glob("profile_*/log/*")}
    assert any("ipengine" in name for name in logs)
    assert any("ipcontroller" in name for name in logs)
    assert not (laptop.home / f"ipython/profile_{PROFILE}/security/azure-.json").exists()
    wait_for(lambda: not client.status(laptop.emulator.state_dir)["virtual_machines"], 60)
    prefix = laptop.namespace.removesuffix("laptop")
    own = {path.name for path in Path("/run/netns").glob(f"{prefix}*")}
    assert own == {f"{prefix}laptop", f"{prefix}router"}

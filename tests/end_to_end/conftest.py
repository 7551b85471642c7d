"""Profiles on the emulator, and ipcluster as a user runs it."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import ipyparallel as ipp
import psutil
import pytest

from azure_emulator import client
from azure_emulator.client import EmulatorInfo
from tests.forked_client import Server, fork_server
from tests.real_machines import IMAGE_PYTHON, REAL, SLOWNESS

from . import on_machines
from .outputs import Outputs, Process, assert_no_traceback

BIN = Path(sys.executable).parent
PATIENCE_S = 60.0  # what takes 2 s on an idle computer took 12 where eight others ran tests
TWO_LINES = """
c = get_config()
c.Cluster.controller_launcher_class = "AzureVMControllerLauncher"
c.Cluster.engine_launcher_class = "AzureVMEngineSetLauncher"
"""
IMAGE = f"""
c.AzureVMLauncher.python_environment = "image"
c.AzureVMLauncher.image_python = {IMAGE_PYTHON if REAL else sys.executable!r}
"""
ON_EMULATOR = f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\n{IMAGE}'


@dataclass
class Profile:
    """A profile in an IPython directory of its own."""

    ipython_dir: Path
    emulator: EmulatorInfo
    name: str = "azure"
    environment: dict[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    bin: Path = BIN
    server: Server | None = None  # what its processes needn't import, hundreds of them
    outputs: Outputs = field(default_factory=Outputs)

    @property
    def data_dir(self) -> Path:
        """Where the id of the home directory is, for all profiles of one test alike."""
        return self.ipython_dir.parent / "data"

    @property
    def folder(self) -> Path:
        return self.ipython_dir / f"profile_{self.name}"

    def configure(self, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "ipcluster_config.py").write_text(text, encoding="utf-8")

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "IPYTHONDIR": str(self.ipython_dir),
            "XDG_DATA_HOME": str(self.data_dir),
            client.STATE_DIR_VARIABLE: self.emulator.state_dir,
            **self.environment,
        }

    def popen(self, *command: str, traceback_because: str = "") -> Process:
        process = Process(
            [str(self.bin / command[0]), *command[1:]],
            env=self._environment(),
            cwd=self.cwd or self.ipython_dir,
        )
        self.outputs.keep(process.said, traceback_because=traceback_because)
        return process

    def run(
        self,
        *command: str,
        expect: int | None = 0,
        timeout_s: float = 90,
        traceback_because: str = "",
    ) -> "subprocess.CompletedProcess[str]":
        """Run to the end; the exit status must be as expected (None: any).

        `timeout_s` is for machines that boot in a moment.

        The output must have no traceback, unless `traceback_because` says why it has one.
        """
        timeout_s *= SLOWNESS
        if self.server is not None and command[0] in ("ipcluster", "ipcluster-azure"):
            status, output = self._run_forked(self.server, command, timeout_s)
        else:
            status, output = self._run(command, timeout_s)
        if expect is not None:
            assert status == expect, output
        if not traceback_because:
            assert_no_traceback(output)
        return subprocess.CompletedProcess(command, status, output)

    def _run(self, command: tuple[str, ...], timeout_s: float) -> tuple[int, str]:
        process = self.popen(*command, traceback_because="run() looks for it")
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            pytest.fail(f"{command} did not end within {timeout_s} s:\n{output}")
        return process.returncode, output

    def _run_forked(
        self, server: Server, command: tuple[str, ...], timeout_s: float
    ) -> tuple[int, str]:
        running = server.run([*command], self._environment(), self.cwd or self.ipython_dir)
        try:
            return running.wait(timeout_s), running.output
        except TimeoutError as error:
            pytest.fail(f"{command}: {error}")

    def ipcluster(self, command: str, *args: str, expect: int | None = 0) -> str:
        profile = f"--profile={self.name}"
        return self.run("ipcluster", command, profile, *args, expect=expect).stdout

    def python(self, code: str) -> str:
        """What a program of the user's prints, in a process of its own.

        It is forked from one that has imported everything; where imports matter, use `run`.
        """
        if self.server is None:
            return self.run("python", "-W", "ignore", "-c", code).stdout.strip()
        status, output = self._run_forked(self.server, ("python", "-c", code), 90)
        assert status == 0, output
        assert_no_traceback(output)
        return output.strip()

    @contextmanager
    def client(self) -> "Iterator[ipp.Client]":
        """A client in this process, of the cluster with the empty id, whose engines answer."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ipyparallel's own
            client = ipp.Client(str(self.folder / "security" / "ipcontroller-client.json"))
            try:
                if client.ids:
                    client[:].apply_sync(os.getpid)
                yield client
            finally:
                client.close()

    def engine_ids(self) -> list[int]:
        with self.client() as client:
            return list(client.ids)

    def left_on_azure(self) -> dict[str, list[str]]:
        return client.status(self.emulator.state_dir)

    def files(self) -> set[str]:
        """Names in the security folder, less the profile's own lock."""
        return {path.name for path in (self.folder / "security").glob("*")} - {".azure.lock"}

    def processes(self) -> list[psutil.Process]:
        """Processes that name this profile on their command line."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if any(str(self.folder) in part for part in process.cmdline()):
                    found.append(process)
        return found

    def kill_link(self) -> None:
        """Kill the cluster's link and the one who would start it again, as when the computer goes
        off."""
        record = json.loads((self.folder / "security" / "azure-.json").read_text())
        for name in ("watcher_pid", "link_pid"):
            with suppress(psutil.NoSuchProcess):
                psutil.Process(record[name]).kill()

    def assert_nothing_left(self) -> None:
        """No resources, no process, no key, and no cluster that ipcluster knows."""
        nothing: dict[str, list[str]] = {"resource_groups": [], "virtual_machines": []}
        wait_for(lambda: not self.processes())
        wait_for(lambda: self.left_on_azure() == nothing)
        assert self.files() == set()


def local_controllers(profile: Profile) -> list[int]:
    """Processes of ipyparallel's own local controller of this profile, its schedulers included."""
    mark = f"IPP_PROFILE_DIR={profile.folder}\0".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


def wait_for(condition: object, timeout_s: float = PATIENCE_S) -> None:
    """Fail if the condition does not become true; a shorter time than the usual is a promise."""
    deadline = time.monotonic() + timeout_s * SLOWNESS
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_machines.choose(items)


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Server]:
    if REAL:  # it must be in front of the machines, too
        request.getfixturevalue("emulator")
    with fork_server(tmp_path_factory.mktemp("clients")) as server:
        yield server


@contextmanager
def new_profile(folder: Path, emulator: EmulatorInfo, server: Server) -> Iterator[Profile]:
    """A profile without any configuration; whatever is left of its cluster at the end is ended."""
    profile = Profile(folder / "ipython", emulator, server=server)
    profile.folder.mkdir(parents=True)
    yield profile
    if (profile.folder / "security" / "cluster-.json").exists():
        profile.ipcluster("stop", expect=None)
    while processes := profile.processes():  # a link and its watcher start each other again
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
    if profile.left_on_azure()["resource_groups"]:
        client.reset(emulator.state_dir)
    for log in (profile.folder / "log").glob("*-link.log"):
        profile.outputs.keep_file(log)
    profile.outputs.check()


@pytest.fixture
def bare_profile(tmp_path: Path, emulator: EmulatorInfo, server: Server) -> Iterator[Profile]:
    """A profile without any configuration; whatever a test leaves running is ended."""
    with new_profile(tmp_path, emulator, server) as profile:
        yield profile


@pytest.fixture
def profile(bare_profile: Profile) -> Profile:
    """A profile for the emulator with the interpreter that runs the tests: it starts fast."""
    bare_profile.configure(ON_EMULATOR)
    return bare_profile


@pytest.fixture(scope="module")
def shared_profile(
    tmp_path_factory: pytest.TempPathFactory, server: Server, request: pytest.FixtureRequest
) -> Iterator[Profile]:
    """As `profile`, for a cluster that several tests of a module use.

    On an emulator of its own: the module's other tests assert that nothing is left on theirs. Not
    on real machines: there is one laptop, and on_machines.py chooses tests that get along.
    """
    folder = tmp_path_factory.mktemp("shared")
    if REAL:
        with new_profile(folder, request.getfixturevalue("emulator"), server) as profile:
            profile.configure(ON_EMULATOR)
            yield profile
        return
    own = client.start(folder / "emulator", idle_timeout_s=86_400)
    try:
        with new_profile(folder, own, server) as profile:
            profile.configure(ON_EMULATOR)
            yield profile
    finally:
        client.stop(own.state_dir)


@pytest.fixture(scope="module")
def running(shared_profile: Profile) -> Iterator[Profile]:
    """A cluster with two engines that the tests of a module share."""
    shared_profile.ipcluster("start", "-n", "2", "--daemonize")
    yield shared_profile
    shared_profile.ipcluster("stop")
    shared_profile.assert_nothing_left()


def read_json(path: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return content

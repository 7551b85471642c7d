"""How busy a running cluster is, what it logs, and how its machines are reached: one cluster."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest

from azure_emulator import client
from ipcluster_azure.clusters.load import machines_of
from ipcluster_azure.record.contents import Record
from ipcluster_azure.record.file import RecordFile

from ..real_machines import REAL
from .conftest import BIN, Profile, wait_for
from .outputs import Process

PATIENCE_S = 60.0
needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no OpenSSH client")


@dataclass(frozen=True)
class Cluster:
    """A cluster of two machines with one engine each."""

    profile: Profile

    @property
    def file(self) -> RecordFile:
        return RecordFile.of(str(self.profile.folder), "")

    @property
    def record(self) -> Record:
        return self.file.require()

    @property
    def machines(self) -> list[str]:
        return [machine.name for _, machine in machines_of(self.record)]

    def run(self, command: str, *words: str, expect: int = 0) -> str:
        """What a subcommand prints; words behind `--` stay behind it."""
        line = ["ipcluster-azure", command, f"--profile={self.profile.name}", *words]
        return self.profile.run(*line, expect=expect).stdout

    def follow(self, command: str, *words: str) -> Process:
        line = ["ipcluster-azure", command, f"--profile={self.profile.name}", *words]
        return self.profile.popen(*line)


@pytest.fixture(scope="module")
def running(shared_profile: Profile) -> Iterator[Cluster]:
    config = (shared_profile.folder / "ipcluster_config.py").read_text()
    shared_profile.configure(f"{config}c.AzureVMEngineSetLauncher.engines_per_vm = 1\n")
    shared_profile.ipcluster("start", "-n", "2", "--daemonize")
    yield Cluster(shared_profile)
    shared_profile.ipcluster("stop")
    shared_profile.assert_nothing_left()


def until_said(process: Process, what: str) -> str:
    """Read lines until one has `what`; returns it."""
    for line in process.stdout:  # type: ignore[union-attr]
        if what in line:
            return str(line)
    pytest.fail(f"it ended before it said {what!r}: {process.said()}")


def interrupted(process: Process) -> None:
    """Ctrl-C ends a command that lasts with one line, and with the exit status for that."""
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, process.said()
    assert process.said().splitlines()[-1] == "ipcluster-azure: interrupted."


def load(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.run("top", "--once", "--json"))
    return found


# --- top and status


def test_top_shows_each_machine_and_each_engine(running: Cluster) -> None:
    wait_for(lambda: load(running)["sums"]["engines"] == 2, PATIENCE_S)
    found = load(running)
    names = [running.record.plan.names.controller, *running.machines]
    assert [machine["name"] for machine in found["machines"]] == names
    assert found["registered"] == 2
    assert found["time_left_s"] < 12 * 3600
    ids = [engine["id"] for machine in found["machines"] for engine in machine["engines"]]
    assert sorted(ids) == [0, 1]
    text = running.run("top", "--once")
    base = running.record.plan.names.base
    assert text.startswith(f"Cluster, {base}: 0 of 2 engines compute; ")
    assert all(name.removeprefix(f"{base}-") in text for name in names)


def test_tasks_are_counted_and_those_that_run_are_seen(running: Cluster, tmp_path: Path) -> None:
    before, go_on = load(running)["sums"], tmp_path / "go on"
    code = f"import os, time\nwhile not os.path.exists({str(go_on)!r}):\n    time.sleep(0.05)"

    def sums() -> tuple[int, int]:
        now = load(running)["sums"]
        return now["running"], now["done"] - before["done"]

    with running.profile.client() as rc:  # one task on each engine, to see that they answer
        waiting = rc[:1].execute(code, block=False)
        wait_for(lambda: sums() == (1, 2), PATIENCE_S)
        assert "1 of 2 engines compute" in running.run("status")
        go_on.touch()
        waiting.get(timeout=PATIENCE_S)
        wait_for(lambda: sums() == (0, 3), PATIENCE_S)


def test_top_goes_on_until_ctrl_c(running: Cluster) -> None:
    shown = running.follow("top")
    for _ in range(2):
        until_said(shown, "MACHINE")
    interrupted(shown)
    lines = running.follow("top", "--json")
    for _ in range(3):
        assert json.loads(until_said(lines, "{"))["machines"]
    interrupted(lines)


# pexpect makes its terminal by a fork, which Python warns of where threads run
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize(
    ("words", "shown"), [("top", "engines compute"), ("status --watch", "engines registered")]
)
def test_in_a_terminal_the_last_numbers_are_left(running: Cluster, words: str, shown: str) -> None:
    profile = running.profile
    terminal = pexpect.spawn(
        str(BIN / "ipcluster-azure"),
        [*words.split(), f"--profile={profile.name}"],
        env={
            **os.environ,
            "TERM": "xterm",
            "IPYTHONDIR": str(profile.ipython_dir),
            "XDG_DATA_HOME": str(profile.data_dir),
            client.STATE_DIR_VARIABLE: profile.emulator.state_dir,
        },
        dimensions=(40, 160),
        timeout=PATIENCE_S,
        encoding="utf-8",
    )
    terminal.expect(r"\x1b\[\?1049h")  # a screen of its own
    terminal.expect(shown)
    terminal.sendintr()
    terminal.expect(r"\x1b\[\?1049l")  # the screen of before
    terminal.expect(shown)
    terminal.expect("ipcluster-azure: interrupted.")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130


def test_status_has_the_load_and_the_times_in_short(running: Cluster) -> None:
    text = running.run("status")
    assert re.search(r"^  load: \d of 2 engines compute; ", text, re.MULTILINE)
    assert re.search(
        r"^  time: .*; 11 h \d+ min until the end of its lifetime$", text, re.MULTILINE
    )
    (found,) = json.loads(running.run("status", "--json"))
    assert found["registered"] == found["load"]["engines"] == 2
    assert 0 <= found["idle_s"] <= found["age_s"]
    assert found["idle_left_s"] <= 3600
    assert found["unheard"] == ""


def test_status_is_watched_until_ctrl_c(running: Cluster) -> None:
    shown = running.follow("status", "--watch")
    for _ in range(2):
        until_said(shown, "2 of 2 engines registered")
    interrupted(shown)


def test_status_says_what_it_knows_where_ssh_is_shut(running: Cluster) -> None:
    with changed_record(running, lambda record: record["controller"].update(host="127.0.0.99")):
        text = running.run("status")
        assert "  load: not known. the controller did not answer over SSH at 127.0.0.99" in text
        assert "? of 2 engines registered" in text
        assert "2 VMs (2 Succeeded) for 2 engines" in text
        assert "until the end of its lifetime" in text
        said = running.run("top", "--once", expect=1)
        assert "did not answer over SSH" in said


@contextmanager
def changed_record(cluster: Cluster, change: Callable[[dict[str, Any]], object]) -> Iterator[None]:
    path = cluster.file.path
    before = path.read_text()
    data = json.loads(before)
    change(data)
    path.write_text(json.dumps(data))
    try:
        yield
    finally:
        path.write_text(before)


@contextmanager
def before_it_knew(cluster: Cluster, module: str, words: str, instead: str = "") -> Iterator[None]:
    """The controller's machine as of a version that does not know these words."""
    machines = Path(cluster.profile.emulator.state_dir) / "machines"
    (file,) = [
        path
        for path in machines.glob(f"*/home/*/.ipcluster-azure/ipcluster_azure_vm/{module}.py")
        if (path.parents[1] / "controller.json").exists()
    ]
    before = file.read_text()
    assert words in before
    file.write_text(before.replace(words, instead))
    try:
        yield
    finally:
        file.write_text(before)


def test_of_a_cluster_of_a_version_before_less_is_told(running: Cluster) -> None:
    with before_it_knew(running, "guard", '"load", '):
        text = running.run("status")
        assert "2 of 2 engines registered" in text
        assert "load: " not in text
        assert "started by another version" in running.run("top", "--once")
    with before_it_knew(running, "commands", '"--follow", ', '"--later", dest="follow", '):
        said = running.run("logs", "controller", "--follow", expect=1)
        assert said.count("The cluster was started by another version") == 1
        assert "engine::Engine Connected: 0" in running.run("logs", "controller")


# --- logs


def test_logs_of_everything_of_one_machine_and_of_one_engine(running: Cluster) -> None:
    first, second = running.machines
    text = running.run("logs")
    assert "==> controller: ipcontroller.log <==" in text
    assert text.count(": ipengine-") == 2
    assert f"==> {second}: ipengine-" in text
    one = running.run("logs", "machine", first.removeprefix(running.record.plan.names.base + "-"))
    assert f"==> {first}: ipengine-" in one
    assert second not in one
    of_engines = [running.run("logs", "engine", str(number)) for number in (0, 1)]
    for number, log in enumerate(of_engines):
        assert f"Completed registration with id {number}" in log
        assert f"Completed registration with id {1 - number}" not in log
    assert running.run("logs", "controller", "--since=2000-01-01T00:00").count("==> ") >= 1
    assert running.run("logs", "engine", "0", "--since=2999-01-01T00:00") == ""


def test_logs_are_followed_until_ctrl_c(running: Cluster) -> None:
    following = running.follow("logs", "engine", "1", "-f")
    until_said(following, "Completed registration with id 1")
    with running.profile.client() as rc:
        rc[1].execute("import sys; print('a new', 'line', file=sys.__stderr__, flush=True)").get(
            timeout=PATIENCE_S
        )
    until_said(following, "a new line")
    interrupted(following)


def test_a_machine_that_does_not_answer_shows_what_it_printed(running: Cluster) -> None:
    with changed_record(running, lambda record: record["controller"].update(host="127.0.0.99")):
        text = running.run("logs", "controller", expect=1)
    assert "the controller did not answer over SSH at 127.0.0.99" in text
    assert f"{running.record.plan.names.controller} login:" in text


@pytest.mark.parametrize("command", ["top", "logs -f"])
def test_who_reads_no_more_ends_it_without_a_word(running: Cluster, command: str) -> None:
    profile = running.profile
    with subprocess.Popen(
        [BIN / "ipcluster-azure", *command.split(), f"--profile={profile.name}"],
        env=profile._environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert process.stdout.readline()
            process.stdout.close()
            running.run("status")  # the controller logs that it was asked
            assert (process.wait(timeout=PATIENCE_S), process.stderr.read()) == (0, b"")
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("status", "words", "said"),
    [
        (2, ["nobody"], "logs: 'nobody' is none of controller, engine N, machine NAME."),
        (2, ["engine"], "logs: engine needs one more word: logs engine ..."),
        (2, ["engine", "x"], "logs: 'x' is no engine's id, which is a number."),
        (2, ["controller", "x"], "logs: 'x' is one word too many."),
        (2, ["engine", "1", "2"], "logs: '2' is not one of its options, "),
        (2, ["engine", "1", "--boot"], "logs: --boot goes with `controller` or `machine NAME`"),
        (1, ["engine", "7"], "There is no engine 7 at the moment; there are 0, 1."),
        (1, ["machine", "vm_1"], "There is no machine 'vm_1' on record; there are controller, "),
        (1, ["--since=soon"], "--since=soon is no time: 30s, 10m, 2h, 1d, or 2026-11-30T09:15"),
    ],
)
def test_mistakes_are_refused(running: Cluster, status: int, words: list[str], said: str) -> None:
    (line,) = running.run("logs", *words, expect=status).splitlines()
    assert line.startswith(f"ipcluster-azure: {said}")


def test_what_a_machine_printed_as_it_booted(running: Cluster) -> None:
    for machine in ("controller", running.machines[1]):
        kind = () if machine == "controller" else ("machine",)
        text = running.run("logs", *kind, machine, "--boot")
        name = running.record.plan.names.controller if machine == "controller" else machine
        assert text.startswith(f"==> {name}: serial log <==")
        assert f"{name} login:" in text
    # a name of which another is the beginning
    said = running.run("logs", "machine", running.machines[1][:-1], "--boot", expect=1)
    assert "Azure has no machine" in said


# --- ssh


@needs_ssh
def test_a_command_on_any_machine_and_its_exit_status(running: Cluster) -> None:
    output = running.run("ssh", "--", "printf '%s\\n' \"$SSH_CONNECTION\"; exit 7", expect=7)
    controller = running.record.controller
    # a real machine knows nothing of its public address
    assert (controller.address if REAL else controller.host) in output
    for _, machine in machines_of(running.record):
        as_top_shows_it = machine.name.removeprefix(f"{running.record.plan.names.base}-")
        output = running.run("ssh", as_top_shows_it, "--", "printf '%s\\n' \"$SSH_CONNECTION\"")
        assert machine.address in output
    (line,) = running.run("ssh", "vm_1", expect=1).splitlines()
    assert "There is no machine 'vm_1' in the cluster; there are controller, " in line


@needs_ssh
def test_ctrl_c_ends_a_command_on_a_machine(running: Cluster) -> None:
    process = running.follow("ssh", "--", "echo it runs; sleep 600")
    until_said(process, "it runs")
    interrupted(process)


@needs_ssh
def test_the_printed_configuration_serves_openssh_alone(running: Cluster, tmp_path: Path) -> None:
    config = tmp_path / "cluster.ssh"
    config.write_text(running.run("ssh-config"))
    for machine in ("azure-controller", running.machines[0], "azure-2"):
        done = subprocess.run(
            ["ssh", "-F", config, "-o", "BatchMode=yes", machine, "cat"],  # noqa: S607
            input=machine.encode(),
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, machine.encode()), done.stderr
    (tmp_path / "sent").write_text("there and back")
    for line in (("sent", "azure-1:see-sent"), ("azure-1:see-sent", "back")):
        copy = ["scp", "-q", "-F", config, "-o", "BatchMode=yes", *line]
        subprocess.run(copy, cwd=tmp_path, timeout=PATIENCE_S, check=True)
    assert (tmp_path / "back").read_text() == "there and back"


@needs_ssh
def test_another_machine_at_the_address_is_not_trusted(running: Cluster, tmp_path: Path) -> None:
    other = running.record.engine_sets[next(iter(running.record.engine_sets))].host_key
    with changed_record(running, lambda record: record["controller"].update(host_key=other)):
        output = running.run("ssh", "--", "echo here", expect=255)
    assert "Host key verification failed" in output
    assert "here\n" not in output


def test_without_a_client_it_is_said_what_to_install(running: Cluster, tmp_path: Path) -> None:
    profile = running.profile
    profile.environment["PATH"] = str(tmp_path)
    try:
        (line,) = running.run("ssh", expect=1).splitlines()
    finally:
        del profile.environment["PATH"]
    assert "There is no ssh on this computer. Install the OpenSSH client" in line

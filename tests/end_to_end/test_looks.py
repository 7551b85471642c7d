"""What a running cluster and a stopped one look like: these tests change neither."""

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from azure_emulator.client import EmulatorInfo
from azure_emulator.testing import fault, faults
from ipcluster_azure.record.file import RecordFile
from tests.forked_client import Server

from .conftest import ON_EMULATOR, Profile, new_profile, read_json
from .test_limits import role_assignments


@dataclass(frozen=True)
class Cluster:
    """A cluster of one engine. `output`: what its start said."""

    profile: Profile
    output: str

    @property
    def security(self) -> Path:
        return self.profile.folder / "security"


@pytest.fixture(scope="module")
def running(shared_profile: Profile) -> Iterator[Cluster]:
    output = shared_profile.ipcluster("start", "-n", "1", "--daemonize")
    yield Cluster(shared_profile, output)
    shared_profile.ipcluster("stop")
    shared_profile.assert_nothing_left()


@pytest.fixture(scope="module")
def stopped(
    tmp_path_factory: pytest.TempPathFactory, emulator: EmulatorInfo, server: Server
) -> Iterator[Profile]:
    """The profile of a cluster that was started and stopped again."""
    with new_profile(tmp_path_factory.mktemp("stopped"), emulator, server) as profile:
        profile.configure(ON_EMULATOR)
        profile.ipcluster("start", "-n", "1", "--daemonize")
        profile.ipcluster("stop")
        profile.assert_nothing_left()
        yield profile


def test_job_files_are_written_and_submitted(running: Cluster) -> None:
    folder = running.profile.folder
    for name in ("azure_controller-.json", "azure_engineset-.json"):
        template = read_json(folder / name)
        assert template["contentVersion"] == "1.0.0.0"
        assert f"Submitting {folder / name}" in running.output
        assert template["parameters"]["programs"]["defaultValue"]  # they start it by themselves
    (secrets,) = folder.glob("*.parameters.json")
    assert secrets.name == "azure_controller-.parameters.json"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600


def test_job_files_parameters_go_with_the_cluster(stopped: Profile) -> None:
    assert list(stopped.folder.glob("azure_*-.json"))
    assert not list(stopped.folder.glob("*.parameters.json"))


def test_keys_are_readable_by_the_user_alone_and_on_no_command_line(running: Cluster) -> None:
    client_file = read_json(running.security / "ipcontroller-client.json")
    assert client_file["interface"] == "tcp://127.0.0.1"
    assert client_file["ssh"] == ""
    for name in (
        "azure-.json",
        "azure-.key",
        "ipcontroller-client.json",
        "ipcontroller-engine.json",
    ):
        assert stat.S_IMODE((running.security / name).stat().st_mode) == 0o600, name
    key = str(client_file["key"])
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert key.encode() not in entry.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
    assert key not in (running.security / "azure-.json").read_text()


def test_what_azure_does_not_say_is_not_claimed(running: Cluster) -> None:
    """A refusal, or a login that does not see the subscription, says nothing of machines."""
    command = ("ipcluster-azure", "status", f"--profile={running.profile.name}")
    for answer in ((403, "AuthorizationFailed"), (404, "SubscriptionNotFound"), (404, "")):
        status, code = answer
        silent = fault("refuse", method="GET", status=status, code=code, times=None)
        with faults(running.profile.emulator, silent):
            output = running.profile.run(*command, expect=1).stdout
            shown = running.profile.run(*command, "--json", expect=1).stdout
        assert "problem: " in output
        assert "not there" not in output
        assert "none is there" not in output
        assert '"controller_exists": null' in shown
    assert "1 VM (1 Succeeded) for 1 engine" in running.profile.run(*command).stdout


def test_a_client_of_another_python_is_warned(running: Cluster) -> None:
    profile, record = running.profile, running.security / "azure-.json"
    command = ("ipcluster-azure", "status", f"--profile={profile.name}")
    assert "warning" not in profile.run(*command).stdout
    connect = (
        "import ipyparallel as ipp\n"
        f"cluster = ipp.Cluster.from_file(profile={profile.name!r}, cluster_id='')\n"
        "try: print(cluster.connect_client_sync().ids)\n"
        "except ValueError as error: print(error)\n"
    )
    assert profile.python(connect) == "[0]"
    before = record.read_text()
    data = json.loads(before)
    data["environment"]["python"] = "3.7"  # as if this command's were another
    record.write_text(json.dumps(data))
    try:
        here = "The engines run Python 3.7, and this is Python 3."
        assert f"  warning: {here}" in profile.run(*command).stdout
        assert profile.python(connect).startswith(here)
    finally:
        record.write_text(before)


def test_list_shows_the_cluster_and_imports_nothing_of_azure(running: Cluster) -> None:
    code = (
        "import sys\n"
        "from ipyparallel.cluster.app import main\n"
        "sys.argv = ['ipcluster', 'list']\n"
        "try: main()\n"
        "finally: print(sorted(m for m in sys.modules if m.startswith(('azure', 'asyncssh'))))"
    )
    output = running.profile.run("python", "-W", "ignore", "-c", code).stdout.strip()
    assert running.profile.name in output
    assert output.endswith("[]")


def test_the_controller_may_delete_its_own_group_alone(running: Cluster) -> None:
    assert "deleted after 60 min without a task and after 12 h at the latest" in running.output
    assert "also if this computer is off or gone" in running.output
    record = RecordFile.of(str(running.profile.folder), "").require()
    assert record.limits.self_deletion
    (assignment,) = role_assignments(record)
    properties = assignment["properties"]
    assert properties["principalId"] == record.controller.principal_id
    assert properties["scope"].endswith(f"/resourceGroups/{record.plan.resource_group}")


def test_everything_survives_in_json(running: Cluster) -> None:
    record = json.loads((running.security / "azure-.json").read_text())
    assert record["format"] == 1
    assert record["state"] == "creating" or record["controller"]["state"] == "ready"


def test_the_cluster_file_names_the_entry_point(running: Cluster) -> None:
    # contract 12: anything else could not be loaded again; the profile names the classes
    saved = json.loads((running.security / "cluster-.json").read_text())
    assert saved["controller"]["class"] == "azurevm"
    assert saved["engines"]["class"] == "azurevm"


def test_a_second_stop_finds_nothing(stopped: Profile) -> None:
    stopped.ipcluster("stop", expect=11)
    stopped.assert_nothing_left()


def test_where_the_logs_of_a_stopped_cluster_are(stopped: Profile) -> None:
    said = stopped.run("ipcluster-azure", "logs", f"--profile={stopped.name}", expect=1).stdout
    assert "There is no cluster on record" in said
    assert f"is in {stopped.folder / 'log'}: azure--ipcontroller-controller.log, azure--ip" in said


def test_the_logs_are_kept(stopped: Profile) -> None:
    logs = {path.name: path.read_text() for path in (stopped.folder / "log").glob("azure-*")}
    assert any("Completed registration with id 0" in text for text in logs.values())
    assert any("ipcontroller" in name and "heartbeat" in text for name, text in logs.items())

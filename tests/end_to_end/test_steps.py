"""A start in its steps: machines first, then what runs on them, again and again, then nothing."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from tests.processes import is_alive

from ..complete import variant
from ..real_machines import REAL, home_files, id_here
from .conftest import ON_EMULATOR, Profile, read_json, wait_for

LONG_S = 60.0
TASK = """
import sys, time, warnings
warnings.simplefilter("ignore")
import ipyparallel as ipp
client = ipp.Client(profile="azure")
task = client[:].apply_async(time.sleep, 600)
while not all(client.queue_status()[i]["queue"] for i in client.ids):
    time.sleep(0.05)
print("computing", flush=True)
try:
    task.get()
except Exception as error:
    print(f"ended: {error}", flush=True)
"""


def azure(profile: Profile, command: str, *words: str, expect: int | None = 0) -> str:
    """Run a step, a command of ipcluster-azure."""
    name = f"--profile={profile.name}"
    return profile.run("ipcluster-azure", command, name, *words, expect=expect).stdout


def state(profile: Profile) -> str:
    """What `status`, `list` and ipyparallel's own list say of the only cluster."""
    [found] = json.loads(azure(profile, "status", "--json", expect=None))
    [listed] = json.loads(profile.run("ipcluster-azure", "list", "--json").stdout)
    assert listed["state"] == found["state"]
    runs = profile.ipcluster("list").splitlines()[-1].split()[2]
    assert runs == str(found["state"] == "running")
    return str(found["state"])


def record(profile: Profile) -> dict[str, object]:
    return read_json(profile.folder / "security" / "azure-.json")


NICE = 'c.AzureVMEngineSetLauncher.engine_cmd = ["nice", "-n", "3", "ipengine"]\n'


@pytest.fixture(scope="module")
def created(shared_profile: Profile) -> Iterator[Profile]:
    """A profile whose machines are there; each test leaves it with them, and nothing else."""
    output = azure(shared_profile, "create", "-n", "2")
    assert "2 machines are there, with nothing on them" in output
    assert "this computer sees to it that the machines are deleted after 60 min" in output
    assert "Azure deallocates them after 12 h" in output
    yield shared_profile
    azure(shared_profile, "delete")
    shared_profile.assert_nothing_left()


def test_machines_are_there_and_nothing_runs_on_them(created: Profile) -> None:
    assert state(created) == "created"
    text = azure(created, "status")
    assert "Cluster: created, nothing runs on its machines" in text
    assert "created, 1 VM (1 Succeeded) for 2 engines" in text
    assert not {"ipcontroller-client.json", "azure-.client"} & created.files()
    keeper, watcher = kept_by(created)
    assert {process.pid for process in created.processes()} == {keeper, watcher}


def kept_by(profile: Profile) -> tuple[int, int]:
    """Return the pids of the keeper that is on record and of its watcher, once both run."""
    found: dict[str, int] = {}

    def both_run() -> bool:
        found.clear()
        for process in profile.processes():
            with suppress(psutil.Error):
                is_watcher = any(word.endswith("watcher.py") for word in process.cmdline())
                found["watcher" if is_watcher else "keeper"] = process.pid
        return len(found) == 2 and found["keeper"] == record(profile)["keeper_pid"]

    wait_for(both_run, 30)
    return found["keeper"], found["watcher"]


@pytest.mark.parametrize("killed", ["keeper", "watcher"])
def test_who_sees_to_the_limits_is_started_again(created: Profile, killed: str) -> None:
    """Else machines on which nothing runs would cost until their lifetime's end, or longer."""
    before = dict(zip(("keeper", "watcher"), kept_by(created), strict=True))
    psutil.Process(before[killed]).kill()
    wait_for(lambda: not is_alive(before[killed]))
    after = dict(zip(("keeper", "watcher"), kept_by(created), strict=True))
    assert {name for name in after if after[name] != before[name]} == {killed}


@pytest.mark.parametrize(
    ("program", "words", "says"),
    [
        (
            "ipcluster",
            ["start", "-n", "16"],
            "made for 2 engines, not 16. Type `ipcluster start -n",
        ),
        (
            "ipcluster",
            ["engines", "-n", "1"],
            "Type `ipcluster-azure deploy --profile=azure` first",
        ),
        (
            "ipcluster-azure",
            ["create", "-n", "2"],
            "`ipcluster-azure deploy --profile=azure` start",
        ),
        ("ipcluster-azure", ["create"], "-n 32, for example"),
    ],
)
def test_what_contradicts_the_machines_is_refused(
    created: Profile, program: str, words: list[str], says: str
) -> None:
    before = record(created)
    done = created.run(program, words[0], "--profile=azure", *words[1:], expect=None)
    assert done.returncode in (1, 2)
    assert says in done.stdout
    assert {**record(created), "starter_pid": 0, "starter_began": 0} == {
        **before,
        "starter_pid": 0,
        "starter_began": 0,
    }


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ('vm_size = "Standard_D2s_v5"', "vm_size is Standard_D2s_v5, and the machines were made"),
        (
            'location = "westeurope"',
            "location is 'westeurope', and the machines were made with 'ea",
        ),
        ('image = "Canonical:ubuntu-22_04-lts:server:latest"', "image is 'Canonical:ubuntu-22"),
    ],
)
def test_a_setting_that_made_the_machines_may_not_change(
    created: Profile, setting: str, says: str
) -> None:
    created.configure(f"{ON_EMULATOR}c.AzureVMLauncher.{setting}\n")
    try:
        (line,) = azure(created, "deploy", expect=1).splitlines()
        assert says in line
        assert "`ipcluster-azure delete --profile=azure`" in line
    finally:
        created.configure(ON_EMULATOR)
    assert state(created) == "created"


def test_a_deployment_that_fails_leaves_the_machines(created: Profile) -> None:
    """By `deploy` and by `ipcluster start`; the next one finds them as create has left them."""
    created.configure(f'{ON_EMULATOR}c.AzureVMLauncher.image_python = "/no/such/python"\n')
    try:
        output = azure(created, "deploy", expect=1)
        assert "/no/such/python" in output.splitlines()[-1]
        assert "`ipcluster-azure deploy --profile=azure` tries again" in output
        assert state(created) == "created"
        output = created.ipcluster("start", expect=1)
        assert "`ipcluster-azure deploy --profile=azure` tries again" in output
        assert "Assuming stopped" not in output
    finally:
        created.configure(ON_EMULATOR)
    assert state(created) == "created"
    assert len(created.left_on_azure()["virtual_machines"]) == 2


@pytest.mark.parametrize(
    ("signum", "status"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 1, marks=variant)],
    ids=["SIGINT", "SIGTERM"],
)
def test_a_signal_ends_a_deployment_and_leaves_the_machines(
    created: Profile, signum: signal.Signals, status: int
) -> None:
    process = created.popen("ipcluster-azure", "deploy", "--profile=azure")
    assert process.stdout is not None
    assert any("The controller is running" in line for line in process.stdout)
    process.send_signal(signum)
    process.communicate(timeout=LONG_S)
    assert process.returncode == status, process.said()
    assert "interrupted. The machines are kept" in process.said().splitlines()[-1]
    assert state(created) == "created"
    wait_for(lambda: len(created.processes()) == 2, LONG_S)  # the keeper and its watcher


def test_what_runs_is_replaced_and_its_engines_start_once(created: Profile) -> None:
    """Under a foreground `ipcluster start`, with a set added by `ipcluster engines`, and tasks."""
    foreground = created.popen("ipcluster", "start", "--profile=azure")
    assert foreground.stdout is not None
    assert any("2 of 2 engines are registered" in line for line in foreground.stdout)
    assert state(created) == "running"
    created.ipcluster("engines", "-n", "1", "--daemonize")
    before = pids(created)
    assert len(before) == 3
    task = created.popen("python", "-c", TASK)
    assert task.stdout is not None
    assert any("computing" in line for line in task.stdout)
    (line,) = azure(created, "deploy", expect=1).splitlines()
    assert "Nothing was changed, as engines compute: 0, 1, 2." in line
    assert pids_on_record(created) == before
    created.configure(f"{ON_EMULATOR}{NICE}")
    output = azure(created, "deploy", "--force")
    created.configure(ON_EMULATOR)
    assert "Clients connect with ipyparallel.Client(profile='azure')" in output
    task.communicate(timeout=LONG_S)
    assert "ended: " in task.said()
    after = pids(created)
    assert len(after) == 3
    assert not after & before
    inherited = 0 if REAL else psutil.Process(created.emulator.pid).nice()
    with created.client() as client:
        assert set(client[:].apply_sync(os.nice, 0)) == {min(19, inherited + 3)}
    template = read_json(created.folder / "azure_engineset-.json")
    assert template["parameters"]["engineCmd"]["defaultValue"][0] == "nice"  # type: ignore[index]
    assert restarts(created) == [0, 0, 0]
    assert len(set_states(created)) == 2  # of the ended ones nothing is left
    foreground.communicate(timeout=LONG_S)
    assert "was ended by another process, such as `ipcluster-azure deploy`" in foreground.said()
    cluster = read_json(created.folder / "security" / "cluster-.json")
    assert len(cluster["engines"]["sets"]) == 2  # type: ignore[index]
    fall_back(created)


def pids(profile: Profile) -> set[int]:
    with profile.client() as client:
        return set(client[:].apply_sync(os.getpid))


def set_states(profile: Profile) -> list[dict[str, object]]:
    """What the supervisors of this profile's engines have written: one for each set."""
    found = home_files(profile.emulator.state_dir, ".ipcluster-azure/engines-*.json")
    return [json.loads(path.read_text()) for path in found]


def pids_on_record(profile: Profile) -> set[int]:
    return {engine["pid"] for one in set_states(profile) for engine in one["engines"]}  # type: ignore[attr-defined]


def restarts(profile: Profile) -> list[int]:
    return [engine["restarts"] for one in set_states(profile) for engine in one["engines"]]  # type: ignore[attr-defined]


def fall_back(profile: Profile) -> None:
    """Kill the controller; the link then ends what is left, and keeps the machines."""
    pid = record(profile)["controller"]["pid"]  # type: ignore[index]
    os.kill(id_here(pid, "ipcluster_azure_vm.dask"), signal.SIGKILL)
    wait_for(lambda: record(profile)["state"] == "created" and not pids_on_record(profile), LONG_S)
    wait_for(lambda: len(profile.processes()) == 2, LONG_S)  # the keeper and its watcher


@variant  # of the end of the one before
def test_a_controller_that_died_is_deployed_again(created: Profile) -> None:
    azure(created, "deploy")
    program = created.popen("python", "-c", TASK)
    assert program.stdout is not None
    assert any("computing" in line for line in program.stdout)
    fall_back(created)
    program.communicate(timeout=LONG_S)
    assert "`ipcluster-azure deploy --profile=azure` starts it again" in program.said()
    assert state(created) == "created"
    azure(created, "deploy")
    assert len(created.engine_ids()) == len(pids_on_record(created))
    created.kill_link()
    azure(created, "deploy")  # without a link that could tell, and with a guard that could delete
    assert len(created.engine_ids()) == len(pids_on_record(created))
    fall_back(created)


@variant  # of test_what_runs_is_replaced_and_its_engines_start_once
def test_a_changed_configuration_and_environment_arrive(created: Profile) -> None:
    config = created.folder / "ipengine_config.py"
    value = "c.IPKernelApp.exec_lines = ['deployed = {}']\n"
    for number in (1, 2):
        config.write_text("c = get_config()\n" + value.format(number))
        azure(created, "deploy")
        with created.client() as client:
            assert set(client[:].pull("deployed", block=True)) == {number}
    config.unlink()
    azure(created, "deploy")
    with created.client() as client:
        client[:].execute("there = 'deployed' in globals()", block=True)
        assert set(client[:].pull("there", block=True)) == {False}
    fall_back(created)


@variant  # of the two before
def test_the_panel_and_programs_deploy_and_delete(profile: Profile) -> None:
    azure(profile, "create", "-n", "1")
    print_state = "print(cluster.controller, cluster.engines)"
    load = "cluster = ipp.Cluster.from_file(profile='azure', cluster_id='')"
    program = ["import ipyparallel as ipp", load, print_state]
    assert profile.python("\n".join(program)) == "None {}"
    program += ["cluster.start_cluster_sync(n=1)", "print(len(cluster.engines))"]
    assert profile.python("\n".join(program)).splitlines()[-1] == "1"
    assert state(profile) == "running"
    fall_back(profile)
    profile.python("\n".join(["import ipyparallel as ipp", load, "cluster.stop_cluster_sync()"]))
    profile.assert_nothing_left()


@pytest.mark.parametrize(
    ("moment", "signum", "status"),
    [
        ("Requesting the controller", signal.SIGINT, 130),
        pytest.param("has accepted 1 machine", signal.SIGTERM, 1, marks=variant),
        pytest.param("with nothing on them", signal.SIGTERM, 1, marks=variant),
    ],
)
def test_a_signal_ends_a_creation_and_deletes_everything(
    profile: Profile, moment: str, signum: signal.Signals, status: int
) -> None:
    process = profile.popen("ipcluster-azure", "create", "--profile=azure", "-n", "2")
    assert process.stdout is not None
    assert any(moment in line for line in process.stdout)
    process.send_signal(signum)
    process.communicate(timeout=LONG_S)
    output = process.said()
    if process.returncode != 0:  # else it was through before the signal came
        assert process.returncode == status, output
        assert output.splitlines()[-1].endswith("interrupted. What was created is deleted.")
        wait_for(lambda: "cluster-.json" not in profile.files())
    azure(profile, "delete")
    profile.assert_nothing_left()


def test_several_that_delete_at_once_all_succeed(profile: Profile) -> None:
    azure(profile, "create", "-n", "1")
    commands = [("ipcluster-azure", "delete"), ("ipcluster", "stop"), ("ipcluster-azure", "delete")]
    processes = [profile.popen(*words, "--profile=azure") for words in commands]
    for process in processes:
        process.communicate(timeout=LONG_S)
    statuses = [process.returncode for process in processes]
    assert statuses[0] == statuses[2] == 0, [process.said() for process in processes]
    assert statuses[1] in (0, 11)  # 11: it came when all was gone
    assert "There is nothing to delete" in azure(profile, "delete")
    profile.assert_nothing_left()


@pytest.mark.parametrize(
    "limit",
    ["idle_timeout_min = 0.02", pytest.param("max_lifetime_h = 0.0003", marks=variant)],
)
def test_the_limits_hold_for_machines_alone(profile: Profile, limit: str) -> None:
    profile.configure(f"{ON_EMULATOR}c.AzureVMLauncher.{limit}\n")
    azure(profile, "create", "-n", "1")
    wait_for(lambda: not profile.files(), LONG_S)
    profile.assert_nothing_left()

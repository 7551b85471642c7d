"""The controller dies: clients get an error instead of waiting for ever, and nothing is left."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from azure_emulator import client
from azure_emulator.testing import fault, faults
from ipcluster_azure.plan.resource_types import VIRTUAL_MACHINE
from ipcluster_azure.record.contents import Record
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi

from ..complete import variant
from ..processes import is_alive
from .conftest import IMAGE, TWO_LINES, Profile, wait_for

TOLD_S = 15.0
VIEWS = {"balanced", "direct", "broadcast", "coalescing", "executed"}
# every kind of view, and more tasks than there are engines: most wait in the scheduler
WAITING = """
import sys, time, ipyparallel as ipp
rc = ipp.Client(profile={name!r})
rc.wait_for_engines(2, timeout=30)
def slow(x):
    import time
    time.sleep(600)
results = {{
    "balanced": rc.load_balanced_view().map_async(slow, range({tasks}), chunksize=1),
    "direct": rc[:].apply_async(slow, 1),
    "broadcast": rc.broadcast_view().apply_async(slow, 1),
    "coalescing": rc.broadcast_view(is_coalescing=True).apply_async(slow, 1),
    "executed": rc[0].execute("1", block=False),
}}
time.sleep(2)
print("waiting", flush=True)
for name, result in results.items():
    try:
        result.get(60)
    except Exception as error:
        print(name, type(error).__name__, str(error).replace("\\n", " ")[:200], flush=True)
"""
# what is asked for when all have been told already
LATE = """
for moment, pause_s in (("soon", 1), ("later", 9)):
    time.sleep(pause_s)
    try:
        rc.load_balanced_view().apply_async(abs, 1).get(20)
    except Exception as error:
        print(moment, type(error).__name__, error, flush=True)
"""


def record_of(profile: Profile) -> Record:
    return RecordFile.of(str(profile.folder), "").require()


def link_log(profile: Profile) -> str:
    return (profile.folder / "log" / "azure--link.log").read_text()


def delete_controller_machine(profile: Profile) -> None:
    record = record_of(profile)
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        api.delete(record.controller.vm_id)


def waiting_client(profile: Profile, tasks: int, then: str = "") -> "subprocess.Popen[str]":
    """A program that waits for `tasks` tasks and one of each other view, then runs `then`."""
    code = WAITING.format(name=profile.name, tasks=tasks) + then
    process = profile.popen("python", "-W", "ignore", "-c", code)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "waiting\n", line + process.stdout.read()
    return process


def told(process: "subprocess.Popen[str]", names: set[str], since: float) -> dict[str, str]:
    """What each view raised; all within TOLD_S."""
    assert process.stdout is not None
    found: dict[str, str] = {}
    while not names <= found.keys():
        name, _, error = process.stdout.readline().partition(" ")
        assert name, found
        found[name] = error
    assert time.monotonic() - since < TOLD_S, found
    return found


def test_the_controllers_process_is_killed(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "2", "--daemonize")
    waiting = waiting_client(profile, 10)
    since = time.monotonic()
    os.kill(record_of(profile).controller.pid, signal.SIGKILL)
    for error in told(waiting, VIEWS, since).values():
        assert "The controller of cluster" in error
    waiting.communicate(timeout=60)
    wait_for(lambda: "Azure has accepted the deletion" in link_log(profile), 20)
    wait_for(lambda: not profile.files())
    (log,) = (profile.folder / "log").glob("azure--ipcontroller-*.log")
    assert "Hub listening" in log.read_text()  # what it said in its life
    profile.ipcluster("stop", expect=None)
    profile.assert_nothing_left()


def test_the_controllers_machine_is_gone(profile: Profile) -> None:
    foreground = profile.popen("ipcluster", "start", f"--profile={profile.name}", "-n", "2")
    assert foreground.stdout is not None
    # a client that connects while an engine registers may never hear of that one
    assert any("2 of 2 engines are registered" in line for line in foreground.stdout)
    programs = [waiting_client(profile, tasks, LATE) for tasks in (10, 1000)]
    since = time.monotonic()
    delete_controller_machine(profile)
    for program in programs:
        for error in told(program, VIEWS, since).values():
            assert "EngineError" in error
            assert "The controller of cluster" in error
        assert program.stdout is not None
        output = program.stdout.read()
        assert "soon RemoteError [Engine Exception] EngineError: The controller of" in output
        assert "later RemoteError [Engine Exception] EngineError: The controller of" in output
        program.communicate(timeout=60)
    output, _ = foreground.communicate(timeout=60)
    assert foreground.returncode == 0
    assert output.count("its machine does not run") == 1
    assert "its machine does not run" in link_log(profile)
    profile.assert_nothing_left()


def test_the_controllers_machine_crashes(profile: Profile) -> None:
    """Nothing is heard of it any more, not even that connections are closed."""
    crash = fault("dies", type=VIRTUAL_MACHINE, running=True)
    profile.ipcluster("start", "-n", "2", "--daemonize")
    waiting = waiting_client(profile, 10)
    with faults(profile.emulator, crash) as met:
        wait_for(lambda: met.fired == [1] and _is_off(profile), 10)
    for error in told(waiting, VIEWS, time.monotonic()).values():
        assert "is stopped: its machine does not run" in error
    waiting.communicate(timeout=60)
    wait_for(lambda: not profile.left_on_azure()["resource_groups"], 30)
    profile.ipcluster("stop", expect=None)
    profile.assert_nothing_left()


def test_a_stop_that_is_killed_is_ended_by_the_link(profile: Profile) -> None:
    """As in Jupyter, which kills a kernel 5 s after it was told to end."""
    profile.ipcluster("start", "-n", "1", "--daemonize")
    record = record_of(profile)
    slow = fault("delay", method="DELETE", type=VIRTUAL_MACHINE, delay_s=600)
    with faults(profile.emulator, slow) as met:
        stopping = profile.popen("ipcluster", "stop", f"--profile={profile.name}")
        wait_for(lambda: met.fired == [1], 15)
        stopping.kill()
        stopping.communicate(timeout=10)
    wait_for(lambda: not profile.left_on_azure()["resource_groups"], 15)
    wait_for(lambda: not is_alive(record.link_pid))
    profile.assert_nothing_left()


def test_a_stop_that_azure_does_not_hear_is_repeated_by_the_link(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    refused = fault("refuse", method="DELETE", status=409, code="Conflict", times=None)
    with faults(profile.emulator, refused):
        assert "run `ipcluster stop` again" in profile.ipcluster("stop", expect=1)
        assert profile.left_on_azure()["resource_groups"]
    wait_for(lambda: not profile.left_on_azure()["resource_groups"], 30)
    profile.ipcluster("stop", expect=None)
    profile.assert_nothing_left()


def test_the_emulator_is_gone(bare_profile: Profile, tmp_path: Path) -> None:
    own = client.start(tmp_path / "own")
    profile = Profile(bare_profile.ipython_dir, own)
    profile.configure(f'{TWO_LINES}c.AzureVMLauncher.endpoint = "emulator"\n{IMAGE}')
    profile.ipcluster("start", "-n", "2", "--daemonize")
    waiting = waiting_client(profile, 10)
    since = time.monotonic()
    client.stop(own.state_dir)
    told(waiting, VIEWS, since)
    waiting.communicate(timeout=60)
    wait_for(lambda: not profile.files())
    wait_for(lambda: not profile.processes())


def _is_off(profile: Profile) -> bool:
    record = record_of(profile)
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        return api.power_of(record.controller.vm_id) == "stopped"


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("idle_timeout_min = 0.1", "Deleted after 0.1 min without a task (idle_timeout_min)."),
        pytest.param(
            "max_lifetime_h = 0.005",
            "Deleted after 0.005 h, its longest life (max_lifetime_h).",
            marks=variant,
        ),
    ],
)
def test_its_time_is_up(profile: Profile, setting: str, reason: str) -> None:
    config = profile.folder / "ipcluster_config.py"
    profile.configure(f"{config.read_text()}c.AzureVMLauncher.{setting}\n")
    profile.ipcluster("start", "-n", "1", "--daemonize")
    assert profile.left_on_azure()["resource_groups"]
    wait_for(lambda: reason in link_log(profile), 60)
    wait_for(lambda: not profile.left_on_azure()["resource_groups"], 20)
    profile.ipcluster("stop", expect=None)
    profile.assert_nothing_left()

"""A machine with engines dies, or Azure takes it back: another takes its place."""

from collections.abc import Callable

from azure.core.rest import HttpRequest

from azure_emulator.testing import fault, faults
from ipcluster_azure.link.refill import machine_id
from ipcluster_azure.plan.resource_types import COMPUTE_API, SCALE_SET, VIRTUAL_MACHINE
from ipcluster_azure.record.contents import Machine, Record
from ipcluster_azure.resource_manager.api import AzureApi

from ..complete import variant
from .conftest import Profile, wait_for
from .test_caretaker import link_log, record_of
from .test_see import interrupted, until_said

KNOWN_S = 5.0 + 3.0  # until a client knows, and another second or three on a busy computer
BUSY_S = KNOWN_S + 2.0  # how long each engine computes
BACK_S = 60.0
LOOKING = """
import sys, time, ipyparallel as ipp
rc = ipp.Client(profile={name!r})
rc.wait_for_engines({n}, timeout=30)
before = rc.ids
result = rc[:].apply_async(time.sleep, {busy_s})
print("waiting", flush=True)
began = time.monotonic()
while rc.ids == before:
    time.sleep(0.05)
print("lost", time.monotonic() - began, rc.ids, flush=True)
while len(rc.ids) < {n} and time.monotonic() < began + {back_s}:
    time.sleep(0.05)  # wait_for_engines may still be told of the one that was lost, and raises
print("back", time.monotonic() - began, rc.ids, flush=True)
new = [i for i in rc.ids if i not in before]
print("works", rc[new].apply_sync(abs, -7), flush=True)
try:
    result.get(60)
except Exception as error:
    print("task", type(error).__name__, str(error).replace("\\n", " "), flush=True)
"""


def the_set(record: Record) -> tuple[str, list[Machine]]:
    ((set_id, engine_set),) = record.engine_sets.items()
    return set_id, engine_set.machines


def delete_machine(profile: Profile, machine: Machine) -> None:
    record = record_of(profile)
    set_id, _ = the_set(record)
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        api.delete(machine_id(record, set_id, machine.name))


def loses_one(profile: Profile, n: int, lose: Callable[[Machine], None]) -> None:
    """A machine is lost while a client waits: it is told, and has n engines again."""
    before = the_set(record_of(profile))[1]
    code = LOOKING.format(name=profile.name, n=n, back_s=BACK_S, busy_s=BUSY_S)
    process = profile.popen("python", "-W", "ignore", "-c", code)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    lose(before[0])
    words = [process.stdout.readline().split(maxsplit=2) for _ in range(4)]
    output = str(words) + process.stdout.read()
    process.communicate(timeout=60)
    assert [word[0] for word in words] == ["lost", "back", "works", "task"], output
    assert "EngineError" in words[3][2], output
    assert float(words[0][1]) < KNOWN_S, output
    after = the_set(record_of(profile))[1]
    assert len(after) == len(before)
    assert before[0] not in after


def add_settings(profile: Profile, *settings: str) -> None:
    text = (profile.folder / "ipcluster_config.py").read_text()
    profile.configure(text + "".join(f"c.{setting}\n" for setting in settings))


def switch_off(profile: Profile, machine: Machine) -> None:
    """To the cluster a crash: nobody is told, and the VM is still there."""
    record = record_of(profile)
    set_id, _ = the_set(record)
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        url = f"{machine_id(record, set_id, machine.name)}/powerOff?api-version={COMPUTE_API}"
        api._arm.send_request(HttpRequest("POST", url)).raise_for_status()


def test_a_machine_with_engines_is_gone(profile: Profile) -> None:
    add_settings(
        profile,
        "AzureVMLauncher.engines_per_vm = 1",
        "AzureVMEngineSetLauncher.environment = {'MARK': 'kept'}",
    )
    module = profile.ipython_dir / "mymodule.py"  # the working directory is there
    module.write_text("NAME = 'mine'\n")
    profile.ipcluster("start", "-n", "2", "--daemonize")
    module.unlink()
    following = profile.popen("ipcluster-azure", "logs", "--follow", f"--profile={profile.name}")
    until_said(following, ": ipcontroller.log <==")
    before = {machine.name for machine in the_set(record_of(profile))[1]}
    loses_one(profile, 2, lambda machine: delete_machine(profile, machine))
    after = {machine.name for machine in the_set(record_of(profile))[1]}
    until_said(following, f"==> {(after - before).pop()}: ipengine-")
    assert f"ipcluster-azure: {(before - after).pop()}" in following.said()
    interrupted(following)
    code = (
        "import os, ipyparallel as ipp\n"
        f"view = ipp.Client(profile={profile.name!r})[:]\n"
        "print(*view.apply_sync(os.getenv, 'MARK'))\n"
        "print(*view.apply_sync(lambda: __import__('mymodule').NAME))"
    )
    assert profile.python(code) == "kept kept\nmine mine"
    shown = profile.run("ipcluster-azure", "status", f"--profile={profile.name}").stdout
    assert "running, 2 of 2 engines registered" in shown
    assert "ready, 2 VMs (2 Succeeded) for 2 engines\n" in shown
    profile.ipcluster("stop")
    profile.assert_nothing_left()


@variant  # of test_a_machine_with_engines_is_gone
def test_a_machine_with_several_engines_is_switched_off(profile: Profile) -> None:
    add_settings(profile, "AzureVMLauncher.engines_per_vm = 2")
    profile.ipcluster("start", "-n", "3", "--daemonize")
    loses_one(profile, 3, lambda machine: switch_off(profile, machine))
    assert len(profile.left_on_azure()["virtual_machines"]) == 3
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_a_spot_machine_is_taken_back(profile: Profile) -> None:
    add_settings(
        profile,
        "AzureVMLauncher.engines_per_vm = 1",
        "AzureVMEngineSetLauncher.priority = 'Spot'",
    )
    eviction = fault("evicted", type=f"{SCALE_SET}/virtualMachines", running=True, notice_s=4)
    profile.ipcluster("start", "-n", "2", "--daemonize")
    before = {machine.name for machine in the_set(record_of(profile))[1]}
    with faults(profile.emulator, eviction) as met:
        wait_for(lambda: "and its 1 engine with it" in link_log(profile), 60)
        wait_for(lambda: "1 engine back" in link_log(profile), BACK_S)
        assert met.fired == [1]
    after = {machine.name for machine in the_set(record_of(profile))[1]}
    assert len(after - before) == len(before - after) == 1
    assert len(profile.engine_ids()) == 2
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_there_is_no_room_for_another(profile: Profile) -> None:
    add_settings(profile, "AzureVMLauncher.engines_per_vm = 1")
    profile.ipcluster("start", "-n", "2", "--daemonize")
    full = fault("refuse", method="PATCH", type=SCALE_SET, code="AllocationFailed", status=409)
    with faults(profile.emulator, full) as met:
        delete_machine(profile, the_set(record_of(profile))[1][0])
        wait_for(lambda: "Still missing 1 engine:" in link_log(profile), 30)
        assert "AllocationFailed" in link_log(profile)
        assert met.fired == [1]
    # the next attempt is 10 s later
    wait_for(lambda: "1 engine back" in link_log(profile), BACK_S)
    assert len(profile.engine_ids()) == 2
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_a_replacement_that_fails_is_deleted(profile: Profile) -> None:
    add_settings(profile, "AzureVMLauncher.engines_per_vm = 1")
    profile.ipcluster("start", "-n", "2", "--daemonize")
    before = set(profile.left_on_azure()["virtual_machines"])
    failure = fault("fail", operation=f"{VIRTUAL_MACHINE}/write", code="AllocationFailed", times=1)
    with faults(profile.emulator, failure):
        delete_machine(profile, the_set(record_of(profile))[1][0])
        wait_for(lambda: "Still missing 1 engine:" in link_log(profile), 40)
        wait_for(lambda: len(profile.left_on_azure()["virtual_machines"]) == 2, 5)
    assert set(profile.left_on_azure()["virtual_machines"]) < before
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_a_stop_while_a_machine_is_replaced(profile: Profile) -> None:
    add_settings(profile, "AzureVMLauncher.engines_per_vm = 1")
    profile.ipcluster("start", "-n", "2", "--daemonize")
    late = fault("never_boots", type=f"{SCALE_SET}/virtualMachines")
    slow = fault("delay", method="PATCH", type=SCALE_SET, delay_s=4)
    with faults(profile.emulator, late, slow):
        delete_machine(profile, the_set(record_of(profile))[1][0])
        wait_for(lambda: "Requesting 1 machine " in link_log(profile), 30)
        profile.ipcluster("stop")
    profile.assert_nothing_left()
    assert "Traceback" not in link_log(profile)


def test_a_link_that_is_killed_leaves_the_rest_to_the_next(profile: Profile) -> None:
    add_settings(profile, "AzureVMLauncher.engines_per_vm = 1")
    profile.ipcluster("start", "-n", "2", "--daemonize")
    slow = fault("delay", method="PATCH", type=SCALE_SET, delay_s=3)
    with faults(profile.emulator, slow) as met:
        delete_machine(profile, the_set(record_of(profile))[1][0])
        wait_for(lambda: met.fired == [1], 30)
        profile.kill_link()
        wait_for(lambda: len(profile.left_on_azure()["virtual_machines"]) == 3, 30)
    profile.run("ipcluster-azure", "attach", f"--profile={profile.name}")
    wait_for(lambda: "1 engine back" in link_log(profile), BACK_S)
    # the machine of which nobody knew is gone
    assert len(profile.left_on_azure()["virtual_machines"]) == 3
    assert len(profile.engine_ids()) == 2
    profile.ipcluster("stop")
    profile.assert_nothing_left()

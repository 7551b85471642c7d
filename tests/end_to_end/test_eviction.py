"""Azure takes a Spot machine back: running tasks end, the others go elsewhere."""

import json
import time
from pathlib import Path

import ipyparallel as ipp

from ipcluster_azure.emulator.testing import fault, faults

from .conftest import Profile, wait_for
from .test_engine_deaths import client_of

AFTER_S, NOTICE_S = 35.0, 12.0  # from a machine's boot on: a busy computer starts slowly
TASK_TIMEOUT_S = 90.0
REPLACED_S = 60.0


@ipp.interactive
def work(seconds: float) -> int:
    import os
    import time

    time.sleep(seconds)
    return os.getpid()


def guard_file(profile: Profile) -> Path:
    machines = Path(profile.emulator.state_dir) / "machines"
    (found,) = machines.glob("*/home/*/.ipcluster-azure/guard.json")
    return found


def test_no_task_is_lost_with_an_evicted_machine(profile: Profile) -> None:
    with open(profile.folder / "ipcluster_config.py", "a", encoding="utf-8") as config:
        config.write('c.AzureVMLauncher.engines_per_vm = 2\nc.AzureVMLauncher.priority = "Spot"\n')
    # all tasks are handed out at once, so that the engines have a queue to pass on
    controller_config = profile.folder / "ipcontroller_config.py"
    controller_config.write_text("c = get_config()\nc.TaskScheduler.hwm = 0\n", encoding="utf-8")
    evicted = fault(
        "evicted", type="*ScaleSets/virtualMachines", after_s=AFTER_S, notice_s=NOTICE_S
    )
    with faults(profile.emulator, evicted) as met:
        profile.ipcluster("start", "-n", "4", "--daemonize")
        with client_of(profile) as client:
            before = set(client.ids)
            assert len(before) == 4
            # without retries: a task that is sent to the machine at the wrong moment would fail
            results = client.load_balanced_view().map_async(work, [3.0] * 60, chunksize=1)
            wait_for(lambda: json.loads(guard_file(profile).read_text())["evicted"], AFTER_S + 10)
            noticed_at = time.monotonic()
            wait_for(lambda: len(before.intersection(client.ids)) == 2, NOTICE_S)
            # they left by themselves, as soon as their tasks were done, not with the machine
            assert time.monotonic() - noticed_at < NOTICE_S - 3
            assert len(results.get(timeout=TASK_TIMEOUT_S)) == 60
            wait_for(lambda: len(client.ids) == 4, REPLACED_S)
        assert met.fired == [1]
        profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_a_task_that_takes_too_long_goes_with_its_machine(profile: Profile) -> None:
    with open(profile.folder / "ipcluster_config.py", "a", encoding="utf-8") as config:
        config.write('c.AzureVMLauncher.priority = "Spot"\n')
    evicted = fault("evicted", type="*ScaleSets/virtualMachines", after_s=AFTER_S, notice_s=6)
    with faults(profile.emulator, evicted):
        profile.ipcluster("start", "-n", "1", "--daemonize")
        with client_of(profile) as client:
            result = client.load_balanced_view().apply_async(work, 300)
            (victim,) = client.ids
            wait_for(lambda: victim not in client.ids, AFTER_S + 6 + 5)
            failure = result.exception(timeout=30)
            assert failure is not None
            assert "EngineError" in str(failure)
        profile.ipcluster("stop")
    profile.assert_nothing_left()

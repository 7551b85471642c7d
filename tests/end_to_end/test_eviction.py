"""Azure takes a Spot machine back: running tasks end, the others go elsewhere."""

import json
import time
from pathlib import Path

import ipyparallel as ipp

from azure_emulator.testing import fault, faults

from ..real_machines import home_files
from .conftest import Profile, wait_for

NOTICE_S = 12.0
TASK_S = 2.0  # each engine is busy with its six for as long as the notice
TASK_TIMEOUT_S = 90.0
REPLACED_S = 60.0


@ipp.interactive
def work(seconds: float) -> int:
    import os
    import time

    time.sleep(seconds)
    return os.getpid()


def guard_file(profile: Profile) -> Path:
    (found,) = home_files(profile.emulator.state_dir, ".ipcluster-azure/guard.json")
    return found


def test_no_task_is_lost_with_an_evicted_machine(profile: Profile) -> None:
    with open(profile.folder / "ipcluster_config.py", "a", encoding="utf-8") as config:
        config.write('c.AzureVMLauncher.engines_per_vm = 2\nc.AzureVMLauncher.priority = "Spot"\n')
    # all tasks are handed out at once, so that the engines have a queue to pass on
    controller_config = profile.folder / "ipcontroller_config.py"
    controller_config.write_text("c = get_config()\nc.TaskScheduler.hwm = 0\n", encoding="utf-8")
    evicted = fault("evicted", type="*ScaleSets/virtualMachines", running=True, notice_s=NOTICE_S)
    profile.ipcluster("start", "-n", "4", "--daemonize")
    with profile.client() as client:
        before = set(client.ids)
        assert len(before) == 4
        # without retries: a task that is sent to the machine at the wrong moment would fail
        results = client.load_balanced_view().map_async(work, [TASK_S] * 24, chunksize=1)
        with faults(profile.emulator, evicted) as met:
            wait_for(lambda: json.loads(guard_file(profile).read_text())["evicted"], 10)
            noticed_at = time.monotonic()
            wait_for(lambda: len(before.intersection(client.ids)) == 2, NOTICE_S)
            # they left by themselves, as soon as their tasks were done, not with the machine
            assert time.monotonic() - noticed_at < NOTICE_S - 3
            assert len(results.get(timeout=TASK_TIMEOUT_S)) == 24
            wait_for(lambda: len(client.ids) == 4, REPLACED_S)
        assert met.fired == [1]
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_a_task_that_takes_too_long_goes_with_its_machine(profile: Profile) -> None:
    with open(profile.folder / "ipcluster_config.py", "a", encoding="utf-8") as config:
        config.write('c.AzureVMLauncher.priority = "Spot"\n')
    evicted = fault("evicted", type="*ScaleSets/virtualMachines", running=True, notice_s=6)
    profile.ipcluster("start", "-n", "1", "--daemonize")
    with profile.client() as client:
        result = client.load_balanced_view().apply_async(work, 300)
        (victim,) = client.ids
        with faults(profile.emulator, evicted):
            wait_for(lambda: victim not in client.ids, 6 + 5)
            failure = result.exception(timeout=30)
            assert failure is not None
            assert "EngineError" in str(failure)
    profile.ipcluster("stop")
    profile.assert_nothing_left()

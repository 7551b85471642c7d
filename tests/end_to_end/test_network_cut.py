"""The network is cut, and heals: nobody is lost, or others come; and a stop waits for nobody."""

import json
import time

import pytest

from azure_emulator.testing import fault, faults
from ipcluster_azure.plan.resource_types import SCALE_SET, VIRTUAL_MACHINE

from ..complete import variant
from .conftest import Profile, wait_for
from .test_eviction import guard_file, work

INSTANCE = f"{SCALE_SET}/virtualMachines"
NOTICED_S = 5.0
RESTORED_S = 15.0
TASK_TIMEOUT_S = 60.0
STOP_ACCEPTED_S = 15.0


def _silent(profile: Profile) -> list[str]:
    machines = json.loads(guard_file(profile).read_text())["machines"]
    return [address for address, machine in machines.items() if machine["silent"]]


def test_a_short_cut_loses_nothing(profile: Profile) -> None:
    cut = fault("no_network", type=INSTANCE, running=True, for_s=8)
    with open(profile.folder / "ipcluster_config.py", "a", encoding="utf-8") as config:
        config.write("c.AzureVMLauncher.engines_per_vm = 1\n")
    profile.ipcluster("start", "-n", "2", "--daemonize")
    with profile.client() as client:
        before, pids = client.ids, set(client[:].apply_sync(work, 0))
        assert _silent(profile) == []
        results = client[:].apply_async(work, 10)
        with faults(profile.emulator, cut):
            wait_for(lambda: len(_silent(profile)) == 1, NOTICED_S)
            wait_for(lambda: not _silent(profile), 8 + NOTICED_S)
            assert set(results.get(timeout=TASK_TIMEOUT_S)) == pids
            assert client.ids == before
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_after_a_long_cut_others_take_the_place_of_engines_that_were_given_up(
    profile: Profile,
) -> None:
    """ipyparallel's hub gives an engine up after a while, here 12 s, and never takes it back.

    The engine would end by itself later on; one that was told not to would wait for ever.
    """
    controller_config = profile.folder / "ipcontroller_config.py"
    controller_config.write_text(
        "c = get_config()\n"
        "c.HeartMonitor.period = 300\nc.HeartMonitor.max_heartmonitor_misses = 40\n"
    )
    engine_config = profile.folder / "ipengine_config.py"
    engine_config.write_text("c = get_config()\nc.IPEngine.max_heartbeat_misses = 0\n")
    cut = fault("no_network", type=INSTANCE, running=True, for_s=20)
    with open(profile.folder / "ipcluster_config.py", "a", encoding="utf-8") as config:
        config.write("c.AzureVMLauncher.engines_per_vm = 1\n")
    profile.ipcluster("start", "-n", "2", "--daemonize")
    with profile.client() as client:
        assert len(client.ids) == 2
        with faults(profile.emulator, cut):
            wait_for(lambda: len(client.ids) == 1, 40)
            wait_for(lambda: not _silent(profile), 30)
            healed_at = time.monotonic()
            wait_for(lambda: len(client.ids) == 2, RESTORED_S)
            assert len(set(client[:].apply_async(work, 0).get(timeout=TASK_TIMEOUT_S))) == 2
            assert time.monotonic() - healed_at < RESTORED_S + 5
    profile.ipcluster("stop")
    profile.assert_nothing_left()


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param((), marks=variant),
        pytest.param((VIRTUAL_MACHINE,), marks=variant),
        (VIRTUAL_MACHINE, INSTANCE),
    ],
    ids=["nothing", "controller", "all"],
)
def test_a_stop_is_accepted_in_time(profile: Profile, lost: tuple[str, ...]) -> None:
    cuts = [fault("no_network", type=kind, running=True, times=None) for kind in lost]
    profile.ipcluster("start", "-n", "2", "--daemonize")
    with faults(profile.emulator, *cuts):
        began = time.monotonic()
        stopping = profile.popen("ipcluster", "stop", f"--profile={profile.name}")
        assert stopping.stdout is not None
        assert any("has accepted the deletion" in line for line in stopping.stdout)
        assert time.monotonic() - began < STOP_ACCEPTED_S
        stopping.communicate(timeout=30)
    profile.assert_nothing_left()

"""ready_engines: a start returns with the first engines, and the others join by themselves."""

import json
import signal
from pathlib import Path

import pytest

from azure_emulator.testing import Json, fault, faults

from ..complete import variant
from .conftest import Profile, wait_for
from .test_caretaker import link_log, record_of
from .test_replacements import add_settings, the_set

PATIENCE_S = 90.0
ENGINE_VM = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
LEFT = "1 of 2 engines are registered; the others join as their machines boot"


def _late(for_s: float) -> Json:
    """One of the engines' machines boots so much later than the others."""
    return fault("no_network", type=ENGINE_VM, for_s=for_s)


def _settings(profile: Profile, *more: str) -> None:
    one_each = "AzureVMLauncher.engines_per_vm = 1"
    add_settings(profile, one_each, "AzureVMEngineSetLauncher.ready_engines = 1", *more)


def _status(profile: Profile) -> str:
    return profile.run("ipcluster-azure", "status", f"--profile={profile.name}").stdout


def test_a_slow_machine_joins_by_itself_whatever_becomes_of_the_link(profile: Profile) -> None:
    _settings(profile)
    with faults(profile.emulator, _late(20)):
        output = profile.ipcluster("start", "-n", "2", "--daemonize")
    assert LEFT in output
    assert len(profile.engine_ids()) == 1
    shown = _status(profile)
    assert "running, 1 of 2 engines registered" in shown
    assert "for 2 engines; 1 engine yet to join as their machines boot" in shown
    profile.kill_link()
    profile.run("ipcluster-azure", "attach", f"--profile={profile.name}")
    wait_for(lambda: "2 of 2 engines are registered" in link_log(profile), PATIENCE_S)
    assert len(profile.engine_ids()) == 2
    shown = _status(profile)
    assert "running, 2 of 2 engines registered" in shown
    assert "yet to join" not in shown
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_ctrl_c_while_others_still_boot_leaves_nothing(profile: Profile) -> None:
    _settings(profile)
    with faults(profile.emulator, _late(3600)):
        start = profile.popen("ipcluster", "start", "--profile=azure", "-n", "2")
        record = profile.folder / "security" / "azure-.json"
        wait_for(lambda: record.exists() and _joining(record), PATIENCE_S)
        start.send_signal(signal.SIGINT)
        output, _ = start.communicate(timeout=PATIENCE_S)
    assert LEFT in output
    assert "has accepted the deletion" in output
    profile.assert_nothing_left()


def _joining(record: Path) -> list[str]:
    found: list[str] = []
    for engine_set in json.loads(record.read_text())["engine_sets"].values():
        found += engine_set["joining"]["machines"] if engine_set["state"] == "ready" else []
    return found


@pytest.mark.parametrize("min_engines", [0, pytest.param(1, marks=variant)])
def test_a_machine_that_never_comes(profile: Profile, min_engines: int) -> None:
    """It is replaced, or let go where min_engines allows that; whoever computes goes on."""
    _settings(profile, f"AzureVMEngineSetLauncher.min_engines = {min_engines}")
    add_settings(profile, "AzureVMEngineSetLauncher.boot_timeout_s = 30")
    with faults(profile.emulator, fault("no_ssh", type=ENGINE_VM)):
        profile.ipcluster("start", "-n", "2", "--daemonize")
    (late,) = _joining(profile.folder / "security" / "azure-.json")
    wait_for(lambda: "1 of 2 engines registered; missing because" in link_log(profile), PATIENCE_S)
    assert f"{late}: " in link_log(profile)
    if min_engines:
        wait_for(lambda: len(profile.left_on_azure()["virtual_machines"]) == 2, PATIENCE_S)
        wait_for(lambda: "1 engine did not start" in _status(profile), PATIENCE_S)
        assert "missing because" in _status(profile)
        assert len(profile.engine_ids()) == 1
    else:
        wait_for(lambda: "1 engine back" in link_log(profile), PATIENCE_S)
        assert late not in {machine.name for machine in the_set(record_of(profile))[1]}
        assert "2 of 2 engines registered" in _status(profile)
        assert "missing because" not in _status(profile)
        assert len(profile.left_on_azure()["virtual_machines"]) == 3
    profile.ipcluster("stop")
    profile.assert_nothing_left()


PROGRAM = """
import ipyparallel as ipp
cluster = ipp.Cluster(profile={name!r}, n=2)
rc = cluster.start_and_connect_sync()
print("connected", len(rc.ids))
rc.close()
cluster.stop_cluster_sync()
cluster = ipp.Cluster(profile={name!r}, n=2)
cluster.start_cluster_sync()
rc = cluster.connect_client_sync()
rc.wait_for_engines(1, timeout=10)
print("started", len(rc.ids))
cluster.restart_engines_sync()
rc.wait_for_engines(2, timeout=60)
print("restarted", len(rc.ids))
rc.close()
cluster.stop_cluster_sync()
"""


def test_who_waits_for_all_gets_all_and_engines_can_be_restarted_meanwhile(
    profile: Profile,
) -> None:
    _settings(profile)
    # of the first cluster's two machines one, and one of the second's
    again = fault(**{**_late(25), "skip": 2})
    with faults(profile.emulator, _late(8), again) as met:
        output = profile.python(PROGRAM.format(name=profile.name))
    assert "connected 2" in output
    assert met.fired == [1, 1]
    assert "started 1" in output
    assert "restarted 2" in output
    profile.assert_nothing_left()

"""Azure misbehaves while a cluster starts: what can be borne is borne, the rest is explained."""

from typing import Any

import pytest

from azure_emulator import testing

from ..complete import one_in
from .conftest import Profile, wait_for

VNET, VM = "Microsoft.Network/virtualNetworks", "Microsoft.Compute/virtualMachines"
SCALE_SET = "Microsoft.Compute/virtualMachineScaleSets"


SEEN_LATE = [
    testing.fault("not_found", type=VNET, reads=3),
    testing.fault("not_found", type=SCALE_SET, reads=2),
    testing.fault("refuse", type=VM, method="PUT", status=503, times=2),
    testing.fault("refuse", type=SCALE_SET, method="PUT", status=429, retry_after_s=1),
]
BROKEN = [
    testing.fault("cut_reply", type=VNET, method="PUT"),
    testing.fault("cut_reply", type=VM, method="PUT"),
    testing.fault("lose_reply", type=SCALE_SET, method="PUT"),
    testing.fault("drop", type="*/networkInterfaces", method="PUT"),
]


@pytest.mark.parametrize("declared", one_in(2, [BROKEN, SEEN_LATE]), ids=["broken", "seen late"])
def test_a_start_bears(profile: Profile, declared: list[dict[str, Any]]) -> None:
    with testing.faults(profile.emulator, *declared) as met:
        profile.ipcluster("start", "-n", "1", "--daemonize")
    assert all(fired >= 1 for fired in met.fired[:1] + met.fired[2:]), met.fired
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_the_reason_of_a_failed_scale_set_is_told(profile: Profile) -> None:
    failing = testing.fault(
        "fail", type=SCALE_SET, code="AllocationFailed", message="There is no room just now."
    )
    with testing.faults(profile.emulator, failing):
        output = profile.ipcluster("start", "-n", "1", "--daemonize", expect=1)
    assert "There is no room just now. (AllocationFailed)" in output
    assert "Try another vm_size" in output
    profile.assert_nothing_left()


def test_a_size_that_the_subscription_may_not_use_is_named(profile: Profile) -> None:
    with testing.restricted_sizes(profile.emulator, {"sku": "Standard_D4s_v5"}):
        output = profile.ipcluster("start", "-n", "5", "--daemonize", expect=1)
    assert "NotAvailableForSubscription" in output
    profile.assert_nothing_left()


def _one_of_three(profile: Profile, *, boot_timeout_s: int) -> None:
    config = (profile.folder / "ipcluster_config.py").read_text()
    profile.configure(
        f"{config}c.AzureVMEngineSetLauncher.engines_per_vm = 1\n"
        f"c.AzureVMLauncher.min_engines = 2\n"
        f"c.AzureVMLauncher.boot_timeout_s = {boot_timeout_s}\n"
    )


def test_a_machine_that_does_not_answer_delays_no_other(profile: Profile) -> None:
    _one_of_three(profile, boot_timeout_s=15)
    silent = testing.fault("no_ssh", type=f"{SCALE_SET}/virtualMachines")
    with testing.faults(profile.emulator, silent) as met:
        start = profile.popen("ipcluster", "start", "--profile=azure", "-n", "3", "--daemonize")
        wait_for((profile.folder / "security" / "ipcontroller-client.json").exists, 60)
        wait_for(lambda: len(profile.engine_ids()) == 2, 60)
        assert start.poll() is None  # it still waits for the third
        output, _ = start.communicate(timeout=90)
    assert met.fired == [1]
    assert start.returncode == 0, output
    assert "2 of 3 engines registered; missing because: " in output
    assert "did not answer over SSH" in output
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_an_engines_machine_with_another_host_key_is_left_alone(profile: Profile) -> None:
    _one_of_three(profile, boot_timeout_s=60)
    false = testing.fault("wrong_host_key", type=f"{SCALE_SET}/virtualMachines")
    with testing.faults(profile.emulator, false):
        output = profile.ipcluster("start", "-n", "3", "--daemonize")
    assert "2 of 3 engines registered; missing because: " in output
    assert "has another host key" in output
    profile.ipcluster("stop")
    profile.assert_nothing_left()

"""What machines printed that never answered: while it is fetched a start can be cancelled."""

import signal

from azure_emulator import testing

from .conftest import Profile, wait_for

VM = "Microsoft.Compute/virtualMachines"
FETCH = f"{VM}/retrieveBootDiagnosticsData/action"
PATIENCE_S = 60.0


def _impatient(profile: Profile, more: str = "") -> None:
    config = (profile.folder / "ipcluster_config.py").read_text()
    profile.configure(f"{config}c.AzureVMControllerLauncher.boot_timeout_s = 4\n{more}")


def test_a_start_that_is_cancelled_while_it_fetches_a_boot_log_undoes_everything(
    profile: Profile,
) -> None:
    _impatient(profile)
    silent = testing.fault("no_ssh", type=VM)
    slow = testing.fault("delay", operation=FETCH, delay_s=3600)
    with testing.faults(profile.emulator, silent, slow) as met:
        start = profile.popen("ipcluster", "start", "--profile=azure", "-n", "1")
        wait_for(lambda: met.fired == [1, 1], PATIENCE_S)
        start.send_signal(signal.SIGINT)
        output, _ = start.communicate(timeout=PATIENCE_S)
    assert "has accepted the deletion" in output
    profile.assert_nothing_left()


def test_a_start_fails_alike_if_there_is_no_boot_log(profile: Profile) -> None:
    _impatient(profile)
    silent = testing.fault("no_ssh", type=VM)
    refused = testing.fault(
        "refuse",
        operation=FETCH,
        status=403,
        code="AuthorizationFailed",
    )
    with testing.faults(profile.emulator, silent, refused) as met:
        output = profile.ipcluster("start", "-n", "1", expect=1)
    assert met.fired == [1, 1]
    assert "did not answer over SSH" in output
    assert "AuthorizationFailed" not in output
    assert not list((profile.folder / "log").glob("azure--boot-*.log"))
    profile.assert_nothing_left()

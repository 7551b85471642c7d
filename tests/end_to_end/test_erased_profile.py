"""The IPython directory is erased: it stays erased, whatever of a cluster still runs."""

import shutil
import time

import pytest

from azure_emulator.testing import fault, faults
from ipcluster_azure.plan.resource_types import VIRTUAL_MACHINE

from ..complete import one_in, variant
from .conftest import Profile, wait_for


@pytest.mark.parametrize(
    "foreground", [False, pytest.param(True, marks=variant)], ids=["daemon", "foreground"]
)
def test_an_erased_profile_is_not_made_anew(profile: Profile, foreground: bool) -> None:
    profile.cwd = profile.ipython_dir.parent
    command = ("ipcluster", "start", f"--profile={profile.name}", "-n", "1")
    if foreground:
        process = profile.popen(*command)
        assert process.stdout is not None
        assert any("1 of 1 engines are registered" in line for line in process.stdout)
        time.sleep(1.5)  # it still writes the cluster file, and rmtree would meet that
    else:
        profile.run(*command, "--daemonize")
    shutil.rmtree(profile.ipython_dir)
    wait_for(lambda: not profile.processes(), 20)
    if foreground:
        process.communicate(timeout=20)
    assert "not on record" in profile.run("ipcluster-azure", "reap", "--yes").stdout
    wait_for(lambda: not profile.left_on_azure()["resource_groups"])
    assert not profile.folder.exists()


@pytest.mark.parametrize("how", one_in(2, ["stop", "start"]))
def test_a_profile_that_is_erased_meanwhile_is_not_made_anew(profile: Profile, how: str) -> None:
    """Azure is slow to answer when it is erased; what was asked of it may be left to `reap`."""
    profile.cwd = profile.ipython_dir.parent
    if how == "stop":
        profile.ipcluster("start", "-n", "1", "--daemonize")
        slow, command = fault("delay", method="DELETE", type=VIRTUAL_MACHINE, delay_s=4), "stop"
    else:
        slow, command = fault("delay", method="PUT", type=VIRTUAL_MACHINE, delay_s=4), "start"
    with faults(profile.emulator, slow) as met:
        process = profile.popen("ipcluster", command, f"--profile={profile.name}")
        wait_for(lambda: met.fired == [1], 30)
        shutil.rmtree(profile.ipython_dir)
    output, _ = process.communicate(timeout=60)
    wait_for(lambda: not profile.processes(), 20)
    assert not profile.ipython_dir.exists(), output
    profile.run("ipcluster-azure", "reap", "--yes")
    wait_for(lambda: not profile.left_on_azure()["resource_groups"])
    assert not profile.folder.exists()  # IPython itself makes the folder above

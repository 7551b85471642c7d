"""A stop that Azure refuses, and a record that can't be read: a line or two, and what to type next.

That no command prints a traceback is looked after by outputs.py.
"""

import json
import signal
from typing import Any

import pytest

from azure_emulator import testing

from ..complete import variant
from .conftest import Profile, wait_for

LOCKED: dict[str, Any] = testing.fault(
    "refuse",
    method="DELETE",
    times=None,
    status=409,
    code="ScopeLocked",
    message="The scope cannot perform delete operation because following scope(s) are locked: 'x'.",
)
NO_SCALE_SET = testing.fault(
    "refuse",
    operation="Microsoft.Compute/virtualMachineScaleSets/write",
    times=None,
    status=409,
    code="Conflict",
    message="Not now.",
)


def _lines(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.strip()]


def _undeleted(output: str) -> list[str]:
    return [line for line in _lines(output) if "could not be deleted" in line]


def _stop(profile: Profile) -> None:
    """Stop what Azure lets go of now, unless the cluster's link has done so just before."""
    profile.ipcluster("stop", expect=None)
    wait_for(lambda: not profile.files())
    profile.assert_nothing_left()


def test_a_stop_that_azure_refuses_can_be_repeated(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    with testing.faults(profile.emulator, LOCKED):
        output = profile.ipcluster("stop", expect=1)
        assert len(_lines(output)) <= 3, output
        (line,) = _undeleted(output)
        assert "run `ipcluster stop` again" in line
        assert "(ScopeLocked) `az lock list` shows the lock" in line
        code = (
            "import ipyparallel as ipp\n"
            "cluster = ipp.Cluster.from_file(profile='azure', cluster_id='')\n"
            "try: cluster.stop_cluster_sync()\n"
            "except ipp.cluster.launcher.LauncherError as error: print('raised', error)"
        )
        assert "\nraised Azure refused deleting resource group" in profile.python(code)
    _stop(profile)


def test_a_foreground_cluster_whose_stop_is_refused_ends_at_ctrl_c(profile: Profile) -> None:
    start = profile.popen("ipcluster", "start", "--profile=azure", "-n", "1")
    assert start.stdout is not None
    assert any("are registered" in line for line in start.stdout)
    with testing.faults(profile.emulator, LOCKED):
        start.send_signal(signal.SIGINT)
        output, _ = start.communicate(timeout=60)
    assert start.returncode == 1, output
    assert len(_undeleted(output)) == 1
    _stop(profile)


@pytest.mark.parametrize("end", ["", pytest.param("del cluster; gc.collect()", marks=variant)])
def test_a_program_whose_last_stop_is_refused(profile: Profile, end: str) -> None:
    code = (
        "import gc, ipyparallel as ipp\n"
        "cluster = ipp.Cluster(profile='azure', cluster_id='', n=1)\n"
        f"cluster.start_cluster_sync()\n{end}"
    )
    with testing.faults(profile.emulator, LOCKED):
        assert _undeleted(profile.python(code))
    _stop(profile)


def test_a_start_that_can_not_be_undone(profile: Profile) -> None:
    with testing.faults(profile.emulator, NO_SCALE_SET, LOCKED):
        output = profile.ipcluster("start", "-n", "1", expect=1)
    (undeleted,) = _undeleted(output)
    assert "run `ipcluster stop`." in undeleted
    assert "Not now." in _lines(output)[-1]
    _stop(profile)


def test_engines_that_fail_leave_the_cluster_file_as_it_was(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    cluster_file = profile.folder / "security" / "cluster-.json"
    before = json.loads(cluster_file.read_text())
    with testing.faults(profile.emulator, NO_SCALE_SET):
        output = profile.ipcluster("engines", "-n", "1", expect=1)
    assert "Not now." in _lines(output)[-1]
    assert json.loads(cluster_file.read_text()) == before
    _stop(profile)


def test_a_record_that_is_damaged_while_a_cluster_starts(profile: Profile) -> None:
    start = profile.popen("ipcluster", "start", "--profile=azure", "-n", "1")
    record = profile.folder / "security" / "azure-.json"
    assert start.stdout is not None
    assert any("has accepted the controller" in line for line in start.stdout)
    text = record.read_text()
    record.write_text("{")
    output, _ = start.communicate(timeout=60)
    assert start.returncode == 1, output
    assert "run `ipcluster-azure reap`" in _undeleted(output)[0]
    record.write_text(text)
    _stop(profile)

"""Azure accepts connections and never answers: a start and a stop keep their promises."""

import time
from contextlib import AbstractContextManager

import pytest

from azure_emulator import testing
from tests.complete import variant
from tests.processes import is_alive

from .conftest import Profile, read_json, wait_for

SAID_WITHIN_S = 30.0
BUSY_S = 30.0  # what a computer with much to do may add


def _silent(profile: Profile, *, after: int) -> AbstractContextManager[testing.DeclaredFaults]:
    silence = testing.fault("delay", delay_s=3600, skip=after, times=None)
    return testing.faults(profile.emulator, silence)


@pytest.mark.parametrize(
    "answered",
    [6, *(pytest.param(number, marks=variant) for number in (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12))],
)
def test_from_some_request_of_a_start_on(profile: Profile, answered: int) -> None:
    with _silent(profile, after=answered):
        began = time.monotonic()
        output = profile.ipcluster("start", "-n", "1", "--daemonize", expect=1)
        assert time.monotonic() - began < SAID_WITHIN_S + BUSY_S
    assert "does not answer" in output
    if "could not be deleted" in output:
        assert "run `ipcluster stop`" in output
        profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_from_the_first_request_of_a_stop_on(profile: Profile) -> None:
    profile.ipcluster("start", "-n", "1", "--daemonize")
    link = read_json(profile.folder / "security" / "azure-.json")["link_pid"]
    with _silent(profile, after=0):
        began = time.monotonic()
        status = profile.run("ipcluster-azure", "status", "--profile=azure", expect=1).stdout
        assert "problem: The Azure endpoint does not answer" in status
        assert time.monotonic() - began < SAID_WITHIN_S + BUSY_S
        began = time.monotonic()
        output = profile.ipcluster("stop", expect=1)
        assert time.monotonic() - began < SAID_WITHIN_S + BUSY_S
    assert "run `ipcluster stop` again" in output
    assert "does not answer" in output
    # the link, which found the silence too, does it as soon as Azure answers
    wait_for(lambda: not is_alive(int(str(link))), 120)
    profile.assert_nothing_left()

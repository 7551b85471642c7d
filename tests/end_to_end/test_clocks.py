"""Limits go by Azure's clock: by the emulator's virtual one, and not by a computer's wrong one."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from azure_emulator import client
from ipcluster_azure.record.file import RecordFile
from tests.forked_client import Server

from ..complete import variant
from .conftest import ON_EMULATOR, Profile, new_profile, read_json, wait_for
from .test_caretaker import link_log
from .test_eviction import guard_file

HOUR_S = 3600
ROOM_S = 300  # that a start may take, and this test after it, on a busy computer
SKEWED = """
import datetime, os, time

real, skew_s = time.time, float(os.environ["SKEW_S"])

class Skewed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

time.time = lambda: real() + skew_s
datetime.datetime = Skewed
"""


@pytest.fixture
def virtual(tmp_path: Path, server: Server) -> Iterator[Profile]:
    """A profile on an emulator whose virtual clock goes forty times as fast as a real one."""
    info = client.start(tmp_path / "emulator", clock="virtual", idle_timeout_s=86_400)
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(0.05):
            client.advance(info, 2.0)

    pace = threading.Thread(target=go_on)
    pace.start()
    try:
        with new_profile(tmp_path, info, server) as profile:
            yield profile
    finally:
        over.set()
        pace.join()
        client.stop(info.state_dir)


@pytest.mark.parametrize(
    ("config", "not_yet_s", "then_s", "reason"),
    [
        (
            "c.AzureVMLauncher.max_lifetime_h = 12\nc.AzureVMLauncher.idle_timeout_min = 0\n",
            10 * HOUR_S,
            2.5 * HOUR_S,
            "Deleted after 12 h, its longest life (max_lifetime_h).",
        ),
        pytest.param(
            "c.AzureVMLauncher.max_lifetime_h = 0\nc.AzureVMLauncher.idle_timeout_min = 600\n",
            9 * HOUR_S,
            10.5 * HOUR_S,
            "Deleted after 600 min without a task (idle_timeout_min).",
            marks=variant,
        ),
    ],
)
def test_a_limit_is_reached_when_the_virtual_clock_says_so(
    virtual: Profile, config: str, not_yet_s: float, then_s: float, reason: str
) -> None:
    virtual.configure(ON_EMULATOR + config)
    virtual.ipcluster("start", "-n", "1", "--daemonize")
    client.advance(virtual.emulator, not_yet_s)
    wait_for(lambda: read_json(guard_file(virtual))["clock"]["age_s"] > not_yet_s, 60)
    assert virtual.engine_ids()
    (listed,) = json.loads(virtual.run("ipcluster-azure", "list", "--json").stdout)
    assert (listed["state"], listed["age_s"] // HOUR_S) == ("running", not_yet_s // HOUR_S)
    client.advance(virtual.emulator, then_s)
    wait_for(lambda: reason in link_log(virtual), 60)

    def is_deleted() -> bool:
        client.advance(virtual.emulator, 60.0)  # how long Azure takes to delete is not the question
        return not virtual.left_on_azure()["resource_groups"]

    wait_for(is_deleted, 60)
    wait_for(lambda: not virtual.processes(), 60)


@pytest.mark.parametrize("skew_h", [13, pytest.param(-13, marks=variant)])
def test_a_computer_whose_clock_is_wrong_shortens_no_cluster(
    profile: Profile, tmp_path: Path, skew_h: int
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SKEWED)
    profile.environment = {"PYTHONPATH": str(tmp_path), "SKEW_S": str(skew_h * HOUR_S)}
    # compiled modules wonder at another datetime.datetime
    profile.environment["PYTHONWARNINGS"] = "ignore::RuntimeWarning"
    profile.server = None
    shown = profile.python("import datetime; print(datetime.datetime.now().timestamp())")
    assert abs(float(shown) - time.time() - skew_h * HOUR_S) < ROOM_S
    profile.ipcluster("start", "-n", "1", "--daemonize")
    record = RecordFile.of(str(profile.folder), "").require()
    created = datetime.fromisoformat(record.created)
    assert abs((datetime.now(timezone.utc) - created).total_seconds()) < ROOM_S
    expires = datetime.fromisoformat(record.plan.tags["ipcluster-azure-expires"])
    assert (expires - created).total_seconds() == 12 * HOUR_S
    assert 0 <= read_json(guard_file(profile))["clock"]["age_s"] < ROOM_S
    (listed,) = json.loads(profile.run("ipcluster-azure", "list", "--json").stdout)
    assert listed["state"] == "running"
    assert 0 <= listed["age_s"] < ROOM_S
    (seen,) = json.loads(
        profile.run("ipcluster-azure", "status", "--profile=azure", "--json").stdout
    )
    assert 0 <= seen["age_s"] < ROOM_S
    profile.run("ipcluster-azure", "reap", "--yes", "--expired")
    assert profile.left_on_azure()["resource_groups"]
    profile.ipcluster("stop")
    profile.assert_nothing_left()

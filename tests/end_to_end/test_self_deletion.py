"""This computer is gone for good: the controller's machine deletes the cluster by itself."""

import json
from pathlib import Path

import psutil
import pytest

from ipcluster_azure.azure_api import AzureApi
from ipcluster_azure.emulator.testing import fault, faults
from ipcluster_azure.record import Endpoint, Record
from ipcluster_azure.record_file import RecordFile

from .conftest import Profile, wait_for
from .test_eviction import guard_file

LIMIT_S = 40.0  # more than a start takes on a busy computer
GONE_S = 90.0


def _start(profile: Profile, config: str, *more_engines: str) -> Record:
    """A cluster whose link is killed; its guard waits a second, not a minute, for this computer."""
    path = profile.folder / "ipcluster_config.py"
    profile.configure(path.read_text(encoding="utf-8") + config)
    profile.ipcluster("start", "-n", "2", "--daemonize")
    for n in more_engines:
        profile.ipcluster("engines", "-n", n, "--daemonize")
    settings_file = guard_file(profile).with_name("guard_settings.json")
    assert settings_file.stat().st_mode & 0o077 == 0
    settings = json.loads(settings_file.read_text())
    settings_file.write_text(json.dumps(settings | {"grace_s": 1}))
    record = RecordFile.of(str(profile.folder), "").require()
    psutil.Process(record.link_pid).kill()
    return record


def _machines(profile: Profile) -> list[str]:
    return profile.left_on_azure()["virtual_machines"]


@pytest.mark.parametrize(
    "limit",
    [f"max_lifetime_h = {LIMIT_S} / 3600", f"idle_timeout_min = {LIMIT_S} / 60"],
)
def test_its_own_group_is_deleted(profile: Profile, limit: str) -> None:
    refusals = (
        fault("refuse", method="DELETE", status=429, retry_after_s=2),
        fault("refuse", method="DELETE", status=503),
        fault("drop", method="DELETE"),
    )
    with faults(profile.emulator, *refusals) as met:
        _start(profile, f"c.AzureVMLauncher.{limit}\n")
        assert len(_machines(profile)) > 1
        wait_for(lambda: not profile.left_on_azure()["resource_groups"], LIMIT_S + GONE_S)
        assert met.fired == [1, 1, 1]
    profile.ipcluster("stop")
    profile.assert_nothing_left()


def test_in_a_shared_group_the_machines_are_deleted_and_nothing_else(profile: Profile) -> None:
    info = profile.emulator
    endpoint = Endpoint(info.endpoint, info.endpoint, str(info.ca_file), str(info.token_file))
    with AzureApi(endpoint, info.subscription_id) as api:
        api.put_group("team", "eastus", {})
        try:
            _start(
                profile,
                'c.AzureVMLauncher.resource_group = "team"\n'
                f"c.AzureVMLauncher.idle_timeout_min = {LIMIT_S} / 60\n",
                "1",  # a set that did not exist when the guard was started
            )
            assert len(_machines(profile)) > 2
            wait_for(lambda: not _machines(profile), LIMIT_S + GONE_S)
            assert profile.left_on_azure()["resource_groups"] == ["team"]
            profile.ipcluster("stop")
        finally:
            api.delete_group("team")
    profile.assert_nothing_left()


def test_a_cluster_at_work_is_kept(profile: Profile) -> None:
    _start(profile, f"c.AzureVMLauncher.idle_timeout_min = {LIMIT_S} / 60\n")
    # its tunnels are gone with the link; the connection file on the machine leads to the hub
    (connection_file,) = Path(guard_file(profile).parent).glob("profile/security/*-client.json")
    profile.python(
        "import time, ipyparallel as ipp\n"
        f"c = ipp.Client({str(connection_file)!r})\n"
        f"c.broadcast_view().apply_sync(time.sleep, {LIMIT_S + 8})"
    )
    assert len(_machines(profile)) > 1
    profile.ipcluster("stop")
    profile.assert_nothing_left()

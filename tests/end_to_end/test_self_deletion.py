"""This computer is gone for good: the controller's machine deletes the cluster by itself."""

import json
from pathlib import Path

import pytest

from azure_emulator.testing import fault, faults
from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.record.contents import Record
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi

from ..complete import variant
from .conftest import Profile, wait_for
from .test_eviction import guard_file

LIFETIME = {"max_lifetime_h": 1.0}
IDLE = {"idle_timeout_min": 2.0}  # more than a start takes on a busy computer
LIMIT_S = 5.0
GONE_S = 90.0


def _start(
    profile: Profile, limit: dict[str, float], config: str = "", *more_engines: str
) -> Record:
    """A cluster whose link is killed."""
    config += "".join(f"c.AzureVMLauncher.{name} = {value}\n" for name, value in limit.items())
    path = profile.folder / "ipcluster_config.py"
    profile.configure(path.read_text(encoding="utf-8") + config)
    profile.ipcluster("start", "-n", "2", "--daemonize")
    for n in more_engines:
        profile.ipcluster("engines", "-n", n, "--daemonize")
    record = RecordFile.of(str(profile.folder), "").require()
    profile.kill_link()
    return record


def _hurry(profile: Profile, limit: dict[str, float]) -> None:
    """The limit is seconds instead, and the guard waits a second, not a minute, for this computer.

    Not from the start, as the link would delete the cluster itself.
    """
    settings_file = guard_file(profile).with_name("guard_settings.json")
    assert settings_file.stat().st_mode & 0o077 == 0
    settings = json.loads(settings_file.read_text())
    assert limit.items() <= settings.items()
    unit_s = {"max_lifetime_h": 3600, "idle_timeout_min": 60}
    shorter = {name: LIMIT_S / unit_s[name] for name in limit}
    settings_file.write_text(json.dumps(settings | {"grace_s": 1} | shorter))


def _machines(profile: Profile) -> list[str]:
    return profile.left_on_azure()["virtual_machines"]


@pytest.mark.parametrize(
    "limit",
    [LIFETIME, pytest.param(IDLE, marks=variant)],
    ids=lambda limit: next(iter(limit)),
)
def test_its_own_group_is_deleted(profile: Profile, limit: dict[str, float]) -> None:
    refusals = (
        fault("refuse", method="DELETE", status=429, retry_after_s=2),
        fault("refuse", method="DELETE", status=503),
        fault("drop", method="DELETE"),
    )
    with faults(profile.emulator, *refusals) as met:
        _start(profile, limit)
        assert len(_machines(profile)) > 1
        _hurry(profile, limit)
        wait_for(lambda: not profile.left_on_azure()["resource_groups"], GONE_S)
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
                IDLE,
                'c.AzureVMLauncher.resource_group = "team"\n',
                "1",  # a set that did not exist when the guard was started
            )
            assert len(_machines(profile)) > 2
            _hurry(profile, IDLE)
            wait_for(lambda: not _machines(profile), GONE_S)
            assert profile.left_on_azure()["resource_groups"] == ["team"]
            profile.ipcluster("stop")
        finally:
            api.delete_group("team")
    profile.assert_nothing_left()


def test_a_cluster_at_work_is_kept(profile: Profile) -> None:
    _start(profile, IDLE)
    # its tunnels are gone with the link; the connection file on the machine leads to the hub
    (connection_file,) = Path(guard_file(profile).parent).glob("profile/security/*-client.json")
    program = profile.popen(
        "python",
        "-c",
        "import time, ipyparallel as ipp\n"
        f"c = ipp.Client({str(connection_file)!r})\n"
        f"result = c.broadcast_view().apply(time.sleep, {LIMIT_S + 8})\n"
        "print('begun', flush=True)\n"
        "result.get()",
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "begun\n"
    _hurry(profile, IDLE)
    program.communicate(timeout=60)
    assert program.returncode == 0
    assert len(_machines(profile)) > 1
    profile.ipcluster("stop")
    profile.assert_nothing_left()

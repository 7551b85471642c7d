"""A cluster's life, on Azure if someone pays for it and on the emulator otherwise."""

import pytest

from .conftest import Target, User

MAP = """
import ipyparallel as ipp
c = ipp.Client(profile={profile!r}, cluster_id="")
c.wait_for_engines({n}, timeout=60)
print(c[:].map_sync(lambda x: x**2, range(8)))
"""
SQUARES = str([x**2 for x in range(8)])


def _squares(user: User, n: int) -> str:
    code = MAP.format(profile=user.profile, n=n)
    return user.run("python", "-W", "ignore", "-c", code).strip()


def test_start_use_add_stop(user: User, target: Target) -> None:
    user.configure()
    output = user.ipcluster("start", "-n", "2", "--daemonize")
    assert "2 of 2 engines are registered" in output
    assert len(target.groups.names()) == 1
    assert _squares(user, 2) == SQUARES
    user.ipcluster("engines", "-n", "2", "--daemonize")
    assert _squares(user, 4) == SQUARES
    assert len(target.groups.names()) == 1
    user.ipcluster("stop")
    assert target.groups.wait_until_gone(target.deletion_timeout_s) == []


def test_delete_by_tag_takes_a_running_cluster(user: User, target: Target) -> None:
    """What the end of every test here relies on."""
    if target.name == "azure":
        pytest.skip("would pay for machines only to see what every test sees at its end")
    user.configure()
    user.ipcluster("start", "-n", "1", "--daemonize")
    others = target.groups.with_value("of-another")
    others.create("of-another", "eastus")
    assert len(target.groups.delete_all(30)) == 1
    assert others.names() == ["of-another"]
    assert others.delete_all(30) == ["of-another"]
    user.ipcluster("stop")

"""An emulator that is killed leaves nothing here: what dies with it, and who tidies up."""

import os
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from azure_emulator import client
from tests.end_to_end.conftest import wait_for

from .conftest import Laptop, left_of


def sysctls() -> str:
    """What of this computer's own network could have been changed."""
    return Path("/proc/sys/net/ipv4/ip_forward").read_text()


def test_nothing_is_left_of_a_killed_emulator_with_machines(
    laptop: Laptop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sysctls(), laptop.here("nft", "list", "ruleset")
    state_dir = tmp_path / "emulator"
    info = client.start(state_dir, machines="nspawn", idle_timeout_s=86_400)
    monkeypatch.setenv(client.STATE_DIR_VARIABLE, str(state_dir))
    other = replace(laptop, emulator=info, namespace=info.network_namespace, home=tmp_path)
    other = other.with_profile("killed")
    try:
        other.run("ipcluster-azure", "create", "--profile=killed", "-n", "1")
        assert len(client.status(state_dir)["virtual_machines"]) == 2
        assert len(left_of(info)) > 4
        os.kill(info.pid, signal.SIGKILL)
        with suppress(AssertionError):  # the next line says what it is
            wait_for(lambda: not left_of(info), 30)
        assert left_of(info) == []
        assert (sysctls(), laptop.here("nft", "list", "ruleset")) == before
    finally:
        client.stop(state_dir)

"""What a cluster costs is said, and held, by the emulator's invented prices; and engines have GPUs.

One cluster of a size with two GPUs serves the tests that only look.
"""

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ipyparallel as ipp
import pytest

from azure_emulator.testing import fault, faults
from ipcluster_azure.plan.resource_types import SCALE_SET
from ipcluster_azure.record.contents import Record
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager import prices

from .bare_stage import Stage, cloud, stage
from .conftest import Profile, wait_for
from .test_eviction import guard_file

__all__ = ["cloud", "stage"]  # fixtures
INVENTED = "invented by the emulator"
CONTROLLER_USD, GPU_VM_USD = 0.04 + 0.01, 2.12  # an hour, without disks; with the address
DISK_USD = 3.2 / 730
RATE = CONTROLLER_USD + 2 * GPU_VM_USD + 3 * DISK_USD


@ipp.interactive
def look() -> tuple[str, int]:
    import os

    return os.environ.get("CUDA_VISIBLE_DEVICES", ""), os.getpid()


@dataclass(frozen=True)
class Cluster:
    """Three engines on two machines with two GPUs each. `output`: what its start said."""

    profile: Profile
    output: str

    @property
    def record(self) -> Record:
        return RecordFile.of(str(self.profile.folder), "").require()

    def run(self, *words: str) -> str:
        return self.profile.run(*words).stdout


@pytest.fixture(scope="module")
def running(shared_profile: Profile) -> Iterator[Cluster]:
    with open(shared_profile.folder / "ipcluster_config.py", "a", encoding="utf-8") as config:
        config.write('c.AzureVMEngineSetLauncher.vm_size = "Standard_NC12s_v3"\n')
        config.write("c.AzureVMLauncher.max_cost = 20\n")
    output = shared_profile.ipcluster("start", "-n", "3", "--daemonize")
    yield Cluster(shared_profile, output)
    output = shared_profile.ipcluster("stop")
    assert re.search(rf"The cluster has cost about \$\d+\.\d+ \({INVENTED}\)", output), output
    shared_profile.assert_nothing_left()


def test_each_engine_has_a_gpu_of_its_own_and_keeps_its_number(running: Cluster) -> None:
    first = next(iter(running.record.engine_sets.values()))
    assert [machine.engines for machine in first.machines] == [2, 1]

    with running.profile.client() as client:
        ids = set(client.ids)
        before = client[:].apply_async(look).get(timeout=60)
        # the machine with one engine lets that have both; other tests may add machines without
        assert sorted(gpus for gpus, _ in before if gpus) == ["0", "0,1", "1"]
        (victim,) = [pid for gpus, pid in before if gpus == "1"]
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: set(client.ids) != ids and len(client.ids) == len(ids), 60)
        after = client[:].apply_async(look).get(timeout=60)
        assert victim not in [pid for _, pid in after]
        assert sorted(gpus for gpus, _ in after if gpus) == ["0", "0,1", "1"]


def test_the_cost_is_said_before_anything_is_created(running: Cluster) -> None:
    said = (
        rf"3 machines, disks and address: about \${RATE:.2f} an hour, at most \$19\.9\d until it "
        rf"ends by itself \({INVENTED}\)\. The cluster is deleted after"
    )
    assert re.search(said, running.output), running.output
    assert running.output.index("disks and address") < running.output.index("Requesting the")


def test_what_it_costs_and_when_it_ends_follows_what_is_added(running: Cluster) -> None:
    _see_cost(running)
    before = running.record
    assert before.limits.max_lifetime_h == pytest.approx(20 / RATE, abs=0.02)
    assert _guard_told(running) == before.limits.max_lifetime_h
    output = running.profile.ipcluster(
        "engines", "-n", "1", "--daemonize", "--AzureVMEngineSetLauncher.vm_size=D8s_v5"
    )
    added = 0.08 + DISK_USD
    assert f"4 machines, disks and address: about ${RATE + added:.2f} an hour" in output
    record = running.record
    assert record.limits.max_lifetime_h < before.limits.max_lifetime_h
    assert record.cost.rate.usd == pytest.approx(RATE + added)
    wait_for(lambda: _guard_told(running) == record.limits.max_lifetime_h, 60)
    listed = _listed(running)
    hours = _hours(listed["created"], listed["expires"])
    assert hours == pytest.approx(record.limits.max_lifetime_h, abs=0.001)


def _see_cost(running: Cluster) -> None:
    """`status`, `top` and `list` say what the cluster costs, before anything is added to it."""
    profile = f"--profile={running.profile.name}"
    shown = json.loads(running.run("ipcluster-azure", "top", profile, "--once", "--json"))
    by_guard = shown["cost"]
    assert by_guard["usd_per_hour"] == pytest.approx(RATE)
    status = running.run("ipcluster-azure", "status", profile)
    assert re.search(
        rf"  cost: about \${RATE:.2f} an hour, \$\d+\.\d+ so far, at most \$19\.9\d until "
        rf"it ends \({INVENTED}\)\n",
        status,
    ), status
    (shown,) = json.loads(running.run("ipcluster-azure", "status", profile, "--json"))
    cost = shown["cost"]
    assert cost["usd_per_hour"] == pytest.approx(RATE)
    assert 0 < cost["usd_so_far"] < cost["usd_at_most"] <= 20
    assert (cost["unknown"], cost["source"]) == ([], INVENTED)
    # of a moment before: when the guard was last heard
    assert 0 < by_guard["usd_so_far"] < cost["usd_so_far"] < by_guard["usd_so_far"] + RATE / 10
    top = running.run("ipcluster-azure", "top", profile, "--once")
    assert f"\n  cost: about ${RATE:.2f} an hour, $" in top
    listed = _listed(running)
    assert listed["usd_per_hour"] == pytest.approx(RATE)
    assert listed["price_unknown"] == []
    assert f" {RATE:.3f} " in running.run("ipcluster-azure", "list", profile)


def _listed(running: Cluster) -> Any:
    profile = f"--profile={running.profile.name}"
    (listed,) = json.loads(running.run("ipcluster-azure", "list", profile, "--json"))
    return listed


def _guard_told(running: Cluster) -> Any:
    file = guard_file(running.profile).with_name("guard_settings.json")
    return json.loads(file.read_text())["max_lifetime_h"]


def _hours(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() / 3600


# --- as far as its requests, with an emulator without machines


def test_max_cost_is_in_the_tags(stage: Stage) -> None:
    controller, _ = stage.start(max_cost=0.5)
    tags = controller["tags"]
    hours = _hours(tags["ipcluster-azure-created"], tags["ipcluster-azure-expires"])
    rate = 2 * (0.04 + DISK_USD) + 0.01
    assert hours == pytest.approx(0.5 / rate, abs=0.011)
    record = stage.file.require()
    assert record.limits.max_lifetime_h == pytest.approx(hours)
    assert record.cost.machines == 2


def test_a_max_cost_that_cannot_be_held_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "max_cost = 0.001 lasts for" in stage.refused(max_cost=0.001)
    monkeypatch.setattr(prices, "price_list", lambda endpoint: None)  # as in other clouds
    refusal = stage.refused(max_cost=5.0)
    assert "max_cost = 5 can't be held: no price is known of Standard_D4s_v5" in refusal
    assert "has no public list of prices" in refusal
    assert stage.find().cost.rate.unknown  # and without max_cost it is no reason to refuse


def test_engines_of_the_next_size_cost_what_that_does(stage: Stage) -> None:
    full = fault("refuse", method="PUT", type=SCALE_SET, code="SkuNotAvailable", status=409)
    engines = stage.settings(vm_size=("Standard_D4s_v5", "Standard_D16s_v5"), max_cost=9.0)
    with faults(stage.cloud.info, full) as met:
        stage.start(engines, max_cost=9.0)
    assert met.fired == [1]
    record = stage.file.require()
    rate = 0.04 + 0.16 + 2 * DISK_USD + 0.01
    assert record.cost.rate.usd == pytest.approx(rate)
    assert record.limits.max_lifetime_h == 12  # longer than 9 dollars would allow a D4s and more
    group = stage.cloud.call("GET", f"/resourceGroups/{record.plan.resource_group}")
    tags = group.body["tags"]
    assert _hours(tags["ipcluster-azure-created"], tags["ipcluster-azure-expires"]) == 12

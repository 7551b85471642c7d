"""What the guard may delete: exactly what is the cluster's, its own machine last."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.record.contents import Controller, EngineSet, Limits, Record
from ipcluster_azure.record.environment import Environment
from ipcluster_azure.ssh.guard_settings import guard_settings

from ..plans import CLUSTER

GROUP = "/subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/ipp-azure-0a1b2c3d"
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"
VM = f"{COMPUTE}/virtualMachines/controller"


def _record(*, self_deletion: bool, owns_group: bool = True, ca_file: str = "") -> Record:
    created = datetime.now(timezone.utc) - timedelta(minutes=10)
    sets = {
        name: EngineSet(f"{COMPUTE}/virtualMachineScaleSets/{name}", 1, 1, 1, "key")
        for name in ("a", "b")
    }
    return Record(
        cluster_id="",
        created=created.isoformat(timespec="seconds"),
        endpoint=Endpoint("https://management.azure.com", "https://management.azure.com", ca_file),
        plan=replace(CLUSTER, owns_resource_group=owns_group),
        environment=Environment("minimal", "python3", "3.11", "9.2.0"),
        limits=Limits(12.0, 60.0, self_deletion),
        controller=Controller(vm_id=VM),
        engine_sets=sets,
        resources=[f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net", VM],
    )


def test_without_the_right_it_deletes_nothing() -> None:
    settings = guard_settings(_record(self_deletion=False))
    assert settings["delete"] == []
    assert (settings["max_lifetime_h"], settings["idle_timeout_min"]) == (12.0, 60.0)
    assert settings["age_s"] == pytest.approx(600, abs=5)


def test_its_own_group_goes_with_all_that_is_in_it() -> None:
    (url,) = guard_settings(_record(self_deletion=True))["delete"]
    assert url.startswith(f"{GROUP}?api-version=")


def test_in_another_group_its_machines_go_the_controllers_last() -> None:
    urls = guard_settings(_record(self_deletion=True, owns_group=False))["delete"]
    sets = [f"{COMPUTE}/virtualMachineScaleSets/{name}" for name in ("a", "b")]
    assert [url.partition("?")[0] for url in urls] == [*sets, VM]


def test_an_endpoint_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("certificate")
    record = _record(self_deletion=True, ca_file=str(ca_file))
    assert guard_settings(record)["ca_pem"] == "certificate"

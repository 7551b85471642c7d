"""Declared faults, as the real SDK meets them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import (
    HttpResponseError,
    IncompleteReadError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)

from azure_emulator import client
from azure_emulator.base.clock import RealClock
from azure_emulator.base.random_streams import Chance
from azure_emulator.rules.faults import Faults, MachineFault
from azure_emulator.testing import fault, faults

from ..cloud import LOCATION, Cloud, Keys, Site, scale_set_body, vm_body
from ..conftest import numbers, running

IP: Any = {"location": LOCATION, "sku": {"name": "Standard"}}
VM_WRITE = "Microsoft.Compute/virtualMachines/write"
LOST = (ServiceRequestError, ServiceResponseError, HttpResponseError)


def make_ip(cloud: Cloud, site: Site, name: str = "ip", **options: Any) -> Any:
    addresses = cloud.network.public_ip_addresses
    return addresses.begin_create_or_update(site.group, name, IP, **options).result()


def test_the_nth_request_of_a_type_is_refused(arm: Cloud, site: Site) -> None:
    declared = fault(
        "refuse", type="microsoft.network/publicIPaddresses", method="put", skip=1, times=2,
        status=409, code="Busy", message="Not now.",
    )  # fmt: skip
    with faults(arm.info, declared) as met:
        assert make_ip(arm, site, "one").provisioning_state == "Succeeded"
        for _ in range(2):
            with pytest.raises(HttpResponseError, match="Not now") as caught:
                make_ip(arm, site, "two")
            assert (caught.value.status_code, caught.value.error.code) == (409, "Busy")
        site.put("networkSecurityGroups", "nsg")
        assert make_ip(arm, site, "two").provisioning_state == "Succeeded"
        assert met.matched == [4]
    assert met.fired == [2]
    assert client.faults(arm.info) == []


def test_names_and_paths_choose_whom_a_fault_meets(arm: Cloud, site: Site) -> None:
    with faults(
        arm.info,
        fault("refuse", name="bad-*", times=None),
        fault("refuse", path=f"*/{site.group}/*/networkSecurityGroups/*", code="Mine"),
    ) as met:
        assert site.put("publicIPAddresses", "good").status == 201
        assert site.put("publicIPAddresses", "BAD-1").status == 500
        assert site.get("publicIPAddresses", "bad-1").status == 500
        assert site.put("networkSecurityGroups", "nsg").code == "Mine"
        assert site.put("networkSecurityGroups", "nsg").status == 201
    assert met.fired == [2, 1]


def test_the_sdk_gets_through_a_burst_of_5xx(patient: Cloud, site: Site) -> None:
    burst = fault("refuse", operation="*/publicIPAddresses/write", status=503, times=3)
    with faults(patient.info, burst) as met:
        assert make_ip(patient, site).provisioning_state == "Succeeded"
    assert met.fired == [3]


def test_the_sdk_waits_as_long_as_retry_after_says(patient: Cloud, site: Site) -> None:
    busy = fault("refuse", method="PUT", status=429, code="TooManyRequests", retry_after_s=1)
    began = time.monotonic()
    with faults(patient.info, busy) as met:
        make_ip(patient, site)
    assert met.fired == [1]
    assert time.monotonic() - began >= 1


def test_an_operation_fails_in_its_course(arm: Cloud, site: Site, keys: Keys) -> None:
    nic = site.nic("nic", site.network())["id"]
    body: Any = vm_body(keys, nic)
    with faults(arm.info, fault("fail", operation=VM_WRITE, code="AllocationFailed")):
        poller = arm.compute.virtual_machines.begin_create_or_update(site.group, "vm", body)
        with pytest.raises(HttpResponseError, match="sufficient capacity") as caught:
            poller.result()
    assert caught.value.error.code == "AllocationFailed"
    shown = arm.compute.virtual_machines.get(site.group, "vm", expand="instanceView")
    assert shown.provisioning_state == "Failed"
    assert [status.code for status in shown.instance_view.statuses] == ["ProvisioningState/failed"]
    # It can be tried again, and it can be deleted.
    arm.compute.virtual_machines.begin_delete(site.group, "vm").result()
    site.vm("vm", keys, nic)


def test_a_machine_that_was_late_to_report_is_there(arm: Cloud, site: Site, keys: Keys) -> None:
    nic = site.nic("nic", site.network())["id"]
    with faults(arm.info, fault("fail", operation=VM_WRITE, code="OSProvisioningTimedOut")):
        answer = site.put("virtualMachines", "vm", vm_body(keys, nic)["properties"])
        failed = arm.wait_for(answer)
    assert failed["status"] == "Failed"
    assert "'vm' did not finish" in failed["error"]["message"]
    view = arm.call("GET", site.provider("virtualMachines", "vm") + "/instanceView").body
    codes = [status["code"] for status in view["statuses"]]
    assert codes == ["ProvisioningState/failed", "PowerState/running"]


def test_some_instances_of_a_scale_set_fail(arm: Cloud, site: Site, keys: Keys) -> None:
    body = scale_set_body(keys, site.network(), 10)
    one_in_five = fault("fail", operation=VM_WRITE, code="ZonalAllocationFailed", skip=4, times=2)
    with faults(arm.info, one_in_five):
        path = site.provider("virtualMachineScaleSets", "set")
        failed = arm.wait_for(arm.call("PUT", path, body))
    assert (failed["status"], failed["error"]["code"]) == ("Failed", "ZonalAllocationFailed")
    states = [vm.provisioning_state for vm in arm.compute.virtual_machines.list(site.group)]
    assert sorted(states) == ["Failed"] * 2 + ["Succeeded"] * 8
    assert site.get("virtualMachineScaleSets", "set").body["properties"]["provisioningState"] == (
        "Failed"
    )


def test_a_scale_set_fails_as_a_whole(arm: Cloud, site: Site, keys: Keys) -> None:
    subnet = site.network()
    path = site.provider("virtualMachineScaleSets", "set")
    with faults(arm.info, fault("fail", type="*/virtualMachineScaleSets", code="AllocationFailed")):
        answer = arm.call("PUT", path, scale_set_body(keys, subnet, 3))
        assert arm.wait_for(answer)["error"]["code"] == "AllocationFailed"
    states = {vm.provisioning_state for vm in arm.compute.virtual_machines.list(site.group)}
    assert states == {"Failed"}
    site.deleted("virtualMachineScaleSets", "set")
    assert list(arm.compute.virtual_machines.list(site.group)) == []


def test_a_deletion_that_fails_leaves_the_resource(arm: Cloud, site: Site, keys: Keys) -> None:
    nic = site.nic("nic", site.network())["id"]
    site.vm("vm", keys, nic)
    machines = arm.compute.virtual_machines
    with faults(arm.info, fault("fail", method="DELETE", code="InternalExecutionError", times=2)):
        with pytest.raises(HttpResponseError, match="InternalExecutionError"):
            machines.begin_delete(site.group, "vm").result()
        assert machines.get(site.group, "vm").provisioning_state == "Failed"
        with pytest.raises(HttpResponseError):
            arm.resource.resource_groups.begin_delete(site.group).result()
    assert arm.resource.resource_groups.get(site.group).properties.provisioning_state == "Succeeded"
    machines.begin_delete(site.group, "vm").result()
    assert site.get("virtualMachines", "vm").status == 404


def test_an_operation_never_ends(arm: Cloud, site: Site) -> None:
    with faults(arm.info, fault("never_ends", type="*/publicIPAddresses")):
        answer = site.put("publicIPAddresses", "ip")
        began = time.monotonic()
        for _ in range(3):
            state = arm.call("GET", answer.headers["azure-asyncoperation"]).body
            assert state["status"] == "InProgress"
        assert time.monotonic() - began < 20
    assert site.get("publicIPAddresses", "ip").body["properties"]["provisioningState"] == "Updating"


def test_a_failure_comes_when_it_was_declared_for(
    tmp_path_factory: pytest.TempPathFactory, keys: Keys
) -> None:
    directory = tmp_path_factory.mktemp("later")
    for cloud in running(directory, machines="none", clock="virtual", seed=1):
        site = Site(cloud, "later", "10.0.0.0/20")
        with faults(cloud.info, fault("fail", after_s=1800, code="VMStartTimedOut", method="PUT")):
            answer = site.put("publicIPAddresses", "ip")
        client.advance(cloud.info, 1799)
        state = cloud.call("GET", answer.headers["azure-asyncoperation"]).body
        assert state["status"] == "InProgress"
        client.advance(cloud.info, 2)
        state = cloud.call("GET", answer.headers["azure-asyncoperation"]).body
        assert state["error"]["code"] == "VMStartTimedOut"


def test_a_dropped_request_is_not_carried_out(arm: Cloud, patient: Cloud, site: Site) -> None:
    dropped = fault("drop", method="PUT", times=None)
    with faults(arm.info, dropped) as met:
        with pytest.raises(LOST):
            make_ip(arm, site)
        with pytest.raises(LOST):
            make_ip(patient, site)
        assert met.fired == [5]  # 1 + 1, and 3 more tries
    assert site.get("publicIPAddresses", "ip").status == 404
    with faults(arm.info, fault("drop", method="PUT", times=2)):
        assert make_ip(patient, site).provisioning_state == "Succeeded"


def test_a_reply_cut_after_the_work_was_done(patient: Cloud, site: Site) -> None:
    cut_put, cut_get = (fault("cut_reply", method=method) for method in ("PUT", "GET"))
    # The SDK reads the body of a PUT when it has stopped trying, that of a GET before.
    with faults(patient.info, cut_put), pytest.raises(IncompleteReadError):
        make_ip(patient, site)
    assert make_ip(patient, site).provisioning_state == "Succeeded"
    with faults(patient.info, cut_get) as met:
        assert patient.network.public_ip_addresses.get(site.group, "ip").name == "ip"
    assert met.fired == [1]


def test_a_reply_lost_after_the_work_was_done(arm: Cloud, patient: Cloud, site: Site) -> None:
    with faults(arm.info, fault("lose_reply", method="PUT", times=2)) as met:
        with pytest.raises(LOST):
            make_ip(arm, site, "one")
        assert site.get("publicIPAddresses", "one").status == 200
        # The second try finds what the first has made.
        assert make_ip(patient, site, "two").provisioning_state == "Succeeded"
    assert met.fired == [2]


def test_a_lost_reply_without_a_body(patient: Cloud, site: Site, keys: Keys) -> None:
    site.vm("vm", keys, site.nic("nic", site.network())["id"])
    with faults(patient.info, fault("cut_reply", method="DELETE")) as met:
        patient.compute.virtual_machines.begin_delete(site.group, "vm").result()
    assert met.fired == [1]
    with pytest.raises(ResourceNotFoundError):
        patient.compute.virtual_machines.get(site.group, "vm")


def test_slow_answers(arm: Cloud, site: Site) -> None:
    with faults(arm.info, fault("delay", delay_s=0.4, method="GET"), fault("delay", delay_s=0)):
        began = time.monotonic()
        assert site.get("publicIPAddresses").body == {"value": []}
        assert time.monotonic() - began > 0.4
    with faults(arm.info, fault("slow_reply", bytes_per_s=500)):
        began = time.monotonic()
        shown = arm.call("GET", site.path)
        size = int(shown.headers["content-length"])
        assert shown.body["name"] == site.group
        assert time.monotonic() - began > size / 500 * 0.9


def test_a_new_resource_that_reads_do_not_see_yet(arm: Cloud, site: Site) -> None:
    with faults(arm.info, fault("not_found", type="*/publicIPAddresses", reads=2)):
        site.put("publicIPAddresses", "ip")
        for _ in range(2):
            refused = site.get("publicIPAddresses", "ip")
            assert (refused.status, refused.code) == (404, "ResourceNotFound")
        assert site.get("publicIPAddresses", "ip").status == 200
        assert site.put("publicIPAddresses", "ip").status == 200
        assert site.get("publicIPAddresses", "ip").status == 200
    group = f"/resourceGroups/hidden-{next(numbers)}"
    with faults(arm.info, fault("not_found", for_s=0.3)):
        arm.call("PUT", group, {"location": LOCATION})
        assert arm.call("HEAD", group).status == 404
        assert arm.call("GET", group).code == "ResourceGroupNotFound"
        time.sleep(0.35)
        assert arm.call("GET", group).status == 200
    arm.wait_for_group(group.rsplit("/", 1)[-1])


def test_a_share_is_drawn_from_the_seed(tmp_path_factory: pytest.TempPathFactory) -> None:
    def refused(seed: int) -> list[int]:
        found: list[int] = []
        for cloud in running(tmp_path_factory.mktemp("share"), machines="none", seed=seed):
            with faults(cloud.info, fault("refuse", share=0.3, times=None)):
                for _ in range(60):
                    found.append(cloud.call("GET", "/resourceGroups").status)
        return found

    one = refused(5)
    assert one == refused(5)
    assert 8 <= one.count(500) <= 28


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"kind": "explode"},
        {"kind": ["drop"]},
        {"kind": "drop", "status": 500},
        {"kind": "refuse", "status": 200},
        {"kind": "refuse", "times": 0},
        {"kind": "refuse", "share": 2},
        {"kind": "refuse", "name": 5},
        {"kind": "delay"},
        {"kind": "delay", "delay_s": -1},
        {"kind": "slow_reply", "bytes_per_s": 0},
        {"kind": "dies", "after_s": "soon"},
        {"kind": "refuse", "skip": True},
    ],
)
def test_a_wrong_declaration_is_refused(arm: Cloud, wrong: dict[str, Any]) -> None:
    answer = arm.call("POST", "/emulator/faults", wrong, version=None)
    assert (answer.status, answer.code) == (400, "InvalidParameter")
    assert arm.call("GET", "/emulator/faults", version=None).body == {"faults": []}


def test_withdrawing(arm: Cloud) -> None:
    first = client.declare_fault(arm.info, "drop", name="nobody")
    client.declare_fault(arm.info, "dies", name="nobody", after_s=5)
    client.withdraw_fault(arm.info, first)
    (left,) = client.faults(arm.info)
    assert (left["kind"], left["after_s"], left["fired"]) == ("dies", 5, 0)
    with pytest.raises(client.EmulatorError, match="404"):
        client.withdraw_fault(arm.info, first)
    client.withdraw_faults(arm.info)
    assert client.faults(arm.info) == []


def test_what_only_real_machines_can_have_is_refused(arm: Cloud) -> None:
    with pytest.raises(client.EmulatorError, match=r"needs machines .*--machines=nspawn, not none"):
        client.declare_fault(arm.info, kind="small_disk", disk_mb=60)
    assert client.faults(arm.info) == []


def some_faults() -> Iterator[dict[str, Any]]:
    yield {"kind": "dies", "name": "engine_*", "after_s": 3, "times": None}
    yield {"kind": "evicted", "type": "*ScaleSets/virtualMachines", "notice_s": 30, "skip": 1}
    yield {"kind": "refuse", "times": None}


def test_what_a_new_machine_meets() -> None:
    declared = Faults(RealClock(0), Chance(1).stream("faults"))
    for body in some_faults():
        declared.declare(body)
    dies = MachineFault("dies", after_s=3)
    assert declared.for_machine("controller") == []
    assert declared.for_machine("engine_1") == [dies]
    assert declared.for_machine("engine_2", in_scale_set=True) == [dies]
    evicted = MachineFault("evicted", notice_s=30)
    assert declared.for_machine("engine_3", in_scale_set=True) == [dies, evicted]
    assert declared.for_machine("engine_4", in_scale_set=True) == [dies]

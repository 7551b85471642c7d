"""In which order resources go, and what Azure's slowness and failures do to that."""

import logging
from collections import Counter

import pytest

from ipcluster_azure.errors import AzureLauncherError, RequestRefused
from ipcluster_azure.progress import Progress
from ipcluster_azure.stop.deletion import delete_in_order, delete_whole_group

from ..conftest import Clock

GROUP = "/subscriptions/s/resourceGroups/team/providers"
SCALE_SET = f"{GROUP}/Microsoft.Compute/virtualMachineScaleSets/c-e0"
INSTANCE = f"{GROUP}/Microsoft.Compute/virtualMachines/C-e0_1a2b3c4d"
CONTROLLER = f"{GROUP}/Microsoft.Compute/virtualMachines/c-controller"
DISK = f"{GROUP}/Microsoft.Compute/disks/c-controller_OsDisk_1"
NIC = f"{GROUP}/Microsoft.Network/networkInterfaces/c-nic"
ADDRESS = f"{GROUP}/Microsoft.Network/publicIPAddresses/c-ip"
NETWORK = f"{GROUP}/Microsoft.Network/virtualNetworks/c-vnet"
RULES = f"{GROUP}/Microsoft.Network/networkSecurityGroups/c-nsg"
ODD = f"{GROUP}/Microsoft.Odd/things/c-thing"
# what is asked for at once, in the order in which it must go
ORDER = [{SCALE_SET, CONTROLLER}, {INSTANCE}, {NIC}, {ADDRESS}, {NETWORK}, {RULES}, {DISK, ODD}]
MIXED = [ODD, RULES, INSTANCE, NIC, CONTROLLER, NETWORK, DISK, ADDRESS, SCALE_SET]


class Azure:
    """Stands in where Azure's slowness matters: a deletion takes so many looks.

    `gone`: what isn't there; `fails`: how many deletions of it are accepted and fail, and are then
    in the state `failed`; `refuses`: with which of Azure's codes the next deletions of it are
    refused.
    """

    failed = "Failed"

    def __init__(self, looks: int, gone: tuple[str, ...] = ()) -> None:
        self.looks, self.gone = looks, {*gone}
        self.fails: Counter[str] = Counter()
        self.refuses: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.deleted: list[str] = []
        self.groups: list[str] = []
        self._left: dict[str, int] = {}

    def delete(self, resource_id: str) -> bool:
        self.asked.append(resource_id)
        if self.refuses.get(resource_id):
            code = self.refuses[resource_id].pop()
            raise RequestRefused(f"Azure refused {resource_id} ({code})", code)
        self.fails[resource_id] -= 1
        self._left[resource_id] = self.looks
        return resource_id not in self.gone

    def state_of(self, resource_id: str) -> str:
        self._left[resource_id] -= 1
        if self._left[resource_id] > 0:
            return "Deleting"
        if self.fails[resource_id] >= 0:
            return self.failed
        self.deleted.append(resource_id)
        return ""

    def delete_group(self, name: str) -> bool:
        self.groups.append(name)
        return True


async def _delete(azure: Azure, *resources: str) -> None:
    progress = Progress(logging.getLogger("test"))
    await delete_in_order(azure, resources, progress)  # type: ignore[arg-type]


def _in_steps(items: list[str]) -> list[set[str]]:
    left, steps = list(items), []
    for step in ORDER:
        steps.append({left.pop(0) for _ in step})
    assert left == []
    return steps


async def test_what_needs_others_is_deleted_first_and_waited_for(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    azure = Azure(looks=20)
    await _delete(azure, *MIXED)
    assert _in_steps(azure.asked) == _in_steps(azure.deleted) == ORDER
    assert 7 * 30 < clock.passed_s < 7 * 50  # machines together: no longer than one
    assert caplog.text.count("Azure has accepted the deletion of the machines") == 1


async def test_what_is_gone_is_not_waited_for(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    azure = Azure(looks=20, gone=(SCALE_SET, CONTROLLER, NIC))
    await _delete(azure, SCALE_SET, CONTROLLER, NIC, RULES)
    assert azure.asked[2:] == [NIC, RULES]
    assert azure.deleted == [RULES]
    assert 30 < clock.passed_s < 50
    assert "machines" not in caplog.text


async def test_of_a_large_cluster_nothing_is_asked_for_machine_by_machine(clock: Clock) -> None:
    instances = [f"{SCALE_SET.replace('ScaleSets', 's')}_{number:08x}" for number in range(50)]
    azure = Azure(looks=2)
    await delete_whole_group(azure, "own", [DISK, *instances, CONTROLLER, SCALE_SET])  # type: ignore[arg-type]
    assert azure.asked == [CONTROLLER, SCALE_SET]
    assert azure.groups == ["own"]


async def test_what_azure_does_not_finish_deleting_is_named(clock: Clock) -> None:
    azure = Azure(looks=10_000)
    with pytest.raises(AzureLauncherError, match=rf"has not deleted {SCALE_SET} within 600 s"):
        await _delete(azure, SCALE_SET, CONTROLLER, NIC)
    assert 600 < clock.passed_s < 604
    assert azure.asked == [SCALE_SET, CONTROLLER]


async def test_it_is_looked_at_until_the_time_is_over(clock: Clock) -> None:
    with pytest.raises(AzureLauncherError):
        await _delete(Azure(looks=10_000), NIC)
    *earlier, last_s = clock.pauses_s
    assert sum(earlier) <= 600 < sum(earlier) + last_s


async def test_all_have_the_same_ten_minutes(clock: Clock) -> None:
    """Not ten minutes each: a stop in a group of the user's may be waited for."""
    azure = Azure(looks=150)
    with pytest.raises(AzureLauncherError, match=f"has not deleted {NETWORK} within 600 s"):
        await _delete(azure, NIC, NETWORK)
    assert azure.deleted == [NIC]
    assert 600 < clock.passed_s < 604


async def test_a_failure_that_is_late_is_asked_for_again_until_the_time_is_over(
    clock: Clock,
) -> None:
    azure = Azure(looks=1)
    azure.fails[NIC] = 10_000
    with pytest.raises(AzureLauncherError, match="within 600 s"):
        await _delete(azure, NIC)
    assert 600 < clock.passed_s < 610
    assert 60 < len(azure.asked) < 120  # at most every 5 s


@pytest.mark.parametrize("state", ["Failed", "Canceled"])
async def test_what_azure_accepts_and_fails_is_asked_for_again(clock: Clock, state: str) -> None:
    azure = Azure(looks=3)
    azure.failed = state
    azure.fails[NIC] = 2
    await _delete(azure, NIC, RULES)
    assert azure.asked == [NIC, NIC, NIC, RULES]
    assert azure.deleted == [NIC, RULES]
    # not at each look: it is shown so for a moment, too. At the first one after 5 s, from when on
    # it is looked at often again
    assert sum(clock.pauses_s[:9]) == sum(clock.pauses_s[9:18]) == pytest.approx(7.49, abs=0.01)


async def test_a_refusal_keeps_no_other_machine_alive(clock: Clock) -> None:
    azure = Azure(looks=3)
    azure.refuses = {SCALE_SET: ["ScopeLocked"], CONTROLLER: ["AnotherOperationInProgress"] * 9}
    with pytest.raises(RequestRefused, match="ScopeLocked"):
        await _delete(azure, SCALE_SET, CONTROLLER, NIC)
    assert azure.asked == [SCALE_SET, *[CONTROLLER] * 10]


async def test_what_is_still_in_use_is_asked_for_until_it_is_not(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    azure = Azure(looks=1)
    azure.refuses = {NIC: ["NicReservedForAnotherVm"] * 36, RULES: ["AnotherOperationInProgress"]}
    await _delete(azure, NIC, RULES)
    assert azure.asked == [NIC] * 37 + [RULES] * 2
    assert clock.pauses_s == [5.0] * 37
    assert caplog.text.count("(NicReservedForAnotherVm)") == 1


async def test_what_stays_in_use_is_said(clock: Clock) -> None:
    azure = Azure(looks=1)
    azure.refuses = {NETWORK: ["InUseSubnetCannotBeDeleted"] * 100}
    with pytest.raises(RequestRefused, match="InUseSubnetCannotBeDeleted"):
        await _delete(azure, NETWORK, RULES)
    assert clock.pauses_s == [5.0] * 49  # in the 240th second once more
    assert RULES not in azure.asked


async def test_what_is_in_use_in_another_way_is_said_again(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    azure = Azure(looks=1)
    azure.refuses = {NIC: ["NicInUse", "NicInUse", "NicReservedForAnotherVm", "NicInUse"]}
    await _delete(azure, NIC)
    said = [line.getMessage() for line in caplog.records]
    codes = ["NicInUse", "NicReservedForAnotherVm", "NicInUse"]
    for code, line in zip(codes, said, strict=True):
        assert f"({code}) Asking again until it can be" in line


async def test_machines_of_another_scale_set_do_not_wait_for_this_one(clock: Clock) -> None:
    """By its name a machine is a scale set's part; C-E01_... is none of c-e0."""
    other = INSTANCE.replace("C-e0_", "C-E01_")
    azure = Azure(looks=1)
    await _delete(azure, INSTANCE, other, SCALE_SET)
    assert azure.asked == [other, SCALE_SET, INSTANCE]


async def test_only_of_a_scale_set_a_machine_is_a_part(clock: Clock) -> None:
    machine = CONTROLLER.replace("c-controller", "c-nic_1")
    namesake = DISK.replace("c-controller_OsDisk_1", "c-nic")
    azure = Azure(looks=1)
    await _delete(azure, NIC, namesake, machine, CONTROLLER)
    assert azure.asked == [machine, CONTROLLER, NIC, namesake]


async def test_of_a_cluster_without_machines_nothing_is_said_of_them(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await _delete(Azure(looks=1), RULES, DISK)
    assert caplog.text == ""


async def test_a_machine_that_cannot_be_deleted_does_not_keep_its_group(clock: Clock) -> None:
    azure = Azure(looks=1)
    azure.refuses = {CONTROLLER: ["ScopeLocked"]}
    await delete_whole_group(azure, "own", [CONTROLLER, SCALE_SET])  # type: ignore[arg-type]
    assert azure.groups == ["own"]

import ipaddress
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.plan.cluster_plan import plan_cluster, plan_engine_set
from ipcluster_azure.plan.vm_sizes import SizeOffer, VmSize

from ..plans import CLUSTER, ENGINES, SUBNET_ID, settings

D4 = VmSize("Standard_D4s_v5", 4)


@pytest.mark.parametrize(
    ("n", "per_vm", "expected"),
    [
        (32, 0, [4] * 8),
        (30, 0, [4] * 7 + [2]),
        (1, 0, [1]),
        (3, 1, [1, 1, 1]),
        (10, 16, [10]),
        (17, 16, [16, 1]),
    ],
)
def test_exactly_n_engines_on_as_few_machines_as_hold_them(
    n: int, per_vm: int, expected: list[int]
) -> None:
    plan = plan_engine_set(settings(engines_per_vm=per_vm), CLUSTER, set_id="s", n=n, size=D4)
    assert [plan.engines_on(index) for index in range(plan.vm_count)] == expected
    assert sum(expected) == n


@pytest.mark.parametrize(
    ("changes", "n", "message"),
    [
        ({}, 0, "at least 1"),
        ({}, -3, "at least 1"),
        ({"max_engines": 100}, 101, "max_engines = 101"),
        ({"min_engines": 9}, 8, "min_engines"),
        ({"ready_engines": 9}, 8, "ready_engines = 9 is more than"),
        ({"engines_per_vm": 1, "max_engines": 2000}, 1001, "room for 1000"),
    ],
)
def test_impossible_numbers_are_refused(changes: dict[str, int], n: int, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        plan_engine_set(settings(**changes), CLUSTER, set_id="s", n=n, size=D4)


def test_a_narrow_network_says_so() -> None:
    cluster = replace(CLUSTER, address_prefix="10.0.0.0/25")
    with pytest.raises(ConfigurationError, match="room for 59"):
        plan_engine_set(settings(engines_per_vm=1), cluster, set_id="s", n=60, size=D4)


@pytest.mark.parametrize("prefix", ["10.0.0.0/8", "10.42.0.0/16", "127.9.8.0/24", "10.0.0.128/25"])
def test_subnets_lie_in_the_address_space_and_apart(prefix: str) -> None:
    cluster = replace(CLUSTER, address_prefix=prefix)
    space = ipaddress.IPv4Network(prefix)
    controller = ipaddress.IPv4Network(cluster.controller_prefix)
    engines = ipaddress.IPv4Network(cluster.engine_prefix)
    assert controller.subnet_of(space)
    assert engines.subnet_of(space)
    assert not controller.overlaps(engines)
    assert ipaddress.IPv4Address(cluster.controller_address) == controller[4]


def test_in_an_existing_subnet_azure_chooses_the_address() -> None:
    assert replace(CLUSTER, subnet_id=SUBNET_ID).controller_address == ""


@pytest.mark.parametrize(
    ("changes", "n"),
    [
        ({"max_engines": 100}, 100),
        ({"min_engines": 8}, 8),
        ({"ready_engines": 8}, 8),
        ({"engines_per_vm": 1, "max_engines": 2000}, 1000),
    ],
)
def test_what_is_just_possible_is_planned(changes: dict[str, int], n: int) -> None:
    assert plan_engine_set(settings(**changes), CLUSTER, set_id="s", n=n, size=D4).n == n


def test_a_narrow_network_has_room_for_all_addresses_but_azures_five() -> None:
    cluster = replace(CLUSTER, address_prefix="10.0.0.0/25")
    plan = plan_engine_set(settings(engines_per_vm=1), cluster, set_id="s", n=59, size=D4)
    assert plan.vm_count == 59


@pytest.mark.parametrize(
    ("subnet_id", "named"), [("", CLUSTER.address_prefix), (SUBNET_ID, SUBNET_ID)]
)
def test_too_many_machines_name_the_network_that_is_full(subnet_id: str, named: str) -> None:
    prefix = "" if subnet_id else CLUSTER.address_prefix
    cluster = replace(CLUSTER, subnet_id=subnet_id, address_prefix=prefix)
    many = settings(engines_per_vm=2, max_engines=4000)
    with pytest.raises(
        ConfigurationError,
        match=f"2001 engines with 2 on each .* makes 1001 machines, .*room for 1000 in {named}",
    ):
        plan_engine_set(many, cluster, set_id="s", n=2001, size=D4)


def test_machines_share_what_a_set_has_in_common() -> None:
    size = VmSize("Standard_D4s_v5", 4, "family", zone="2")
    plan = plan_engine_set(settings(priority="Spot"), CLUSTER, set_id="s", n=8, size=size)
    assert (plan.set_id, plan.location) == ("s", CLUSTER.location)
    assert plan.scale_set.startswith(f"{CLUSTER.names.base}-e")
    assert (plan.vcpus, plan.machine.zone, plan.machine.priority) == (4, "2", "Spot")


def test_the_controller_is_always_regular_and_has_no_identity_unless_it_needs_one() -> None:
    args = {"names": CLUSTER.names, "size": D4, "tags": {"a": "b"}, "ssh_sources": ["10.0.0.0/8"]}
    plan = plan_cluster(settings(priority="Spot"), **args)
    assert (plan.machine.priority, plan.identity) == ("Regular", False)
    assert (plan.tags, plan.ssh_sources) == ({"a": "b"}, ("10.0.0.0/8",))
    assert plan_cluster(settings(), identity=True, **args).identity


def test_a_size_is_told_with_its_zone() -> None:
    assert str(D4) == "Standard_D4s_v5"
    assert str(replace(D4, zone="2")) == "Standard_D4s_v5 in zone 2"


@pytest.mark.parametrize("plan", [D4, SizeOffer(4), CLUSTER, CLUSTER.machine, ENGINES])
def test_plans_do_not_change(plan: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        plan.n = 1


@pytest.mark.parametrize("plan", [CLUSTER, CLUSTER.machine, ENGINES])
def test_plans_are_made_by_name_alone(plan: Any) -> None:
    values = [getattr(plan, item.name) for item in fields(plan)]
    with pytest.raises(TypeError, match="positional"):
        type(plan)(*values)


def test_a_given_group_is_not_ours() -> None:
    args = {"names": CLUSTER.names, "size": D4, "tags": {}, "ssh_sources": ["203.0.113.7/32"]}
    own = plan_cluster(settings(), **args)
    given = plan_cluster(settings(resource_group="team"), **args)
    assert (own.resource_group, own.owns_resource_group) == (CLUSTER.names.base, True)
    assert (given.resource_group, given.owns_resource_group) == ("team", False)

import ipaddress
from dataclasses import replace

import pytest

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.plan.cluster_plan import VmSize, plan_cluster, plan_engine_set

from ..plans import CLUSTER, SUBNET_ID, settings

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


def test_a_given_group_is_not_ours() -> None:
    args = {"names": CLUSTER.names, "size": D4, "tags": {}, "ssh_sources": ["203.0.113.7/32"]}
    own = plan_cluster(settings(), **args)
    given = plan_cluster(settings(resource_group="team"), **args)
    assert (own.resource_group, own.owns_resource_group) == (CLUSTER.names.base, True)
    assert (given.resource_group, given.owns_resource_group) == ("team", False)

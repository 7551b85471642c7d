"""Plans of engine sets for each size that there is room for."""

from dataclasses import replace

import pytest

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.plan.vm_sizes import VmSize
from ipcluster_azure.start.planning import plans_with_room

from ..plans import CLUSTER, SUBNET_ID, settings

SMALL, LARGE = VmSize("Standard_D2s_v5", 2), VmSize("Standard_D8s_v5", 8)
NARROW = replace(CLUSTER, address_prefix="10.0.0.0/25")  # for 59 machines of engines
N = 160


def test_sizes_on_which_the_engines_have_no_room_are_left_out() -> None:
    plans = plans_with_room(settings(), NARROW, "s", N, [SMALL, LARGE])
    assert [plan.machine.vm_size for plan in plans] == [LARGE.name]
    assert plans_with_room(settings(), CLUSTER, "s", N, [SMALL, LARGE])[0].vm_count == 80


def test_without_room_on_any_size_the_first_is_told() -> None:
    with pytest.raises(ConfigurationError, match="makes 80 machines, but there is room for 59"):
        plans_with_room(settings(), NARROW, "s", N, [SMALL])


def test_the_machines_of_other_sets_take_addresses_too() -> None:
    assert plans_with_room(settings(), NARROW, "s", N, [LARGE], others=39)
    with pytest.raises(ConfigurationError, match="makes 20 machines, but there is room for 19"):
        plans_with_room(settings(), NARROW, "s", N, [LARGE], others=40)
    with pytest.raises(ConfigurationError, match="room for 0"):
        plans_with_room(settings(), NARROW, "s", N, [LARGE], others=70)
    existing = replace(CLUSTER, subnet_id=SUBNET_ID, address_prefix="")
    assert plans_with_room(settings(), existing, "s", N, [LARGE], others=990)


@pytest.mark.parametrize("n", ["4", 4.0, True, None])
def test_a_number_of_engines_is_a_whole_number(n: object) -> None:
    with pytest.raises(ConfigurationError, match="must be a whole number, not"):
        plans_with_room(settings(), CLUSTER, "s", n, [LARGE])  # type: ignore[arg-type]

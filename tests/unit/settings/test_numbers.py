"""Every numeric setting is finite and has bounds, whichever it is."""

import math
from typing import Any

import numpy as np
import pytest
from traitlets import Float, Integer

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.launchers import AzureVMControllerLauncher, AzureVMEngineSetLauncher
from ipcluster_azure.settings.numbers import BoundedFloat, BoundedInteger
from ipcluster_azure.settings.values import TRAITS

from ..plans import launcher

NUMBERS: dict[str, Any] = {
    name: trait for name, trait in TRAITS.items() if isinstance(trait, Float | Integer)
}
NO_NUMBERS = [
    math.nan,
    math.inf,
    -math.inf,
    1e300,
    -1e300,
    10**400,
    10**5000,
    True,
    False,
    None,
    "many",
    "12",
    1 + 0j,
    np.bool_(True),
    np.float64("nan"),
    [1],
]
BOUNDS = [
    ("os_disk_gb", 0, 4095),
    ("ssh_port", 0, 65535),
    ("sync_limit_mb", 0, 2000),
    ("boot_timeout_s", 1, 86400),
    ("max_lifetime_h", 0, 8760),
    ("idle_timeout_min", 0, 525600),
    ("max_cost", 0, 10000000),
    ("max_engines", 1, 2000000),
    ("min_engines", 0, 2000000),
    ("ready_engines", 0, 2000000),
    ("engines_per_vm", 0, 2000),
]


def _traits_of_launchers() -> set[Any]:
    kinds = (AzureVMControllerLauncher, AzureVMEngineSetLauncher)
    return {trait for kind in kinds for trait in kind.class_traits(config=True).values()}


def test_all_numbers_that_can_be_configured_have_bounds() -> None:
    numbers = [item for item in _traits_of_launchers() if isinstance(item, Float | Integer)]
    assert len(numbers) == len(NUMBERS) + 1  # connection_info_timeout
    for trait in numbers:
        assert isinstance(trait, BoundedFloat | BoundedInteger), trait.name


def test_the_bounds() -> None:
    assert [(name, trait.min, trait.max) for name, trait in NUMBERS.items()] == BOUNDS


@pytest.mark.parametrize("value", NO_NUMBERS, ids=map(str, range(len(NO_NUMBERS))))
@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_within_the_bounds(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name} must be a (whole )?number from "):
        launcher(**{name: value}).settings()


@pytest.mark.parametrize(("name", "lowest", "highest"), BOUNDS)
def test_the_bounds_themselves_are_in(name: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        found = launcher(endpoint="emulator", **{name: value}).settings()
        assert getattr(found, name) == value
    for value in (lowest - 1, highest + 1):
        said = f"from {lowest:,} to {highest:,}, not {value}"
        with pytest.raises(ConfigurationError, match=said):
            launcher(**{name: value}).settings()


@pytest.mark.parametrize("name", ["max_lifetime_h", "idle_timeout_min"])
def test_minus_zero_is_zero(name: str) -> None:
    assert str(getattr(launcher(**{name: -0.0}).settings(), name)) == "0.0"


@pytest.mark.parametrize("value", [3, 3.0, np.float64(3), np.int64(3)])
def test_a_number_is_a_float_afterwards(value: Any) -> None:
    made = launcher(max_lifetime_h=value).settings().max_lifetime_h
    assert (made, type(made)) == (3.0, float)


def test_a_whole_number_is_an_int_afterwards() -> None:
    made = launcher(engines_per_vm=np.int64(3)).settings().engines_per_vm
    assert (made, type(made)) == (3, int)
    with pytest.raises(ConfigurationError, match=r"must be a whole number .* not 3\.5"):
        launcher(engines_per_vm=3.5).settings()

"""What machines count against, and when that is too much."""

from dataclasses import FrozenInstanceError

import pytest

from ipcluster_azure.plan.quota import SPOT, TOTAL, Need, Usage, shortage
from ipcluster_azure.plan.vm_sizes import VmSize

FAMILY = "standardDSv5Family"
D4 = VmSize("Standard_D4s_v5", 4, FAMILY)
CONTROLLER, ENGINES = Need(D4, 1, "Regular"), Need(D4, 3, "Regular")
SPOT_ENGINES = Need(D4, 3, "Spot")


def _usages(**left: int) -> dict[str, Usage]:
    """Quotas of which 20 are in use each, and this many are left."""
    return {name.lower(): Usage(f"{name} vCPUs", 20 + n, 20) for name, n in left.items()}


def test_regular_machines_count_against_their_family_and_the_region() -> None:
    needs = [ENGINES, CONTROLLER]  # 16 vCPUs
    assert shortage(_usages(**{FAMILY: 16, TOTAL: 100}), needs, "eastus") == ""
    assert shortage(_usages(**{FAMILY: 100, TOTAL: 16}), needs, "eastus") == ""
    assert f"({FAMILY})" in shortage(_usages(**{FAMILY: 15, TOTAL: 16}), needs, "eastus")
    assert f"({TOTAL})" in shortage(_usages(**{FAMILY: 16, TOTAL: 15}), needs, "eastus")


def test_spot_machines_count_against_a_quota_of_their_own_alone() -> None:
    needs = [SPOT_ENGINES, CONTROLLER]  # 12 vCPUs of Spot, 4 others
    left = {SPOT: 12, FAMILY: 4, TOTAL: 4}
    assert shortage(_usages(**left), needs, "eastus") == ""
    said = shortage(_usages(**{**left, SPOT: 11}), needs, "eastus")
    assert f"({SPOT}) in eastus is too small: 3 x Standard_D4s_v5 need 12 vCPUs" in said
    assert f"({FAMILY})" in shortage(_usages(**{**left, FAMILY: 3}), needs, "eastus")


def test_what_is_said_of_a_shortage() -> None:
    said = shortage(_usages(**{FAMILY: 8, TOTAL: 99}), [ENGINES, CONTROLLER], "westeurope")
    assert said.startswith(
        f"The quota '{FAMILY} vCPUs' ({FAMILY}) in westeurope is too small: 3 x Standard_D4s_v5 "
        "and 1 x Standard_D4s_v5 need 16 vCPUs, and 20 of 28 are in use. Ask for at least 36 at "
        "https://portal.azure.com/"
    )


def test_a_quota_that_azure_does_not_list_is_none() -> None:
    assert shortage(_usages(**{TOTAL: 16}), [ENGINES, CONTROLLER], "eastus") == ""
    assert shortage({}, [SPOT_ENGINES], "eastus") == ""


@pytest.mark.parametrize("known", [Usage("x", 1, 1), CONTROLLER])
def test_what_is_known_does_not_change(known: object) -> None:
    with pytest.raises(FrozenInstanceError):
        known.limit = known.count = 2  # type: ignore[attr-defined]

"""vCPUs by the names of sizes."""

import pytest

from ipcluster_azure.errors import ConfigurationError
from ipcluster_azure.plan.vcpus import full_name, vcpus_of


@pytest.mark.parametrize(
    ("size", "vcpus"),
    [
        ("Standard_D4s_v5", 4),
        ("standard_f72s_v2", 72),
        ("D64ads_v6", 64),
        ("Standard_E32-8s_v5", 8),
        ("Standard_M1792ixds_32_v3", 1792),
        ("Standard_D8ps_v5", 8),
        ("Standard_NC24ads_A100_v4", 24),
        ("Standard_B2ms", 2),
        ("Standard_HB120rs_v3", 120),
    ],
)
def test_names_say_it(size: str, vcpus: int) -> None:
    assert vcpus_of(size) == vcpus


@pytest.mark.parametrize(
    "size", ["Standard_D13_v2", "Standard_DS14", "Standard_GS5", "Standard_A3", "x"]
)
def test_others_are_not_guessed(size: str) -> None:
    with pytest.raises(ConfigurationError, match="engines_per_vm"):
        vcpus_of(size)


def test_full_names() -> None:
    assert full_name("D4s_v5") == "Standard_D4s_v5"
    assert full_name("standard_D4s_v5") == "standard_D4s_v5"

"""Who needs whom, with extras and markers."""

import pytest
from packaging.markers import Marker

from ipcluster_azure.environment.lock import markers_of
from ipcluster_azure.environment.needs import Needs, holds
from ipcluster_azure.environment.selection import Target

from .test_prepare import distribution

MARKERS = markers_of(Target("3.11", "x86_64", (2, 39)))


def test_extras_lead_to_extras_of_others_and_back() -> None:
    needs = Needs(
        [
            distribution("a", "1", "b[x]", "not a requirement", "w; os_name == 'nt'"),
            distribution("b", "1", "c[y,z]; extra == 'x'", "never; extra == 'unasked'"),
            distribution("c", "1", "b[x]; extra == 'y'", "d; extra == 'z'"),
            distribution("d", "1"),
        ],
        MARKERS,
    )

    assert needs.closure(["a"]) == {"a", "b", "c", "d"}
    assert needs.extras["c"] == {"y", "z"}
    assert needs.needed_by["d"] == {"c"}
    assert not needs.needed_by.keys() & {"w", "never"}


@pytest.mark.parametrize(
    ("marker", "wanted"),
    [
        ("sys_platform == 'linux'", True),
        ("platform_machine == 'AMD64'", False),
        ("python_version >= '3.12'", False),
        ("extra == 'x'", False),
        ("platform_release ~= 'x'", True),
    ],
)
def test_markers_of_the_machines(marker: str, wanted: bool) -> None:
    assert holds(Marker(marker), MARKERS) is wanted

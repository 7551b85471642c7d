"""When machines end on which nothing runs."""

import pytest

from ipcluster_azure.link.keeper import over
from ipcluster_azure.record.contents import Limits

BOTH = Limits(max_lifetime_h=1.0, idle_timeout_min=10.0)


@pytest.mark.parametrize(
    ("limits", "age_s", "idle_s", "why"),
    [
        (BOTH, 3599.0, 599.0, ""),
        (BOTH, 3600.0, 0.0, "1 h, its longest life (max_lifetime_h)"),
        (BOTH, 700.0, 600.0, "10 min without a deployment (idle_timeout_min)"),
        (Limits(), 1e9, 1e9, ""),
    ],
)
def test_a_limit_is_over(limits: Limits, age_s: float, idle_s: float, why: str) -> None:
    assert over(limits, age_s, idle_s) == why

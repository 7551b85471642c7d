"""What is promised of a cluster's end before it costs anything."""

from dataclasses import replace

import pytest

from ipcluster_azure.record.contents import Limits
from ipcluster_azure.start.limits import promise

from ..plans import CLUSTER

SHARED = replace(CLUSTER, owns_resource_group=False)


@pytest.mark.parametrize(
    ("limits", "plan", "said", "not_said"),
    [
        (Limits(12, 60, True), CLUSTER, "also if this computer is off or gone.", "reap"),
        (Limits(12, 60, True), SHARED, "its network and address, then, by the stop", "reap"),
        (Limits(12, 60), CLUSTER, "Azure deallocates its machines after 12 h", "also if"),
        (Limits(0, 60), CLUSTER, "it runs, and costs, until `ipcluster-azure reap`", "deallocates"),
        (Limits(0, 0), CLUSTER, "Nothing but `ipcluster stop`", "deleted after"),
    ],
)
def test_what_nobody_sees_to_is_not_promised(
    limits: Limits, plan: object, said: str, not_said: str
) -> None:
    text = promise(limits, plan)  # type: ignore[arg-type]
    assert said in text
    assert not_said not in text


def test_the_limits_are_named_with_their_units() -> None:
    text = promise(Limits(0.5, 1.5, True), CLUSTER)
    assert "after 1.5 min without a task and after 0.5 h at the latest" in text
    assert "h at the latest" not in promise(Limits(0, 5, True), CLUSTER)
    assert "without a task" not in promise(Limits(5, 0, True), CLUSTER)

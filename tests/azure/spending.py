"""What a run on Azure may cost at the worst, and who has to agree to that.

Nothing here asks Azure: the check comes before everything else.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

SUBSCRIPTION = "AZURE_SUBSCRIPTION_ID"
CAP = "IPCLUSTER_AZURE_TEST_SPENDING_CAP"

# US dollars. General-purpose Linux machines cost about 0.05 per vCPU and hour in most regions and
# less than 0.09 in the dearest; the rest is for their disks, the public address and the traffic.
UPPER_PRICE_PER_VCPU_HOUR = 0.12
VM_SIZE = "Standard_D2s_v5"
VCPUS = 2
# the controller, two engines, and two engines added later
VM_COUNT = 3
# machines exist for some 15 minutes; it is an hour until every time limit of the tests has passed
HOURS = 1.0


class Refused(Exception):
    """One line that says why nothing was run."""


@dataclass(frozen=True)
class Agreement:
    subscription_id: str
    cap: float


def worst_case() -> float:
    return VM_COUNT * VCPUS * HOURS * UPPER_PRICE_PER_VCPU_HOUR


def agreed(environment: Mapping[str, str]) -> Agreement:
    """Raises Refused unless a subscription and a sufficient cap are given."""
    missing = [name for name in (SUBSCRIPTION, CAP) if not environment.get(name, "").strip()]
    if missing:
        raise Refused(
            f"Not run on Azure: set {' and '.join(missing)}. The run costs at most "
            f"{worst_case():.2f} US dollars, and {CAP} must allow that."
        )
    try:
        cap = float(environment[CAP])
    except ValueError:
        cap = math.nan
    if not math.isfinite(cap):
        raise Refused(f"Not run on Azure: {CAP}={environment[CAP]!r} is not an amount.")
    if cap < worst_case():
        raise Refused(
            f"Not run on Azure: {VM_COUNT} x {VM_SIZE} for {HOURS:g} h cost at most "
            f"{worst_case():.2f} US dollars, which is over the cap of {cap:.2f} in {CAP}."
        )
    return Agreement(environment[SUBSCRIPTION].strip(), cap)

"""How many requests Azure takes: ARM's limits, and those of Compute and Network by operation."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..base.calls import Call
from . import rate_groups


class Limit(NamedTuple):
    """A bucket holds `capacity` requests and gets refill_per_s back."""

    capacity: int
    refill_per_s: float


class Group(NamedTuple):
    """Operations of Compute that are counted together, for each resource and for all of them."""

    name: str
    resource: Limit | None
    subscription: Limit


def _minutely(refill: int, capacity: int) -> Limit:
    return Limit(capacity, refill / 60)


# ARM: for each subscription, principal and region; all principals together have 15 times that.
ARM = {"reads": Limit(250, 25.0), "writes": Limit(200, 10.0), "deletes": Limit(200, 10.0)}
ALL_PRINCIPALS = 15

EACH, EACH_READ, MANY = _minutely(4, 12), _minutely(12, 36), _minutely(500, 1500)
PUT_VM = Group("PutVM", EACH, MANY)
UPDATE_VM = Group("UpdateVM", EACH, MANY)
DELETE_VM = Group("DeleteVM", EACH, MANY)
UPDATE_SET = Group("VMScaleSetActions", EACH, MANY)
DELETE_SET = Group("DeleteVMScaleSet", EACH, _minutely(175, 525))
GET_VM = Group("LowCostGet", EACH_READ, _minutely(8000, 24000))
LIST_VMS = Group("HighCostGet", None, _minutely(300, 900))
GET_SET = Group("GetVMScaleSet", EACH_READ, _minutely(800, 2400))

VM, SET = "virtualmachines", "virtualmachinescalesets"
COMPUTE: dict[tuple[str, str], Group] = {
    ("PUT", VM): PUT_VM,
    ("PATCH", VM): PUT_VM,
    ("DELETE", VM): DELETE_VM,
    ("GET", VM): GET_VM,
    ("LIST", VM): LIST_VMS,
    ("GET", f"{VM}/instanceview"): GET_VM,
    ("LIST", f"{VM}/instanceview"): GET_VM,
    ("POST", f"{VM}/start"): UPDATE_VM,
    ("POST", f"{VM}/poweroff"): UPDATE_VM,
    ("POST", f"{VM}/restart"): UPDATE_VM,
    ("POST", f"{VM}/deallocate"): DELETE_VM,
    ("POST", f"{VM}/simulateeviction"): DELETE_VM,
    ("PUT", SET): Group("CreateVMScaleSet", EACH, _minutely(125, 375)),
    ("PATCH", SET): UPDATE_SET,
    ("DELETE", SET): DELETE_SET,
    ("POST", f"{SET}/delete"): DELETE_SET,
    ("GET", SET): GET_SET,
    ("LIST", SET): GET_SET,
    ("LIST", f"{SET}/virtualmachines"): Group(
        "HighCostGetVMScaleSet", _minutely(10, 30), _minutely(360, 1080)
    ),
    ("GET", "locations/operations"): Group(
        "GetOperation", _minutely(15, 45), _minutely(5000, 15000)
    ),
}
NETWORK = {"reads": Limit(10_000, 10_000 / 300), "writes": Limit(1000, 1000 / 300)}

ACTION = re.compile(r"microsoft\.compute/(?P<what>.+)/(read|write|delete|action)")


def kind_of(method: str) -> str:
    """Return which of ARM's three kinds a method is; a POST is a write."""
    return {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}.get(method, "writes")


def compute_group(call: Call) -> Group | None:
    """Return the call's group; None for what is not Compute's, or has no limit that is known."""
    match = ACTION.fullmatch(call.action.lower())
    if match is None:
        return None
    several = call.method == "GET" and not call.name
    known = COMPUTE.get(("LIST" if several else call.method, match["what"]))
    names = rate_groups.groups(call.method, match["what"], several=several)
    if known or not names:
        return known
    return Group(names[0], None, MANY)  # U: how many

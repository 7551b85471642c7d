"""A declared fault: what it meets, how often, and what it does then."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from fnmatch import translate

from ..base import errors
from ..base.calls import Call
from ..base.declared import (
    COUNT,
    FLAG,
    LIMIT,
    SECONDS,
    SHARE,
    STATUS,
    TEXT,
    Rule,
    checked,
    or_null,
)
from ..base.messages import Json

MATCHING: dict[str, Rule] = {
    "method": TEXT,
    "operation": TEXT,
    "type": TEXT,
    "name": TEXT,
    "path": TEXT,
    "skip": COUNT,
    "times": or_null(LIMIT),
    "share": SHARE,
}
ERROR = {"code": TEXT, "message": TEXT}
# What each kind takes beside the members of MATCHING.
REQUEST_KINDS: dict[str, dict[str, Rule]] = {
    "refuse": {**ERROR, "status": STATUS, "retry_after_s": COUNT},
    "fail": {**ERROR, "after_s": SECONDS},
    "never_ends": {},
    "delay": {"delay_s": SECONDS},
    "drop": {},
    "lose_reply": {},
    "cut_reply": {},
    "slow_reply": {"bytes_per_s": LIMIT},
    "not_found": {"reads": LIMIT, "for_s": SECONDS},
}
MACHINE_KINDS: dict[str, dict[str, Rule]] = {
    "never_boots": {},
    "no_ssh": {},
    "wrong_host_key": {},
    "no_network": {"running": FLAG, "after_s": SECONDS, "for_s": SECONDS},
    "dies": {"running": FLAG, "after_s": SECONDS},
    "evicted": {"running": FLAG, "after_s": SECONDS, "notice_s": SECONDS},
    "small_disk": {"disk_mb": LIMIT},
}
# Those that only machines with a disk of their own can have (--machines=nspawn).
OF_REAL_MACHINES = ("small_disk",)
KINDS = REQUEST_KINDS | MACHINE_KINDS
WRITES_ONLY = ("fail", "never_ends", "not_found")
REQUIRED = {
    "delay": ("delay_s",),
    "slow_reply": ("bytes_per_s",),
    "small_disk": ("disk_mb",),
}

CAPACITY = (
    "Allocation failed. We do not have sufficient capacity for the requested VM size in this {}. "
    "Read more about improving likelihood of allocation success at "
    "https://aka.ms/allocation-guidance"
)
CONSTRAINTS = (
    "Allocation failed. VM(s) with the following constraints cannot be allocated, because the "
    "condition is too restrictive. Please remove some constraints and try again."
)
MESSAGES = {
    "AllocationFailed": CAPACITY.format("region"),
    "ZonalAllocationFailed": CAPACITY.format("zone"),
    "OverconstrainedAllocationRequest": CONSTRAINTS,
    "OverconstrainedZonalAllocationRequest": CONSTRAINTS,
    "OSProvisioningTimedOut": "OS Provisioning for VM '{name}' did not finish in the allotted "
    "time. The VM may still finish provisioning successfully. Please check provisioning state "
    "later.",
    "VMStartTimedOut": "VM '{name}' did not start in the allotted time. The VM may still start "
    "successfully. Please check the power state later.",
    "SkuNotAvailable": "The requested VM size for resource '{name}' is currently not available in "
    "this location. Please try another size or deploy to a different location or different zone. "
    "See https://aka.ms/azureskunotavailable for details.",
    "TooManyRequests": "The request is being throttled.",
}


@dataclass
class DeclaredFault:
    """One declared fault.

    body: as it was declared; matched: how many requests or machines it fits; fired: how many of
    them it met.
    """

    id: int
    body: Json
    matched: int = 0
    fired: int = 0

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    def fits(self, call: Call) -> bool:
        if self.kind in WRITES_ONLY and call.method in ("GET", "HEAD"):
            return False
        return (
            self.body.get("method", call.method).upper() == call.method
            and self._like("operation", call.action)
            and self._like("type", call.resource_type)
            and self._like("name", call.name)
            and self._like("path", call.scope)
        )

    def _like(self, member: str, value: str) -> bool:
        pattern = self.body.get(member)
        return pattern is None or re.match(translate(pattern), value, re.IGNORECASE) is not None

    def fires(self, chance: random.Random) -> bool:
        """Return whether it fires now. This counts, so ask once for each request that it fits."""
        self.matched += 1
        times = self.body.get("times", 1)
        spent = times is not None and self.fired >= times
        if self.matched <= self.body.get("skip", 0) or spent:
            return False
        if chance.random() >= self.body.get("share", 1.0):
            return False
        self.fired += 1
        return True

    def seconds(self, member: str) -> float | None:
        value = self.body.get(member)
        return None if value is None else float(value)

    def error(self, name: str) -> errors.ArmError:
        """Return what a request or its operation gets; name: the resource's."""
        code = self.body.get("code", "InternalServerError")
        message = self.body.get("message")
        if message is None:
            known = MESSAGES.get(code, "The server encountered an internal error.")
            message = known.replace("{name}", name)
        wait_s = self.body.get("retry_after_s")
        headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
        return errors.ArmError(self.body.get("status", 500), code, message, headers=headers)

    def shown(self) -> Json:
        return {"id": str(self.id), **self.body, "matched": self.matched, "fired": self.fired}


def declared(number: int, body: Json) -> DeclaredFault:
    kind = body.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        known = ", ".join(KINDS)
        raise errors.invalid_parameter("kind", f"'{kind}' is no kind of fault; there are {known}.")
    checked(body, {"kind": TEXT, **MATCHING, **KINDS[kind]}, required=REQUIRED.get(kind, ()))
    return DeclaredFault(number, dict(body))

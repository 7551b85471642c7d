"""Faults declared through the control routes, and whom they meet.

A declaration is a JSON object: `kind`, what it meets (`method`, `operation` such as
Microsoft.Compute/virtualMachines/write, `type`, `name`, `path`; the last four may have wildcards,
in any case), and how often: not the first `skip`, then at most `times` (1; null: no end), each with
the probability `share` (1). Seconds are Azure's, and real ones at time scale 0.

Of requests (fault_rules.REQUEST_KINDS):
    refuse      answered at once with status, code, message and Retry-After retry_after_s
    fail        the operation ends Failed with code and message, after its time or after_s
    never_ends  the operation stays InProgress
    delay       carried out and answered delay_s later
    drop        connection closed, nothing carried out
    lose_reply  carried out, connection closed without a reply
    cut_reply   carried out, connection closed in the middle of the reply's body
    slow_reply  the body comes with bytes_per_s
    not_found   GETs of what the request made are answered 404, `reads` times or for_s
fail, never_ends and not_found meet no GET. Of one kind the first that fires is taken; different
kinds can meet the same request.

Of machines (fault_rules.MACHINE_KINDS): never_boots, no_ssh, wrong_host_key, no_network (after_s,
for_s), dies (after_s), evicted (after_s, notice_s); the latter three meet machines that are made
later, after_s from their boot on, or with `running` those that run now. small_disk (disk_mb) is
for real machines, and refused where machines are processes. `name` is the VM's, `type` tells apart
Microsoft.Compute/virtualMachines and
...virtualMachineScaleSets/virtualMachines, scale sets' instances. Whoever makes a VM asks
for_machine() once and does to the machine what it says.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from ..base import errors
from ..base.calls import Call
from ..base.clock import Clock
from ..base.messages import Json
from ..base.resource_types import SCALE_SET, VM
from ..base.store import Resource
from .fault_rules import MACHINE_KINDS, REQUEST_KINDS, DeclaredFault, declared

Met = dict[str, DeclaredFault]
ENDS = ("refuse", "drop")


@dataclass(frozen=True)
class MachineFault:
    """What happens to one machine.

    kind: one of fault_rules.MACHINE_KINDS; after_s: counted from the machine's boot, or from now if
    it runs already; for_s: how long it lasts, None: for ever; disk_mb: what can be written to its
    disk.
    """

    kind: str
    after_s: float = 0.0
    notice_s: float = 0.0
    for_s: float | None = None
    disk_mb: int = 0


@dataclass
class Hidden:
    """A new resource that reads don't see yet."""

    reads_left: int | None
    until_s: float | None = field(default=None)

    def hides(self, now_s: float) -> bool:
        if self.until_s is not None and now_s >= self.until_s:
            return False
        if self.reads_left is not None:
            self.reads_left -= 1
            return self.reads_left >= 0
        return True


class Faults:
    def __init__(self, clock: Clock, stream: random.Random) -> None:
        self._clock = clock
        self._random = stream
        self._declared: dict[str, DeclaredFault] = {}
        self._last_id = 0
        self._hidden: dict[str, Hidden] = {}

    # Declaring

    def declare(self, body: Json) -> Json:
        fault = declared(self._last_id + 1, body)
        self._last_id = fault.id
        self._declared[str(fault.id)] = fault
        return fault.shown()

    def listed(self) -> list[Json]:
        return [fault.shown() for fault in self._declared.values()]

    def withdraw(self, identifier: str) -> Json:
        fault = self._declared.pop(identifier, None)
        if fault is None:
            raise errors.ArmError(404, "NotFound", f"There is no fault '{identifier}'.")
        return fault.shown()

    def withdraw_all(self) -> None:
        self._declared.clear()
        self._hidden.clear()

    # Meeting

    def of_request(self, call: Call) -> Met:
        """Return the faults that meet this request, by their kind."""
        met: Met = {}
        for fault in list(self._declared.values()):
            kind = fault.kind
            if kind not in REQUEST_KINDS or kind in met or not fault.fits(call):
                continue
            if fault.fires(self._random):
                met[kind] = fault
                if kind in ENDS:
                    break
        return met

    def of_instance(self, vm: Resource) -> DeclaredFault | None:
        """Return the fault (fail, never_ends) that the creation of a scale set's machine meets."""
        call = Call("PUT", f"{VM}/write", VM, vm.name, vm.id)
        for fault in list(self._declared.values()):
            chosen = fault.kind in ("fail", "never_ends") and fault.fits(call)
            if chosen and fault.fires(self._random):
                return fault
        return None

    def for_machine(self, vm_name: str, *, in_scale_set: bool = False) -> list[MachineFault]:
        """Return what happens to a new VM's machine.

        Call it once for each VM, as each call draws.
        """
        made_later = [
            fault
            for fault in self._declared.values()
            if fault.kind in MACHINE_KINDS and not fault.body.get("running")
        ]
        return self._of_machine(made_later, vm_name, in_scale_set)

    def for_running(
        self, identifier: str, vm_name: str, *, in_scale_set: bool
    ) -> list[MachineFault]:
        """Return what a fault that was just declared does to a machine that runs."""
        fault = self._declared[identifier]
        chosen = [fault] if fault.body.get("running") else []
        return self._of_machine(chosen, vm_name, in_scale_set)

    def _of_machine(
        self, chosen: list[DeclaredFault], vm_name: str, in_scale_set: bool
    ) -> list[MachineFault]:
        kind = f"{SCALE_SET}/virtualMachines" if in_scale_set else VM
        call = Call("PUT", f"{kind}/write", kind, vm_name, "")
        return [
            MachineFault(
                fault.kind,
                fault.seconds("after_s") or 0,
                fault.seconds("notice_s") or 0,
                fault.seconds("for_s"),
                fault.body.get("disk_mb", 0),
            )
            for fault in chosen
            if fault.fits(call) and fault.fires(self._random)
        ]

    # New resources that reads don't see yet

    def hide(self, call: Call, fault: DeclaredFault) -> None:
        for_s = fault.seconds("for_s")
        until_s = None if for_s is None else self._clock.monotonic() + for_s
        reads = fault.body.get("reads", 1 if for_s is None else None)
        self._hidden[call.scope.lower()] = Hidden(reads, until_s)

    def check_visible(self, call: Call) -> None:
        if call.method not in ("GET", "HEAD"):
            return
        key = call.scope.lower()
        hidden = self._hidden.get(key)
        if hidden is None:
            return
        if hidden.hides(self._clock.monotonic()):
            raise _not_found(call)
        del self._hidden[key]


def _not_found(call: Call) -> errors.ArmError:
    parts = call.scope.strip("/").split("/")
    group = parts[3] if len(parts) > 3 else ""
    if len(parts) <= 4:
        return errors.group_not_found(group)
    return errors.resource_not_found(call.resource_type, call.name, group)

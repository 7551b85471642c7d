"""Machines of an engine set that boot: which of them answer, seen from the controller's."""

import asyncio
from collections.abc import Sequence

from ..record.contents import Machine, Record
from ..ssh import bootstrap
from ..ssh.connect import Target, boot_timeout
from ..ssh.connection import Connection


class BootingMachines:
    """Machines of an engine set, and which of them answer over SSH as the controller's sees them.

    `deadline`, in the loop's time, is when they must.
    """

    def __init__(self, machines: Sequence[Machine], deadline: float) -> None:
        self.machines, self._deadline = machines, deadline
        self._settled = {machine.address: asyncio.Event() for machine in machines}
        self._given_up: dict[str, BaseException] = {}

    @property
    def engine_count(self) -> int:
        return sum(machine.engines for machine in self.machines)

    def left_s(self) -> float:
        """Return how many seconds there are until the deadline, at least 0."""
        return max(0.0, self._deadline - asyncio.get_running_loop().time())

    async def look(self, gate: Connection, record: Record) -> None:
        """Have the controller's machine look until all of them answer, or the deadline is over."""
        addresses = list(self._settled)
        await bootstrap.see_booted(
            gate, record, addresses, timeout_s=self.left_s(), on_answer=self._note
        )

    def _note(self, address: str) -> None:
        self._settled[address].set()

    def give_up(self, address: str, why: BaseException) -> None:
        """Wait no longer for the machine at this address, if it has not answered so far."""
        settled = self._settled.get(address)
        if settled is not None and not settled.is_set():
            self._given_up[address] = why
            settled.set()

    async def wait_for(self, target: Target) -> None:
        """Return once the machine answers; raises BootTimeout, or why it was given up."""
        try:
            await asyncio.wait_for(self._settled[target.host].wait(), self.left_s())
        except asyncio.TimeoutError:
            raise boot_timeout(target, "boot_timeout_s") from None
        if target.host in self._given_up:
            raise self._given_up[target.host]

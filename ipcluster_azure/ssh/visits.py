"""The machines of a running cluster's engines, visited all at once through the controller's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ..errors import BootTimeout
from ..record.contents import NOTEBOOK, READY, EngineSet, Machine, Record
from ..record.file import RecordFile
from .connect import connect, controller_target, engine_target
from .connection import Connection

GATE_S, MACHINE_S = 30.0, 10.0  # to log in to machines that were reached before
AT_ONCE = 100
CONTROLLER = "controller"  # stands for its machine's name

Visit = Callable[[Connection, str, str], Awaitable[Any]]


@dataclass(frozen=True)
class Visits:
    """`gate` is the connection to the controller's machine, and the way to the others."""

    file: RecordFile
    gate: Connection

    async def make_with_notebook(
        self, record: Record, visit: Visit, *, besides: Collection[str] = (), only_set: str = ""
    ) -> dict[str, Any]:
        """As `make`, with the controller's machine if there is a JupyterLab on it."""
        visiting = [self.make(record, visit, besides=besides, only_set=only_set)]
        if NOTEBOOK in record.forwards and not only_set and CONTROLLER not in besides:
            visiting.append(self._visit_controller(visit))
        found: dict[str, Any] = {}
        for outcomes in await asyncio.gather(*visiting):
            found |= outcomes
        return found

    async def _visit_controller(self, visit: Visit) -> dict[str, Any]:
        outcomes = await asyncio.gather(visit(self.gate, CONTROLLER, ""), return_exceptions=True)
        return {CONTROLLER: outcomes[0]}

    async def make(
        self, record: Record, visit: Visit, *, besides: Collection[str] = (), only_set: str = ""
    ) -> dict[str, Any]:
        """Call `visit` with the connection to each machine, its name, and its engine set's id.

        The machines are those whose engines run, or all of engine set `only_set`, but for those
        whose names are in `besides`. Returns for each machine's name what `visit` returned, or the
        exception: one that can't be reached holds no other up.
        """
        slots = asyncio.Semaphore(AT_ONCE)
        machines = {
            machine.name: (set_id, machine)
            for set_id, engine_set in record.engine_sets.items()
            for machine in engine_set.machines
            if (only_set == set_id or (not only_set and _runs(engine_set, machine)))
            and machine.name not in besides
        }

        async def one(name: str) -> Any:
            set_id, machine = machines[name]
            target = engine_target(self.file, record, set_id, machine)
            async with slots:
                ssh = await connect(target, timeout_s=MACHINE_S, through=self.gate)
                async with ssh:
                    return await visit(ssh, name, set_id)

        outcomes = await asyncio.gather(*map(one, machines), return_exceptions=True)
        return dict(zip(machines, outcomes, strict=True))


def _runs(engine_set: EngineSet, machine: Machine) -> bool:
    """Return whether the engines of the machine run, and it does not boot still."""
    return engine_set.state == READY and machine.name not in engine_set.joining.machines


@asynccontextmanager
async def visiting(
    file: RecordFile, record: Record, *, within_s: float = GATE_S
) -> AsyncIterator[Visits]:
    """Log in to the controller's machine; raises BootTimeout if it can't be reached."""
    async with await connect(controller_target(file, record), timeout_s=within_s) as gate:
        yield Visits(file, gate)


def ids_of(ids: Iterable[int]) -> str:
    """Return engines' ids in words: 3, 4."""
    return ", ".join(map(str, ids))


def problem(name: str, error: BaseException) -> str:
    """Say in one line why the visit to a machine failed. It has been reached before, so what keeps
    a new one from booting is left out."""
    text = error.message if isinstance(error, BootTimeout) else str(error)
    line = " ".join(text.split())
    return line if line.startswith(name) else f"{name}: {line}"

"""Engines of a running cluster started anew, where they may have old packages loaded.

Their supervisor has such loaded, too, for engines that it forks, so it ends with them.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..progress import Progress
from ..record.abort import require_alive
from ..record.contents import Machine, Record
from ..ssh import own_files, package_updates
from ..ssh.connection import Connection
from ..ssh.visits import Visits
from ..start.engine_processes import (
    BootingMachines,
    prepare_kit,
    start_engine_processes,
    tell_of_faults,
)
from ..start.request import ProcessSpec, StartContext

REACHED_S = 30.0


@dataclass
class StartedAnew:
    """`ids`: the new ids by the old ones, None for an engine that didn't come. `computing`: ids of
    engines that have a task, so that their machines were left alone. `failures`: by machine."""

    ids: dict[int, int | None] = field(default_factory=dict)
    computing: list[int] = field(default_factory=list)
    failures: dict[str, BaseException] = field(default_factory=dict)


async def start_anew(
    visits: Visits, record: Record, names: Collection[str], *, force: bool, progress: Progress
) -> StartedAnew:
    """Start the engines of the machines of these names anew; with `force` also those with a task.

    What fails on a machine is returned.
    """
    result = StartedAnew()
    before = await _end(visits, record, names, force, result)
    for set_id, engine_set in record.engine_sets.items():
        if machines := [one for one in engine_set.machines if one.name in before]:
            result.failures |= await _start(visits, set_id, machines, progress)

    async def look(machine: Connection, name: str, set_id: str) -> dict[str, int]:
        looked = await package_updates.look(machine, record.environment, set_id)
        return dict(looked["engines"])

    after = await visits.make(record, look, besides=_others(record, before))
    for name, engines in before.items():
        now = after[name] if isinstance(after[name], dict) else {}
        result.ids |= {old: now.get(index) for index, old in engines.items()}
    return result


async def _end(
    visits: Visits, record: Record, names: Collection[str], force: bool, result: StartedAnew
) -> dict[str, dict[str, int]]:
    """End the supervisors; returns their engines' ids by index, by machine."""
    environment = record.environment

    async def end(machine: Connection, name: str, set_id: str) -> dict[str, Any]:
        looked = await package_updates.look(machine, environment, set_id)
        looked |= await own_files.look(machine, environment, set_id)
        if force or not looked["computing"]:
            await package_updates.end_supervisor(machine, environment, set_id)
        return looked

    before = {}
    ended = await visits.make(record, end, besides=_others(record, names))
    for name, it in ended.items():
        if isinstance(it, BaseException):
            result.failures[name] = it
        elif it["computing"] and not force:
            result.computing += it["computing"]
        else:
            before[name] = it["engines"]
    return before


async def _start(
    visits: Visits, set_id: str, machines: Sequence[Machine], progress: Progress
) -> Mapping[str, BaseException]:
    """Start the engines of machines whose supervisors have ended; returns what failed."""
    engine_set = require_alive(visits.file, set_id).engine_sets[set_id]
    context = StartContext(visits.file, progress)
    process = ProcessSpec(engine_set.args, engine_set.variables, engine_set.files)
    booting = BootingMachines(machines, asyncio.get_running_loop().time() + REACHED_S)
    kit = prepare_kit(context, process, visits.gate)
    started = await start_engine_processes(context, set_id, booting, visits.gate, kit)
    tell_of_faults(started, set_id, progress.log)
    return started.failures


def _others(record: Record, names: Collection[str]) -> set[str]:
    machines = {one.name for found in record.engine_sets.values() for one in found.machines}
    return machines - {*names}

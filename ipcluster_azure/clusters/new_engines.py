"""Engines of a running cluster started anew, where they may have old packages loaded.

Their supervisor has such loaded, too, for engines that it forks, so it begins anew with them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..formatting import counted
from ..progress import Progress
from ..record.contents import Record
from ..ssh import own_files
from ..ssh.connection import Connection
from ..ssh.engine_restarts import Restarted, restart_engines
from ..ssh.visits import Visits


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
    environment = record.environment
    progress.say(f"Starting the engines of {counted(len(names), 'machine')} anew")

    async def restart(machine: Connection, name: str, set_id: str) -> list[int] | Restarted:
        if not force:
            computing: list[int] = (await own_files.look(machine, environment, set_id))["computing"]
            if computing:
                return computing
        return await restart_engines(machine, environment, set_id, None)

    machines = {one.name for found in record.engine_sets.values() for one in found.machines}
    outcomes = await visits.make(record, restart, besides=machines - {*names})
    return _summed_up(outcomes, progress)


def _summed_up(outcomes: Mapping[str, Any], progress: Progress) -> StartedAnew:
    result, faults = StartedAnew(), set[str]()
    for name, it in outcomes.items():
        if isinstance(it, BaseException):
            result.failures[name] = it
        elif isinstance(it, Restarted):
            result.ids |= it.ids
            faults |= {*it.faults}
        else:
            result.computing += it
    for text in sorted(faults):  # machines are mostly alike
        progress.log.warning("The preparation of engines failed, which run without it: %s", text)
    return result

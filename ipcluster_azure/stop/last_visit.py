"""The last visit to machines over SSH before they are deleted: engines ended, logs fetched.

    python -m ipcluster_azure.stop.last_visit RECORD --timeout-s=5 [--set SET_ID] [--stop | --back]

With --back it brings home the results that the setting sync_back names, and prints what came of it,
{"lines": [...], "problems": [...]}.

A process of its own, so that it also runs at the interpreter's exit, where asyncssh can't, and so
that a time limit can end it whatever it hangs on. Links of other versions start it by this command.
The logs of a whole cluster are usually fetched by its link instead, which is logged in already.
"""

import argparse
import asyncio
import functools
import json
import logging
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    from .. import process

    process.launchers_run_here = False

from ..process import importing

with importing():
    from ..errors import AzureLauncherError, BootTimeout, MachineFailed
    from ..progress import Progress
    from ..record.contents import Machine, Record
    from ..record.file import RecordFile
    from ..ssh.commands import agent_command, where_set_up
    from ..ssh.connect import connect, controller_target, engine_target
    from ..ssh.connection import Connection
    from ..ssh.visits import visiting
    from .results import FOLDER, Fetch, Fetched, fetch, told

CONNECT_TIMEOUT_S = 3.0
COMMAND_TIMEOUT_S = 12.0
CONCURRENT_MACHINES = 100
MAX_LOG_BYTES = 200_000
Visit = Callable[[], Coroutine[Any, Any, None]]


async def _collect(
    connection: Connection, file: RecordFile, path: Path, environment: Any, selection: str
) -> None:
    """Append what the processes of one machine have logged to the local file `path`.

    `selection`: the agent's option that says whose logs, "--controller" or "--set=SET_ID".
    """
    logs: list[dict[str, Any]] = []
    await connection.events(
        agent_command(environment, "logs", selection, f"--max-bytes={MAX_LOG_BYTES}"),
        timeout_s=COMMAND_TIMEOUT_S,
        on_event=logs.append,
    )
    parts = [f"==> {log['name']} <==\n{log['text']}\n" for log in logs if "text" in log]
    file.add_to_log(path, "".join(parts))


async def _visit(
    file: RecordFile, record: Record, gate: Connection, set_id: str, machine: Machine, stop: bool
) -> None:
    target = engine_target(file, record, set_id, machine)
    async with await connect(target, timeout_s=CONNECT_TIMEOUT_S, through=gate) as connection:
        selection = f"--set={set_id}"
        if stop:
            command = agent_command(record.environment, "stop", selection)
            await connection.events(command, timeout_s=COMMAND_TIMEOUT_S)
        path = file.log_path(set_id, machine.name)
        await _collect(connection, file, path, record.environment, selection)


async def _stop_if_there(
    file: RecordFile, record: Record, gate: Connection, set_id: str, machine: Machine
) -> None:
    """End the engines of a machine that may not have booted, or been set up, so far.

    Then there are none, nor are any known of where it falls silent. Those that are being started at
    this moment are new anyway: whoever starts the set's engines again has them.
    """
    environment, selection = record.environment, f"--set={set_id}"
    command = where_set_up(environment, agent_command(environment, "stop", selection))
    target = engine_target(file, record, set_id, machine)

    async def stop() -> None:
        async with await connect(target, timeout_s=CONNECT_TIMEOUT_S, through=gate) as connection:
            if await connection.events(command, timeout_s=COMMAND_TIMEOUT_S):
                path = file.log_path(set_id, machine.name)
                await _collect(connection, file, path, environment, selection)

    with suppress(BootTimeout, asyncio.TimeoutError):
        await asyncio.wait_for(stop(), COMMAND_TIMEOUT_S)


async def visit_all(file: RecordFile, only_set: str, stop: bool) -> None:
    """Log in to the controller's machine, the way to the others, and visit as visit_through()."""
    target = controller_target(file, file.require())
    async with await connect(target, timeout_s=CONNECT_TIMEOUT_S) as gate:
        await visit_through(gate, file, only_set, stop)


async def visit_through(
    gate: Connection, file: RecordFile, only_set: str = "", stop: bool = False
) -> None:
    """Visit the machines of engine set `only_set`, or of the whole cluster if that is empty.

    `gate` is a connection to the controller's machine, which is visited with the whole cluster.
    Raises MachineFailed, after all visits, if any of them failed.
    """
    record = file.require()
    sets = {only_set: record.engine_sets[only_set]} if only_set else record.engine_sets
    visits = [
        visit for set_id in sets for visit in _visits_of_set(file, record, gate, set_id, stop)
    ]
    if not only_set:
        path = file.log_path("", "controller")
        collect = functools.partial(_collect, gate, file, path, record.environment, "--controller")
        visits.append(collect)
    outcomes = await _gather_limited(CONCURRENT_MACHINES, visits)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if failures:
        raise MachineFailed("; ".join(map(str, failures)))


def _visits_of_set(
    file: RecordFile, record: Record, gate: Connection, set_id: str, stop: bool
) -> Iterator[Visit]:
    """Return the visits to make. Machines that still boot have no logs."""
    engine_set = record.engine_sets[set_id]
    for machine in engine_set.machines:
        if machine.name not in engine_set.joining.machines:
            yield functools.partial(_visit, file, record, gate, set_id, machine, stop)
        elif stop:
            yield functools.partial(_stop_if_there, file, record, gate, set_id, machine)


async def _gather_limited(limit: int, visits: Sequence[Visit]) -> list[BaseException | None]:
    """Make the visits, `limit` at a time; what they raise is returned in their places."""
    gate = asyncio.Semaphore(limit)

    async def one(visit: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with gate:
            await visit()

    return await asyncio.gather(*map(one, visits), return_exceptions=True)


async def bring_results(file: RecordFile, only_set: str, timeout_s: float) -> dict[str, list[str]]:
    """Bring results home, from one engine set or all; returns what to say, and what went wrong."""
    record = file.require()
    own = record.own_files
    wish = Fetch(own.back, Path(own.folder) / FOLDER, only_set=only_set)

    async def bring() -> Fetched:
        async with visiting(file, record, within_s=CONNECT_TIMEOUT_S) as visits:
            return await fetch(visits, record, wish, Progress(logging.getLogger("results")))

    try:
        fetched = await asyncio.wait_for(bring(), timeout_s)
    except asyncio.TimeoutError:
        return {"lines": [], "problems": [f"not all came within {timeout_s:g} s"]}
    except AzureLauncherError as error:
        return {"lines": [], "problems": [str(error)]}
    return {"lines": told(fetched, wish.folder), "problems": fetched.problems}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("record", type=Path)
    parser.add_argument("--set", default="")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--stop", action="store_true")
    what.add_argument("--back", action="store_true")
    parser.add_argument("--timeout-s", type=float, required=True)
    options = parser.parse_args()
    logging.getLogger("asyncssh").setLevel(logging.ERROR)
    file = RecordFile(options.record)
    if options.back:
        print(json.dumps(asyncio.run(bring_results(file, options.set, options.timeout_s))))
        return 0
    work = visit_all(file, options.set, options.stop)
    asyncio.run(asyncio.wait_for(work, options.timeout_s))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The logs of a running cluster's machines, as they are and as they grow."""

import asyncio
import glob
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..errors import (
    AzureLauncherError,
    BootstrapFailed,
    BootTimeout,
    ClusterStopped,
    ConfigurationError,
)
from ..formatting import counted, some
from ..private_files import files_in
from ..record.contents import Machine, Record
from ..record.file import RecordFile
from ..resource_manager.waiting import all_or_none
from ..ssh.commands import agent_command
from ..ssh.connect import connect, engine_target
from ..ssh.connection import Connection
from ..ssh.visits import ids_of, problem
from .boot_logs import show_boot_logs
from .guard_news import ask_load, log_in
from .load import CONTROLLER, machines_of

MACHINE_S, READ_S = 10.0, 60.0  # to log in to a machine that was reached before; to read its logs
MOST_MACHINES = 100  # that are followed, or read, at once
MAX_BYTES = 200_000  # of each log, its end
UNKNOWN_OPTION = "unrecognized arguments"  # argparse, of a version that has no such option
OF_ANOTHER_VERSION = (
    "The cluster was started by another version of ipcluster-azure, whose machines can show their "
    "logs but neither follow them (-f), nor choose by time (--since) or engine: use "
    "`logs controller` and `logs machine NAME`."
)
SINCE = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

Tell = Callable[[str, str, str], None]


@dataclass(frozen=True)
class Wanted:
    """Whose logs: `kind` is controller, engine or machine, with the engine's id or the machine's
    `name`; empty for all. `since_s`: only of the last seconds."""

    kind: str = ""
    name: str = ""
    follow: bool = False
    since_s: float | None = None

    def options(self, *more: str) -> list[str]:
        """Return the options of the agent's command: machines of other versions know the last."""
        found = [f"--since-s={self.since_s:.0f}"] if self.since_s is not None else []
        found += ["--follow"] if self.follow else []
        return [*more, *found, f"--max-bytes={MAX_BYTES}"]


def parse_since(text: str, now: datetime) -> float:
    """Return how many seconds ago `text` is: 30s, 10m, 2h, 1d, or a time in ISO 8601, which is this
    computer's unless it names a zone. Raises ConfigurationError."""
    if found := SINCE.fullmatch(text):
        return float(found[1]) * SECONDS[found[2]]
    try:
        at = datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise ConfigurationError(
            f"--since={text} is no time: 30s, 10m, 2h, 1d, or 2026-11-30T09:15 are."
        ) from None
    return max(0.0, (now - at).total_seconds())


def whole_lines(text: str) -> str:
    """Return a log's end without its first line if the beginning of that is missing."""
    return text.partition("\n")[2] if len(text.encode()) >= MAX_BYTES else text


async def show_logs(file: RecordFile, wanted: Wanted, tell: Tell) -> list[str]:
    """Call `tell` with a machine's name, a log's, and its text, for each log that is wanted; with
    `follow` also with what is added, for ever.

    Of a single machine that does not answer it is what it printed as it booted. Returns what went
    wrong with single machines. Raises AzureLauncherError if nothing can be shown.
    """
    record = _require(file)
    machines, engine = await _machines(file, record, wanted)
    try:
        outcomes = await _Reader(file, record, wanted, tell).read(machines, engine)
    except BootTimeout as error:
        if wanted.kind != CONTROLLER:
            raise
        return [problem("the controller", error), *await show_boot_logs(file, CONTROLLER, tell)]
    names = [*(machine.name for _, machine in machines), "the controller"]
    found = zip(names, outcomes, strict=False)
    problems = [problem(name, outcome) for name, outcome in found if outcome is not None]
    if wanted.kind == "machine" and isinstance(outcomes[0], BootTimeout):
        problems += await show_boot_logs(file, names[0], tell)
    return problems


def _require(file: RecordFile) -> Record:
    record = file.read()
    if record is None:
        folder = file.link_log.parent
        kept = [path.name for path in files_in(folder, f"{glob.escape(file.path.stem)}-*.log")]
        where = f" What was kept of the last one is in {folder}: {some(kept)}." if kept else ""
        raise ClusterStopped(f"There is no cluster on record in {file.path} (any more).{where}")
    return record


async def _machines(
    file: RecordFile, record: Record, wanted: Wanted
) -> tuple[list[tuple[str, Machine]], str]:
    """Return the engines' machines to visit, each with its engine set's id, and an engine's id."""
    every = list(machines_of(record))
    if wanted.kind == CONTROLLER:
        return [], ""
    if wanted.kind == "machine":
        found = [item for item in every if wanted.name in (item[1].name, item[1].address)]
        if not found:
            known = some([CONTROLLER, *(machine.name for _, machine in every)])
            raise ConfigurationError(
                f"There is no machine {wanted.name!r} on record; there are {known}. Of one that "
                "never came up `--boot` shows what it printed."
            )
        return found, ""
    if wanted.kind == "engine":
        return [await _machine_of_engine(file, record, every, wanted.name)], wanted.name
    if len(every) > MOST_MACHINES:
        raise ConfigurationError(
            f"The cluster has {counted(len(every), 'machine')}; at most {MOST_MACHINES} are shown "
            "at once. Name one: `logs machine NAME`, `logs engine N` or `logs controller`."
        )
    return every, ""


async def _machine_of_engine(
    file: RecordFile, record: Record, every: list[tuple[str, Machine]], engine: str
) -> tuple[str, Machine]:
    told = await ask_load(file, record)
    ids = {address: machine["ids"] for address, machine in told["machines"].items()}
    for set_id, machine in every:
        if int(engine) in ids.get(machine.address, ()):
            return set_id, machine
    known = ids_of(sorted(id_ for of_one in ids.values() for id_ in of_one)) or "none"
    raise ConfigurationError(f"There is no engine {engine} at the moment; there are {known}.")


async def _or_why_not(visit: Awaitable[None]) -> AzureLauncherError | None:
    """Make a visit; returns why it failed, which holds no other up."""
    try:
        await visit
    except AzureLauncherError as error:
        return error
    return None


@dataclass(frozen=True)
class _Reader:
    """Reads logs through the controller's machine."""

    file: RecordFile
    record: Record
    wanted: Wanted
    tell: Tell

    async def read(
        self, machines: list[tuple[str, Machine]], engine: str
    ) -> list[AzureLauncherError | None]:
        """Return for each of the machines, and for the controller's if its logs are wanted, why it
        could not be asked."""
        async with await log_in(self.file, self.record) as gate:
            visits = [self._engines(gate, set_id, item, engine) for set_id, item in machines]
            if self.wanted.kind in ("", CONTROLLER):
                visits.append(self._read(gate, CONTROLLER, "--controller"))
            tasks = [asyncio.ensure_future(_or_why_not(visit)) for visit in visits]
            await all_or_none(*tasks)  # what else one raises ends the others, which may never end
        told = [task.result() for task in tasks]
        if told and all(isinstance(outcome, ConfigurationError) for outcome in told):
            raise ConfigurationError(str(told[0]))  # which is the same for all of them
        return told

    async def _engines(self, gate: Connection, set_id: str, machine: Machine, engine: str) -> None:
        """Read what the processes of an engine set log on one machine, or an `engine` does."""
        whose = [f"--set={set_id}", *([f"--engine={engine}"] if engine else [])]
        target = engine_target(self.file, self.record, set_id, machine)
        async with await connect(target, timeout_s=MACHINE_S, through=gate) as ssh:
            await self._read(ssh, machine.name, *whose)

    async def _read(self, ssh: Connection, name: str, *whose: str) -> None:
        options = self.wanted.options(*whose)
        command = agent_command(self.record.environment, "logs", *options)

        def hear(event: dict[str, Any]) -> None:
            if event["event"] == "log":
                self.tell(name, event["name"], whole_lines(event["text"]))

        try:
            if self.wanted.follow:
                await ssh.follow(command, hear)
            else:
                await ssh.events(command, timeout_s=READ_S, on_event=hear)
        except BootstrapFailed as error:
            if UNKNOWN_OPTION in str(error):
                raise ConfigurationError(OF_ANOTHER_VERSION) from error
            raise

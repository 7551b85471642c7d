"""Reads the logs of a cluster's machines over SSH, once or as they grow."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ..errors import AzureLauncherError, BootstrapFailed, ConfigurationError
from ..record.contents import READY, Machine, Record
from ..record.file import RecordFile
from ..resource_manager.waiting import all_or_none, while_watching
from ..ssh.commands import agent_command
from ..ssh.connect import connect, engine_target
from ..ssh.connection import Connection
from ..ssh.visits import problem
from .guard_news import log_in
from .load import CONTROLLER, machines_of

MACHINE_S, READ_S = 10.0, 60.0  # to log in to a machine that was reached before; to read its logs
LOOK_S = 3.0  # between two looks at the record, for machines that come while logs are followed
MAX_BYTES = 200_000  # of each log, its end
UNKNOWN_OPTION = "unrecognized arguments"  # argparse, of a version that has no such option
OF_ANOTHER_VERSION = (
    "The cluster was started by another version of ipcluster-azure, whose machines can show their "
    "logs but neither follow them (-f), nor choose by time (--since) or engine: use "
    "`logs controller` and `logs machine NAME`."
)

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


def whole_lines(text: str) -> str:
    """Return a log's end without its first line if the beginning of that is missing."""
    return text.partition("\n")[2] if len(text.encode()) >= MAX_BYTES else text


@dataclass(frozen=True)
class LogReader:
    """Reads logs through the controller's machine. `tell` gets a machine's name, a log's and its
    text; `warn` what goes wrong with a single machine, when it does."""

    file: RecordFile
    record: Record
    wanted: Wanted
    tell: Tell
    warn: Callable[[str], None]

    async def read(
        self, machines: list[tuple[str, Machine]], engine: str
    ) -> list[AzureLauncherError | None]:
        """Return for each of the machines, and for the controller's if its logs are wanted, why it
        could not be asked.

        Raises ConfigurationError if that is what all of them say, BootTimeout if the controller's
        machine, which is the way to the others, can't be reached.
        """
        async with await log_in(self.file, self.record) as gate:
            visits = [
                self._or_why_not(item.name, self._engines(gate, set_id, item, engine))
                for set_id, item in machines
            ]
            if self.wanted.kind in ("", CONTROLLER):
                of_controller = self._read(gate, CONTROLLER, "--controller")
                visits.append(self._or_why_not(f"the {CONTROLLER}", of_controller))
            tasks = [asyncio.ensure_future(visit) for visit in visits]
            visiting = all_or_none(*tasks)  # what else one raises ends the others, without an end
            if self.wanted.follow and not self.wanted.kind:
                known = {item.name for _, item in machines}
                await while_watching(self._follow_later_ones(gate, known), visiting)
            else:
                await visiting
        told = [task.result() for task in tasks]
        mistakes = [outcome for outcome in told if isinstance(outcome, ConfigurationError)]
        if mistakes and len(mistakes) == len(told):
            raise ConfigurationError(str(mistakes[0]))  # which is the same for all of them
        for mistake in mistakes:
            self.warn(str(mistake))
        return told

    async def _follow_later_ones(self, gate: Connection, known: set[str]) -> None:
        """Follow the logs of machines that begin to run engines from now on, for ever; `known` are
        the names of those that are followed already."""
        tasks: list[asyncio.Task[AzureLauncherError | None]] = []
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                for task in tasks:
                    if task.done():
                        task.result()  # raises what nobody has foreseen
                record = self.file.read()
                for set_id, machine in machines_of(record) if record is not None else ():
                    running = record is not None and record.engine_sets[set_id].state == READY
                    if running and machine.name not in known:
                        known.add(machine.name)
                        visit = self._engines(gate, set_id, machine, "")
                        work = self._or_why_not(machine.name, visit)
                        tasks.append(asyncio.ensure_future(work))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _or_why_not(self, name: str, visit: Awaitable[None]) -> AzureLauncherError | None:
        """Make a visit; returns why it failed, which holds no other up."""
        try:
            await visit
        except ConfigurationError as error:  # maybe the same for all of them
            return error
        except AzureLauncherError as error:
            self.warn(problem(name, error))
            return error
        return None

    async def _engines(self, gate: Connection, set_id: str, machine: Machine, engine: str) -> None:
        """Read what the processes of an engine set log on one machine, or an `engine` does."""
        whose = [f"--set={set_id}", *([f"--engine={engine}"] if engine else [])]
        record = self.record if set_id in self.record.engine_sets else self.file.require()
        target = engine_target(self.file, record, set_id, machine)
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

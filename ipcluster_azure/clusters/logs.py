"""The logs of a running cluster's machines, as they are and as they grow."""

import glob
import re
from collections.abc import Callable
from datetime import datetime

from ..errors import BootTimeout, ClusterStopped, ConfigurationError
from ..formatting import counted, some
from ..private_files import files_in
from ..record.contents import Machine, Record
from ..record.file import RecordFile
from ..ssh.visits import ids_of, problem
from .boot_logs import show_boot_logs
from .guard_news import ask_load
from .load import CONTROLLER, machines_of, prefix_of
from .log_reader import LogReader, Tell, Wanted

MOST_MACHINES = 100  # that are followed, or read, at once
SINCE = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_since(text: str, now: datetime) -> float:
    """Return how many seconds ago `text` is: 30s, 10m, 2h, 1d, or a time in ISO 8601, which is this
    computer's unless it names a zone; at most 1970, as no clock of a machine knows what was before.
    Raises ConfigurationError."""
    if found := SINCE.fullmatch(text):
        return min(float(found[1]) * SECONDS[found[2]], now.timestamp())
    try:
        at = datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise ConfigurationError(
            f"--since={text} is no time: 30s, 10m, 2h, 1d, or 2026-11-30T09:15 are."
        ) from None
    return min(max(0.0, (now - at).total_seconds()), now.timestamp())


async def show_logs(
    file: RecordFile, wanted: Wanted, tell: Tell, warn: Callable[[str], None]
) -> bool:
    """Call `tell` with a machine's name, a log's, and its text, for each log that is wanted; with
    `follow` also with what is added, for ever, and of machines that come later.

    Of a single machine that does not answer it is what it printed as it booted. Calls `warn` with
    what goes wrong with a single machine, as it does; returns whether nothing did. Raises
    AzureLauncherError if nothing can be shown.
    """
    record = _require(file)
    machines, engine = await _machines(file, record, wanted)
    try:
        outcomes = await LogReader(file, record, wanted, tell, warn).read(machines, engine)
    except BootTimeout as error:
        if wanted.kind != CONTROLLER:
            raise
        warn(problem("the controller", error))
        await _show_boot_logs(file, CONTROLLER, tell, warn)
        return False
    if wanted.kind == "machine" and isinstance(outcomes[0], BootTimeout):
        await _show_boot_logs(file, machines[0][1].name, tell, warn)
    return not any(outcomes)


async def _show_boot_logs(
    file: RecordFile, machine: str, tell: Tell, warn: Callable[[str], None]
) -> None:
    for why in await show_boot_logs(file, machine, tell):
        warn(why)


def _require(file: RecordFile) -> Record:
    record = file.read()
    if record is None:
        folder = file.link_log.parent
        kept = [path.name for path in files_in(folder, f"{glob.escape(file.path.stem)}-*.log")]
        where = f" What was kept of the last one is in {folder}: {some(kept)}." if kept else ""
        raise ClusterStopped(f"{file.absent()}{where}")
    return record


async def _machines(
    file: RecordFile, record: Record, wanted: Wanted
) -> tuple[list[tuple[str, Machine]], str]:
    """Return the engines' machines to visit, each with its engine set's id, and an engine's id."""
    every = list(machines_of(record))
    if wanted.kind == CONTROLLER:
        return [], ""
    if wanted.kind == "machine":
        names = (wanted.name, prefix_of(record) + wanted.name)
        found = [item for item in every if item[1].name in names or item[1].address == wanted.name]
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

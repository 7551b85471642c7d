"""Results of the engines brought home, into a folder for each machine.

By `ipcluster-azure sync --back`, and before a cluster is deleted, if the setting sync_back says so.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import AzureLauncherError, ConfigurationError
from ..formatting import counted, printable, some
from ..progress import Progress
from ..record.contents import Record
from ..ssh.connection import Connection
from ..ssh.results import list_results, receive_results
from ..ssh.visits import Visits, problem
from .received import Received, Refused

MB = 1_000_000
LIMIT_MB = 1_000.0
FOLDER = "from-engines"


@dataclass(frozen=True)
class Fetch:
    """What is to be brought: the files of these patterns into `folder`, unless there are more than
    `limit_mb` altogether. `only_set`: of the machines of one engine set."""

    patterns: Sequence[str]
    folder: Path
    limit_mb: float = LIMIT_MB
    only_set: str = ""


@dataclass
class Fetched:
    """What came: by machine; `problems` are those of machines, or what could not be written."""

    received: dict[str, Received] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


async def fetch(visits: Visits, record: Record, wish: Fetch, progress: Progress) -> Fetched:
    """Bring the files, and tell how far that is.

    Raises ConfigurationError if there are too many, and has brought none then.
    """
    environment = record.environment

    async def look(machine: Connection, name: str, set_id: str) -> Any:
        return await list_results(machine, environment, wish.patterns)

    listed = await visits.make_with_notebook(record, look, only_set=wish.only_set)
    files = {name: it for name, it in listed.items() if isinstance(it, dict)}
    total = sum(sum(sizes.values()) for sizes in files.values())
    _check_size(files, total, wish.limit_mb)
    unused = [name for name, sizes in listed.items() if not sizes or name not in files]
    fetched, come = Fetched(), 0
    with progress.counting("MB of results", -(-total // MB)) as counter:

        def count(number: int) -> None:
            nonlocal come
            come += number
            if come > wish.limit_mb * MB:
                raise Refused(f"more comes than {wish.limit_mb:g} MB")
            counter.set(-(-min(come, total) // MB))

        async def bring(machine: Connection, name: str, set_id: str) -> None:
            received = fetched.received[name] = Received(wish.folder / name, count)
            try:
                await receive_results(machine, environment, wish.patterns, received.feed)
            finally:
                received.close()

        brought = await visits.make_with_notebook(
            record, bring, besides=unused, only_set=wish.only_set
        )
    for name, outcome in {**listed, **brought}.items():
        if isinstance(outcome, BaseException):
            fetched.problems.append(_problem(name, outcome, wish.folder))
    return fetched


def _check_size(files: Mapping[str, Mapping[str, int]], total: int, limit_mb: float) -> None:
    if total <= limit_mb * MB:
        return
    sizes = {f"{machine}/{name}": it for machine, of in files.items() for name, it in of.items()}
    largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:3]
    named = ", ".join(f"{name} ({sizes[name] / MB:.1f} MB)" for name in largest)
    raise ConfigurationError(
        f"{counted(len(sizes), 'file')} with {total / MB:.1f} MB are more than {limit_mb:g} MB; "
        f"the largest: {named}. Nothing was brought. Name fewer, or raise it: --limit-mb=N."
    )


def _problem(name: str, error: BaseException, folder: Path) -> str:
    if isinstance(error, OSError) and not isinstance(error, AzureLauncherError):
        place, reason = error.filename or folder, error.strerror or error
        return f"{name}: {place} can't be written: {reason}"
    return problem(name, error)


def told(fetched: Fetched, folder: Path) -> list[str]:
    """Say what came, in lines for the user."""
    parts = {
        kind: [
            printable(f"{machine}/{name}")
            for machine, received in sorted(fetched.received.items())
            for name in getattr(received, kind)
        ]
        for kind in ("new", "replaced", "same", "refused")
    }
    if not any(parts.values()):
        return [] if fetched.problems else ["No file of the engines matches."]
    new, replaced = parts["new"], parts["replaced"]
    came = len(new) + len(replaced)
    lines = [f"{counted(came, 'file')} brought to {folder}{os.sep}MACHINE"]
    if parts["same"]:
        lines[0] += f"; there already, and as they were: {len(parts['same'])}"
    if replaced:
        lines.append(f"Replaced what was there before: {some(replaced)}")
    if parts["refused"]:
        lines.append(f"Not brought: {some(parts['refused'])}")
    return lines

"""`ipcluster-azure sync --back`: brings results home from a running cluster."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..progress import Progress
from ..record.file import RecordFile
from ..settings.value_checks import check_result_patterns
from ..ssh.visits import visiting
from ..start.reattach import started
from ..stop.results import Fetch, fetch, told


@dataclass(frozen=True)
class Brought:
    """`lines` for the user; `problems` with machines, or with what could not be written here."""

    lines: Sequence[str]
    problems: Sequence[str]


async def bring_back(file: RecordFile, wish: Fetch, progress: Progress) -> Brought:
    """Bring the results home. Raises AzureLauncherError if there is no such cluster, its controller
    can't be reached, or there is more than is wanted."""
    check_result_patterns("--back", wish.patterns)
    record = started(file)
    async with visiting(file, record) as visits:
        fetched = await fetch(visits, record, wish, progress)
    return Brought(told(fetched, wish.folder), fetched.problems)

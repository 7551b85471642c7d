"""What runs on a cluster's machines is ended, and the machines are kept."""

import asyncio
from typing import Any

from ..errors import AzureLauncherError
from ..record.contents import CREATING, Record
from . import own_files
from .bundle import ON_VM
from .commands import BARE, Command, shell, system_python
from .connection import Connection
from .visits import Visits, ids_of, problem

END_S = 30.0
GRACE_S = 2.0  # engines without a task, and ipcontroller, take less
# with the first of these that is there; where none is, nothing of ours has ever run
WITH_ANY = (
    'for each in "$@"; do if command -v "$each" > /dev/null; then '
    'exec "$each" {options} - {arguments}; fi; done; echo \'{{"event": "ended", "killed": []}}\''
)


async def require_idle(visits: Visits, record: Record) -> None:
    """Raise AzureLauncherError if an engine has a task. What can't be asked has none."""

    async def look(machine: Connection, name: str, set_id: str) -> Any:
        return (await own_files.look(machine, record.environment, set_id))["computing"]

    looks = (await visits.make(record, look)).values()
    if computing := sorted(it for look in looks if isinstance(look, list) for it in look):
        raise AzureLauncherError(
            f"Nothing was changed, as engines compute: {ids_of(computing)}. Wait for the end of "
            "their tasks, or use --force, which ends them."
        )


async def end_all(visits: Visits, record: Record, *, force: bool) -> list[str]:
    """End the controller, the engines, and who would start them again, on all machines at once.

    `force`: nothing is waited for. Returns what failed, in words.
    """
    command = _command(record, 0.0 if force else GRACE_S)

    async def end(machine: Connection, name: str = "", set_id: str = "") -> None:
        script = (ON_VM / "scripts" / "end.py").read_bytes()
        await machine.events(command, stdin=script, timeout_s=END_S)

    made = [key for key, item in record.engine_sets.items() if item.state != CREATING]
    visiting = [visits.make(record, end, only_set=set_id) for set_id in made]
    gate, *others = await asyncio.gather(end(visits.gate), *visiting, return_exceptions=True)
    outcomes: dict[str, Any] = {visits.gate.name: gate}
    for found in others:
        outcomes |= found if isinstance(found, dict) else {"the engines' machines": found}
    return [problem(name, it) for name, it in outcomes.items() if isinstance(it, BaseException)]


def _command(record: Record, grace_s: float) -> str:
    text = WITH_ANY.format(options=BARE, arguments=f"--grace-s={grace_s:g}")
    step: Command = ["sh", "-c", text, "sh", system_python(record.environment), "python3"]
    return shell(step)

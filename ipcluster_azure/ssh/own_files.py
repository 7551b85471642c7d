"""What is done on the machines of a running cluster to bring the user's own files up to date.

The program for it, on_vm/scripts/own_files.py, comes with each command: machines that an older
version set up have none, or another.
"""

import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from ..record.environment import Environment
from .bundle import ON_VM, offered
from .commands import BARE, Command, shell, system_python
from .connection import Connection
from .packages import SLOWEST

SCRIPT = "vm_own_files.py"
ANSWER_S = 30.0
APPLY_S = 400.0  # more than the script gives itself
Event = dict[str, Any]


async def merge(
    gate: Connection, environment: Environment, base: str, new: bytes, sha256: str
) -> str:
    """Send the controller's machine an archive, the difference to the one that it offers.

    `base` is the hash of that, empty if it offers none; `new` has the hash `sha256`. Returns the
    hash of the archive with all files, which it offers from then on.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in ((SCRIPT, _script()), (offered(sha256), new)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))
    program: Command = [system_python(environment), BARE, SCRIPT, "merge"]
    command = shell(["tar", "-xf", "-"], [*program, f"--base={base}", f"--new={sha256}"])
    timeout_s = ANSWER_S + len(new) / SLOWEST
    events = await gate.events(command, stdin=buffer.getvalue(), timeout_s=timeout_s)
    return str(events["merged"]["sha256"])


async def look(machine: Connection, environment: Environment, set_id: str) -> Event:
    """Return {"id": of the files that the machine has, "computing": ids of its busy engines}."""
    events = await _run(machine, environment, ANSWER_S, "look", f"--set={set_id}")
    return events["looked"]


async def apply(
    machine: Connection, environment: Environment, set_id: str, wanted: Mapping[str, Any]
) -> Event:
    """Have a machine take what it lacks of the files; the script says what `wanted` is.

    Returns {"written": number of files, "removed": likewise, "outdated": process ids of engines
    that are to be started anew, "stale": ids of those that should be, but compute}.
    """
    words = ["apply", f"--set={set_id}", f"--wanted={json.dumps(wanted)}"]
    return (await _run(machine, environment, APPLY_S, *words))["applied"]


async def _run(
    machine: Connection, environment: Environment, timeout_s: float, *words: str
) -> dict[str, Event]:
    command = shell([system_python(environment), BARE, "-", *words])
    return await machine.events(command, stdin=_script(), timeout_s=timeout_s)


def _script() -> bytes:
    return (ON_VM / "scripts" / "own_files.py").read_bytes()

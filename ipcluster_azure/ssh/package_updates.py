"""What is done on the machines of a running cluster to bring its packages up to date.

The programs for it come with each command: machines that an older version set up have others.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import BootstrapFailed
from ..record.contents import Record
from ..record.environment import Environment
from .bootstrap import START_TIMEOUT_S
from .bundle import ON_VM, update_upload
from .commands import BARE, SET_VARIABLES, Command, agent, shell, system_python
from .connection import Connection
from .environment import check_versions
from .machine_lock import LOCK
from .own_files import ANSWER_S, Event
from .packages import BUILD_TIMEOUT_S, SLOWEST, UPDATE, Packages, build_environment, telling

FETCHED = "fetched.sha256"  # vm_fetch.py looks there whether a machine has the archive's content
DIRECT = ["env", "no_proxy=*", "NO_PROXY=*"]  # the controller's machine needs no proxy


@dataclass(frozen=True)
class Offered:
    """What the controller's machine offers: the hash of the archive for machines that come later,
    and the versions that clients should have too."""

    sha256: str
    packages: Mapping[str, str]


async def look(machine: Connection, environment: Environment) -> Event:
    """Return what on_vm/scripts/packages.py tells of a machine's packages."""
    command = shell([system_python(environment), BARE, "-"])
    script = (ON_VM / "scripts" / "packages.py").read_bytes()
    return (await machine.events(command, stdin=script, timeout_s=ANSWER_S))["looked"]


async def update_controller(
    gate: Connection,
    environment: Environment,
    packages: Packages,
    lock: bytes,
    on_progress: Callable[[str], None],
) -> Offered:
    """Bring the controller's machine up to date with `lock`, as machine_lock made it, and have it
    offer that to the others. Raises BootstrapFailed, or what `packages.carry` raises."""
    unpack: list[Command] = [["tar", "-xf", "-"], SET_VARIABLES]
    data = update_upload({LOCK: lock})
    await build_environment(gate, packages, unpack, data, on_progress, UPDATE)
    program = UPDATE[:-1]
    steps = [[*program, "pack"], [*program, "offer"], agent(environment, "compare")]
    events = await gate.events(
        shell(*steps), timeout_s=BUILD_TIMEOUT_S, on_event=telling(on_progress)
    )
    compared = events["compared"]
    check_versions(compared, environment, gate.name)
    return Offered(events["packed"]["sha256"], compared["packages"])


async def update_machine(
    machine: Connection, record: Record, lock: bytes, on_progress: Callable[[str], None]
) -> bool:
    """Bring an engines' machine up to date with what the controller's machine offers: it takes the
    wheels that it lacks.

    Returns whether its engines may have old packages loaded; raises BootstrapFailed, before or
    after the packages have changed.
    """
    depot, sha256 = record.controller.depot_url, record.controller.environment_sha256
    steps: list[Command] = [["tar", "-xf", "-"], SET_VARIABLES, [*DIRECT, *UPDATE]]
    data = update_upload({f"{FETCHED}.new": sha256.encode(), LOCK: offered_by(depot, lock)})
    events = await machine.events(
        shell(*steps),
        stdin=data,
        timeout_s=BUILD_TIMEOUT_S + len(data) / SLOWEST,
        on_event=telling(on_progress),
    )
    if "environment" not in events:
        why = events.get("unreachable", {}).get("why", "wheels are missing")
        raise BootstrapFailed(f"{machine.name} can't get the packages: {why}")
    note = ["mv", f"{FETCHED}.new", FETCHED]
    compare = agent(record.environment, "compare")
    compared = await machine.events(shell(note, compare), timeout_s=START_TIMEOUT_S)
    check_versions(compared["compared"], record.environment, machine.name)
    return bool(events["environment"]["outdated"])


def offered_by(depot: str, lock: bytes) -> bytes:
    """Return a lock as machine_lock made it, whose wheels are all at the controller's machine."""
    content = json.loads(lock)
    packages: list[dict[str, Any]] = content["packages"]
    for package in packages:
        package["url"] = f"{depot}/{package['sha256']}.whl"
    return json.dumps(content).encode()

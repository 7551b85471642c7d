"""Results on the engines' machines: listed, and received, by on_vm/scripts/results.py."""

from collections.abc import Callable, Sequence

from ..record.environment import Environment
from .bundle import ON_VM
from .commands import BARE, shell, system_python
from .connection import Connection

LIST_S = 60.0


async def list_results(
    machine: Connection, environment: Environment, patterns: Sequence[str]
) -> dict[str, int]:
    """Return the sizes in bytes of the files that match, by their paths there."""
    found: dict[str, int] = {}
    await machine.events(
        _command(environment, "list", patterns),
        stdin=_script(),
        timeout_s=LIST_S,
        on_event=lambda event: found.update({event["name"]: event["size"]}),
    )
    return found


async def receive_results(
    machine: Connection,
    environment: Environment,
    patterns: Sequence[str],
    take: Callable[[bytes], None],
) -> None:
    """Have the machine send the files that match; `take` gets the bytes as they come.

    What `take` raises is raised, and ends that.
    """
    await machine.read(_command(environment, "send", patterns), _script(), take)


def _command(environment: Environment, word: str, patterns: Sequence[str]) -> str:
    return shell([system_python(environment), BARE, "-", word, *patterns])


def _script() -> bytes:
    return (ON_VM / "scripts" / "results.py").read_bytes()

"""Engines of a machine started anew, by their supervisor (on_vm/agent/restarts.py)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..record.environment import Environment
from .commands import agent_command
from .connection import Connection

RESTART_S = 90.0  # more than the machine gives itself


@dataclass(frozen=True)
class Restarted:
    """`ids`: the new ids by the old ones, None for an engine that didn't come. `faults`: what went
    wrong in what prepares engines, with the number of engines that have each."""

    ids: Mapping[int, int | None]
    faults: Mapping[str, int]


async def restart_engines(
    machine: Connection, environment: Environment, set_id: str, pids: Sequence[int] | None
) -> Restarted:
    """Have the engines of these process ids begin anew; None: all, and who forks them.

    Returns once clients can see the new ones. Raises BootstrapFailed if nobody supervises them.
    """
    words = [f"--set={set_id}"]
    if pids is not None:
        words.append(f"--pids={json.dumps(list(pids))}")
    command = agent_command(environment, "restart", *words)
    event = (await machine.events(command, timeout_s=RESTART_S))["restarted"]
    ids = {int(old): new for old, new in event["ids"].items()}
    return Restarted(ids, {text: len(whose) for text, whose in event["faults"].items()})

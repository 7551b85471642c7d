"""The handle on the last visit to the machines, `python -m ipcluster_azure.stop.last_visit`.

Who stops a cluster so does without asyncssh, which takes longer to import than to ask Azure for the
deletion.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ..record.file import RecordFile

START_UP_S = 6.0  # imports, on a busy computer; 1 s otherwise


@dataclass(frozen=True)
class Brought:
    """What a visit for results says to the user, and what went wrong."""

    lines: Sequence[str] = ()
    problems: Sequence[str] = ()


HUNG = Brought(problems=["the process for it ended early, or did not end"])


def visit_machines(
    file: RecordFile, *, set_id: str = "", stop: bool = False, timeout_s: float
) -> bool:
    """Visit the machines of engine set `set_id`, or of the whole cluster, in a process of its own.

    The process fetches the logs; with `stop` it first ends the set's engines, which leave the hub.
    It has `timeout_s` for its work; should it hang at something else, it is killed START_UP_S
    later. Returns whether all machines could be visited. Blocking.
    """
    done = _visit(file, set_id, timeout_s, ["--stop"] if stop else [])
    return done is not None and done.returncode == 0


def bring_results(file: RecordFile, *, set_id: str = "", timeout_s: float) -> Brought:
    """Bring home what the setting sync_back names, likewise. Blocking."""
    done = _visit(file, set_id, timeout_s, ["--back"])
    try:
        return Brought(**json.loads(done.stdout)) if done is not None else HUNG
    except ValueError:
        return HUNG


def _visit(
    file: RecordFile, set_id: str, timeout_s: float, options: list[str]
) -> "subprocess.CompletedProcess[bytes] | None":
    """Run the process to its end; None if there is no place for it, or it had to be killed."""
    command = [sys.executable, "-m", "ipcluster_azure.stop.last_visit", str(file.path)]
    command.append(f"--timeout-s={timeout_s}")
    if set_id:
        command.append(f"--set={set_id}")
    command += options
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=file.path.parent,
            timeout=timeout_s + START_UP_S,
            check=False,
        )
    except (subprocess.TimeoutExpired, FileNotFoundError):  # the profile may have been erased
        return None

"""The handle on the last visit to the machines: the link's, or that of a process of its own.

The process is `python -m ipcluster_azure.stop.last_visit`. Who stops a cluster so does without
asyncssh, which takes longer to import than to ask Azure for the deletion.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..record.contents import VISIT_BEGUN, VISIT_DONE, VISIT_OFFERED
from ..record.file import RecordFile
from ..start.link_process import is_link

LOGS_TIMEOUT_S = 5.0
LINK_BEGINS_S = 1.5  # from the mark on record; it looks ten times a second
LOOK_S = 0.05
START_UP_S = 6.0  # imports, on a busy computer; 1 s otherwise


@dataclass(frozen=True)
class Brought:
    """What a visit for results says to the user, and what went wrong."""

    lines: Sequence[str] = ()
    problems: Sequence[str] = ()


HUNG = Brought(problems=["the process for it ended early, or did not end"])


def link_visits(file: RecordFile) -> bool:
    """Wait for the link to fetch the logs of a cluster that is marked as being deleted.

    Returns False if it does not: it is dead, hangs, has no connection, or is of an older version.
    Blocking, for little more than LOGS_TIMEOUT_S.
    """
    began, record = time.monotonic(), file.require()
    if record.link_pid == os.getpid():
        return False
    while record.last_visit in (VISIT_OFFERED, VISIT_BEGUN) and is_link(record.link_pid, file):
        limit_s = LINK_BEGINS_S if record.last_visit == VISIT_OFFERED else LOGS_TIMEOUT_S + LOOK_S
        if time.monotonic() - began > limit_s:
            break
        time.sleep(LOOK_S)
        record = file.require()
    with file.edit() as record:  # from here on it begins none
        how_far, record.last_visit = record.last_visit, ""
    return how_far == VISIT_DONE or (how_far == VISIT_BEGUN and is_link(record.link_pid, file))


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

"""The handle on the last visit to the machines, `python -m ipcluster_azure.stop.last_visit`.

Who stops a cluster so does without asyncssh, which takes longer to import than to ask Azure for the
deletion.
"""

import subprocess
import sys

from ..record.file import RecordFile

START_UP_S = 6.0  # imports, on a busy computer; 1 s otherwise


def visit_machines(
    file: RecordFile, *, set_id: str = "", stop: bool = False, timeout_s: float
) -> bool:
    """Visit the machines of engine set `set_id`, or of the whole cluster, in a process of its own.

    The process fetches the logs; with `stop` it first ends the set's engines, which leave the hub.
    It has `timeout_s` for its work; should it hang at something else, it is killed START_UP_S
    later. Returns whether all machines could be visited. Blocking.
    """
    command = [sys.executable, "-m", "ipcluster_azure.stop.last_visit", str(file.path)]
    command.append(f"--timeout-s={timeout_s}")
    if set_id:
        command.append(f"--set={set_id}")
    if stop:
        command.append("--stop")
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=file.path.parent,
            timeout=timeout_s + START_UP_S,
            check=False,
        )
    except (subprocess.TimeoutExpired, FileNotFoundError):  # the profile may have been erased
        return False
    return done.returncode == 0

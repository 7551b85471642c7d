"""Runs on the machines to end all that a cluster has there, with any Python from 3.8 on and its
standard library alone. Sent as it is needed: it is of the version that runs it.

    [--grace-s S]    ends the guard, ipcontroller, the supervisors of engines with the engines, and
                     the server of what they install

What SIGTERM doesn't end within S seconds is killed. The guard ends first, and who would start it
again for a link: it would take the end of ipcontroller for its death, and could delete the cluster.
The profile goes, too, so that a file which the user has deleted is not used again; what was
installed stays, and so do the logs.

Runs in the work directory. Prints {"event": "ended", "killed": [pids that SIGTERM didn't end]}.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path.cwd()
LOOK_S = 0.05
Processes = Sequence[Any]  # each is {"pid", "create_time"}, as processes.py of the agent has it


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def stat_of(pid: int) -> tuple[int, int] | None:
    """Return a process' group and create_time; None if there is none, or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in b"ZX" else (int(fields[2]), int(fields[19]))


def left_of(leaders: Processes) -> list[int]:
    """Return the live processes of the groups that these lead, or led."""
    stats = {int(name): stat_of(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    oldest = {}
    for leader in leaders:
        stat = stats.get(leader["pid"])
        if leader["create_time"] and (stat is None or stat[1] == leader["create_time"]):
            oldest[leader["pid"]] = leader["create_time"]
    return [
        pid
        for pid, stat in stats.items()
        if stat and stat[0] in oldest and stat[1] >= oldest[stat[0]]
    ]


def end(leaders: Processes, grace_s: float) -> list[int]:
    """End processes and their groups; returns the pids that had to be killed."""
    alive = set(left_of(leaders))
    for leader in leaders:
        if leader["pid"] in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(leader["pid"], signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while (left := left_of(leaders)) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left


def end_followers() -> None:
    """End the commands by which links hear the guard: they start it again if it dies."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            follows = b"vm_guard.py" in words and b"follow" in words
            if follows and Path(f"/proc/{name}/cwd").resolve() == ROOT:
                os.kill(int(name), signal.SIGKILL)


def end_depot() -> None:
    """End the server that offers the engines' machines what they install (vm_depot.py)."""
    state, pid_file = ROOT / "depot.json", ROOT / "depot.pid"
    with contextlib.suppress(OSError, ValueError):
        pid = int(pid_file.read_text())
        if b"vm_depot.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(FileNotFoundError):
        state.unlink()


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--grace-s", type=float, default=0.0)
    grace_s = parser.parse_args(argv).grace_s
    guard, controller = ROOT / "guard.json", ROOT / "controller.json"
    sets = sorted(ROOT.glob("engines-*.json"))
    states = [state for state in map(read_json, sets) if state]
    end_followers()
    killed = end([one for one in [read_json(guard).get("guard")] if one], 0)
    known = read_json(controller)
    for file in (guard, ROOT / "guard_settings.json", controller):
        with contextlib.suppress(FileNotFoundError):
            file.unlink()
    # a supervisor that is killed leaves its engines, which lead groups of their own
    supervisors = [state["supervisor"] for state in states]
    killed += end([*supervisors, *filter(None, [known])], grace_s)
    killed += end([engine for state in states for engine in state["engines"]], 0)
    end_depot()
    for file in sets:
        with contextlib.suppress(FileNotFoundError):
            file.unlink()
    shutil.rmtree(ROOT / "profile", ignore_errors=True)
    print(json.dumps({"event": "ended", "killed": killed}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

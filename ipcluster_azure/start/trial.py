"""A process that tries a profile's configuration of ipcontroller or ipengine, before it costs.

Run by profile_trial.py, with a folder where that has put given.json and a copy of the profile. It
is an ipcontroller itself, on the loopback network, until that is ready; or an ipengine until it
would connect. Nothing of the user's set-up of engines is run.

What it finds is in outcome.json then: {"refused": [...], "warned": [...], "files": [...]}, the last
with name and path of each file that engines would run. It ends, and with it all that it or the
configuration has started, at the time limit, and when its standard input does: that is a pipe from
the process that waits for it.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from .trial_outcome import Outcome, end_process
from .trial_programs import try_controller, try_engine

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def stand_apart() -> int:
    """Have nothing seen that is printed here, and no process escape; return the parent's pipe."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    pipe = os.dup(0)
    with open(os.devnull, "r+b", buffering=0) as nothing:
        for number in (0, 1, 2):
            os.dup2(nothing.fileno(), number)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return pipe


def watch_parent(pipe: int, folder: Path) -> None:
    """End when the process that waits for this one has ended; nobody else removes the folder."""
    os.read(pipe, 1)
    shutil.rmtree(folder, ignore_errors=True)
    end_process()


def watch_clock(outcome: Outcome, limit_s: float) -> None:
    time.sleep(limit_s)
    outcome.warned.append(f"it was not ready within {limit_s:g} s, and so was not checked")
    outcome.end()


def main() -> NoReturn:
    folder = Path(sys.argv[1])
    given = json.loads((folder / "given.json").read_text(encoding="utf-8"))
    outcome = Outcome(folder / "outcome.json")
    pipe = stand_apart()
    threading.Thread(target=watch_parent, args=(pipe, folder), daemon=True).start()
    clock = threading.Thread(target=watch_clock, args=(outcome, given["limit_s"]), daemon=True)
    clock.start()
    for name in [name for name in os.environ if name.startswith("IPP_")]:  # of ipcluster, here
        del os.environ[name]
    os.environ.update(given["variables"])
    sys.argv = [given["kind"], *given["words"]]
    try:
        {"ipcontroller": try_controller, "ipengine": try_engine}[given["kind"]](given, outcome)
    except BaseException as error:
        if not outcome.refused:
            outcome.add(error, given["profile"])
    outcome.end()

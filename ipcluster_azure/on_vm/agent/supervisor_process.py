"""The daemon that is a set's supervisor, put together from its command line. Needs ipyparallel."""

from __future__ import annotations

import argparse
import json
import signal
from functools import partial
from pathlib import Path

from .engine import preload
from .errands import Errands
from .events import Events
from .forked_engines import ForkedEngines
from .places import Place
from .processes import Json
from .restarts import Restarts
from .supervisor import WATCHED, Supervisor
from .work_dir import WorkDir


def supervise(args: argparse.Namespace) -> int:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until this is ready to hear of requests
    work, events = WorkDir(args.dir), Events()
    restarts = Restarts(work, args.set)
    orphans = [] if restarts.has_begun_anew else args.orphans
    # read once: by the time an engine ends, another controller may have written the file anew
    hub: Json = json.loads(Path(args.engine_file).read_bytes())
    log = f"{work.log}/ipengine-{args.set}-"
    again = int(restarts.has_begun_anew or bool(orphans))  # then the logs go on
    places = [Place(index, f"{log}{index}.log", restarts=again) for index in range(args.count)]
    report, tell = partial(events.report, "engine"), partial(events.report, "fault")
    forked = ForkedEngines(work, args, hub, places, WATCHED, report, tell)
    address = args.address if hub.get("guard") else ""
    errands = Errands(hub, address, work.set_file(args.set), forked.tally, events.report)
    supervisor = Supervisor(work, args.set, errands, forked, events, restarts, orphans)
    supervisor.save()
    work.outdated.unlink(missing_ok=True)  # nobody has loaded anything so far
    preload()
    supervisor.run()
    return 0


def main(argv: list[str]) -> int:
    """What vm_agent.py starts as a daemon."""
    parser = argparse.ArgumentParser()
    for name in ("dir", "set", "engine-file", "address"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--timeout-s", type=float, required=True)
    parser.add_argument("--orphans", type=json.loads, default=[])
    end = argv.index("--")
    return supervise(parser.parse_args(argv[:end], argparse.Namespace(extra=argv[end + 1 :])))

"""What this package adds to every `ipcluster` command: time and memory.

    python -m benchmarks.import_time [--rounds 15]

Fresh processes take turns: `ipcluster list` with the package's entry points and without them, with
a cluster of this package in the list, and the import of the launchers alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from .clusters import Home, home
from .report import Figure, Section, Table, figure, in_turns, run_alone

QUICK = {"rounds": 2}
HOW = """
Fresh processes, with compiled modules. "Without" is the same interpreter and environment, in which
`importlib.metadata` has been made to leave out this package's entry points; both sides run through
the same few lines that do so. Time is that of the whole process, memory its greatest resident set
size (RSS). `ipcluster list` imports the launchers only if a cluster of theirs is in the list.
"""
# Run by both sides. The first argument says whether the entry points are left out.
COMMAND = """
import sys
from importlib import metadata
found = metadata.entry_points
def without(**chosen):
    return metadata.EntryPoints(
        point for point in found(**chosen) if not point.value.startswith("ipcluster_azure"))
if sys.argv.pop(1) == "without":
    metadata.entry_points = without
from ipyparallel.cluster.app import main
sys.argv[0] = "ipcluster"
sys.exit(main())
"""
IMPORT = "import ipyparallel.cluster.launcher"


@dataclass(frozen=True)
class Run:
    wall_s: float
    peak_mb: float


def measure(rounds: int = 15) -> Section:
    with home() as place:
        place.configure(1)
        listing = ("-c", COMMAND)
        found = in_turns(
            {
                "list, with": lambda _: process(place, *listing, "with", "list"),
                "list, without": lambda _: process(place, *listing, "without", "list"),
                "import, with": lambda _: process(
                    place, "-c", f"{IMPORT}, ipcluster_azure.launchers"
                ),
                "import, without": lambda _: process(place, "-c", IMPORT),
            },
            rounds + 1,  # the first one is for the compiler and the disk cache
        )
        place.ipcluster("start", "-n=1", "--daemonize")
        one = in_turns({"one": lambda _: process(place, *listing, "with", "list")}, rounds)["one"]
        place.ipcluster("stop")
    runs = {name: side[1:] for name, side in found.items()}
    table = Table(("what", "with", "without", "difference", "ratio"))
    for what in ("list", "import"):
        title = "`ipcluster list`, no cluster" if what == "list" else "import of the launchers"
        sides = runs[f"{what}, with"], runs[f"{what}, without"]
        add(table, title, *(times(side) for side in sides))
        add(table, f"{title}: memory", *(peaks(side) for side in sides))
    table.add("`ipcluster list`, one cluster on Azure", times(one), "", "", "")
    table.add("`ipcluster list`, one cluster on Azure: memory", peaks(one), "", "", "")
    return Section("import_time", "`ipcluster` with and without this package", HOW, [table])


def add(table: Table, what: str, ours: Figure, alone: Figure) -> None:
    change, ratio = ours.median - alone.median, ours.median / alone.median
    table.add(what, ours, alone, f"{change:+.0f} {ours.unit}", f"{ratio:.2f}")


def times(runs: list[Run]) -> Figure:
    return figure((run.wall_s * 1000 for run in runs), "ms", 0)


def peaks(runs: list[Run]) -> Figure:
    return figure((run.peak_mb for run in runs), "MB", 0)


def process(place: Home, *arguments: str) -> Run:
    began = time.perf_counter()
    started = subprocess.Popen(
        [sys.executable, *arguments],
        env=environment(place.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(started.pid, 0)
    wall_s = time.perf_counter() - began
    started.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise SystemExit(f"{arguments} failed with status {started.returncode}")
    return Run(wall_s, usage.ru_maxrss * 1024 / 1e6)


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Compiled modules are kept, whatever this process was told."""
    return {**variables, "PYTHONDONTWRITEBYTECODE": ""}


if __name__ == "__main__":
    run_alone(measure)

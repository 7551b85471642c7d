"""What this package adds to every `ipcluster` command: time and memory.

    python -m benchmarks.import_time [--rounds 15] [--before CHECKOUT]

Fresh processes take turns: `ipcluster list` with the package's entry points and without them, with
a cluster of this package in the list, and the import of the launchers alone. With another checkout
of this repository, of an older commit, also `ipcluster start` of both up to "Submitting".
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from .clusters import BIN, PROFILE, Home, home
from .report import Figure, Section, Table, figure, in_turns, run_alone

QUICK = {"rounds": 2}
HOW = """
Fresh processes, with compiled modules. "Without" is the same interpreter and environment, in which
`importlib.metadata` has been made to leave out this package's entry points; both sides run through
the same few lines that do so. Time is that of the whole process, memory its greatest resident set
size (RSS). `ipcluster list` imports the launchers only if a cluster of theirs is in the list.
`ipcluster start` is measured up to its line "Submitting ...", with the modules of this commit and
of an older one by turns, where that is given.
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
    cpu_s: float


def measure(rounds: int = 15, before: str = "") -> Section:
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
        tables = [starts(place, rounds, Path(before))] if before else []
    runs = {name: side[1:] for name, side in found.items()}
    table = Table(("what", "with", "without", "difference", "ratio"))
    for what in ("list", "import"):
        title = "`ipcluster list`, no cluster" if what == "list" else "import of the launchers"
        sides = runs[f"{what}, with"], runs[f"{what}, without"]
        add(table, title, *(times(side) for side in sides))
        add(table, f"{title}: memory", *(peaks(side) for side in sides))
    table.add("`ipcluster list`, one cluster on Azure", times(one), "", "", "")
    table.add("`ipcluster list`, one cluster on Azure: memory", peaks(one), "", "", "")
    return Section(
        "import_time", "`ipcluster` with and without this package", HOW, [table, *tables]
    )


def starts(place: Home, rounds: int, before: Path) -> Table:
    """From the call of `ipcluster start` to "Submitting", with the modules of both checkouts."""
    here = Path(__file__).parents[1]
    found = in_turns(
        {
            "start, now": lambda _: submitted(place, here),
            "start, before": lambda _: submitted(place, before.resolve()),
        },
        rounds + 1,
    )
    now, then = (side[1:] for side in found.values())
    table = Table(('`ipcluster start` to "Submitting"', "now", "before", "difference", "ratio"))
    add(table, "time", times(now), times(then))
    add(table, "CPU time", cpu_times(now), cpu_times(then))
    return table


def submitted(place: Home, checkout: Path) -> Run:
    """Start a cluster, and interrupt that as soon as it has submitted the first job file."""
    began = time.perf_counter()
    started = subprocess.Popen(
        [str(BIN / "ipcluster"), "start", "-n=1", f"--profile={PROFILE}"],
        env=environment({**place.environment, "PYTHONPATH": str(checkout)}),
        cwd=place.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    process = psutil.Process(started.pid)
    for line in started.stdout or ():
        if "Submitting" in line:
            wall_s, spent = time.perf_counter() - began, process.cpu_times()
            peak_mb = process.memory_info().rss / 1e6
            started.send_signal(signal.SIGINT)
            started.communicate()  # it deletes what it has begun
            return Run(wall_s, peak_mb, spent.user + spent.system)
    raise SystemExit(f"`ipcluster start` of {checkout} has submitted nothing")


def add(table: Table, what: str, ours: Figure, alone: Figure) -> None:
    change, ratio = ours.median - alone.median, ours.median / alone.median
    table.add(what, ours, alone, f"{change:+.0f} {ours.unit}", f"{ratio:.2f}")


def times(runs: list[Run]) -> Figure:
    return figure((run.wall_s * 1000 for run in runs), "ms", 0)


def cpu_times(runs: list[Run]) -> Figure:
    return figure((run.cpu_s * 1000 for run in runs), "ms", 0)


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
    return Run(wall_s, usage.ru_maxrss * 1024 / 1e6, usage.ru_utime + usage.ru_stime)


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Compiled modules are kept, whatever this process was told."""
    return {**variables, "PYTHONDONTWRITEBYTECODE": ""}


if __name__ == "__main__":
    run_alone(measure)

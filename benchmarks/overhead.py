"""What a start and a stop of one engine cost: processor time by process, against a local cluster.

    python -m benchmarks.overhead [--rounds 5] [--before CHECKOUT]

`ipcluster start` and `ipcluster stop` on the emulator, and of a cluster without this package. With
another checkout of this repository, of an older commit, also with its modules.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .clusters import Home, home
from .import_time import process
from .processor_time import Watch
from .report import Section, Table, at_most, figure, in_turns, run_alone

QUICK = {"rounds": 1}
TIMES_LOCAL = 1.4
LOCAL, NOW, BEFORE = "local cluster", "this commit", "the commit before"
HOW = """
`ipcluster start -n=1 --daemonize` and `ipcluster stop`, with the image's Python, on an emulator
whose operations take no time, and of a cluster of ipyparallel's own on this computer. Processor
time is that of all processes that the two commands started, here and on the machines, until the
last has ended, but without the emulator's own. By process it is sampled from `/proc` every 20 ms;
what they did after the last sample is in the total alone. The last table: fresh processes that
import one module, Python's own start included.
"""
# modules, and whether their process is one of a cluster's own, which does without ipyparallel
IMPORTS = {
    "sys": False,
    "ipyparallel.cluster.app": False,
    "azure.mgmt.resource.resources": False,
    "azure.mgmt.compute": False,
    "asyncssh": False,
    "ipcluster_azure.link.__main__": True,
    "ipcluster_azure.stop.last_visit": True,
}
LAUNCHERS_ELSEWHERE = "from ipcluster_azure import process; process.launchers_run_here = False; "
# what is in a process's command line, or else its name; the first that fits
KINDS = {
    "ipcluster start": "`ipcluster start`",
    "ipcluster stop": "`ipcluster stop`",
    "last_visit": "last visit",
    "ipcluster_azure.link": "link",
    "watcher.py": "watcher",
    "ipyparallel.controller": "controller",
    "ipyparallel.engine": "engine",
    "ipyparallel.nanny": "engine's nanny",
    "ipyparallel.cluster": "cluster's other processes",
    "archive_process.py": "packing of programs for job files",
    ".dask import": "controller",  # ipcontroller is started by agent/dask.py
    ".guard import": "guard",
    ".supervisor_process import": "supervisor and engine",
    "vm_": "other programs on the machines",
}
OTHER = "shells and what else"


@dataclass(frozen=True)
class Run:
    start_s: float
    stop_s: float
    cpu_s: float
    by_kind: Mapping[str, float]


def measure(rounds: int = 5, before: str = "") -> Section:
    here = Path(__file__).parents[1]
    with home() as place, home() as alone:
        place.configure(1)
        (alone.profile_dir).mkdir(parents=True)
        sides = {
            LOCAL: lambda _: start_and_stop(alone, {}),
            NOW: lambda _: start_and_stop(place, {"PYTHONPATH": str(here)}),
        }
        if before:
            then = {"PYTHONPATH": str(Path(before).resolve())}
            sides[BEFORE] = lambda _: start_and_stop(place, then)
        # the first one is for the compiler and the disk cache
        found = {name: runs[1:] for name, runs in in_turns(sides, rounds + 1).items()}
        imported = imports(place, rounds)
    return section(found, imported)


def section(found: Mapping[str, list[Run]], imported: Table) -> Section:
    tables = [whole(found), parts(found), imported]
    return Section("overhead", "What we add: processor time", HOW, tables)


def imports(place: Home, rounds: int) -> Table:
    """What the dearest imports cost, each in a process that imports nothing else."""

    def importing(what: str, _: int) -> float:
        before = LAUNCHERS_ELSEWHERE if IMPORTS[what] else ""
        return process(place, "-c", f"{before}import {what}").cpu_s

    found = in_turns({what: partial(importing, what) for what in IMPORTS}, rounds)
    table = Table(("import of", "processor time"))
    for what, runs in found.items():
        table.add(f"`{what}`", figure(runs, "s", 2))
    return table


def whole(found: Mapping[str, list[Run]]) -> Table:
    table = Table(("what", *found))
    for what, name in (("processor time", "cpu_s"), ("start", "start_s"), ("stop", "stop_s")):
        sides = ((getattr(run, name) for run in runs) for runs in found.values())
        table.add(what, *(figure(values, "s", 2) for values in sides))
    cpu = {name: figure(run.cpu_s for run in runs).median for name, runs in found.items()}
    ratios = {name: value / cpu[LOCAL] for name, value in cpu.items()}
    cells = (f"{ratio:.2f}" for ratio in ratios.values())
    goal = at_most(ratios[NOW], TIMES_LOCAL, "times the local cluster")
    table.add("processor time / local cluster's", *cells, goal=goal)
    return table


def parts(found: Mapping[str, list[Run]]) -> Table:
    table = Table(("processor time of", *found))
    for kind in (*dict.fromkeys(KINDS.values()), OTHER):
        figures = [
            figure((run.by_kind.get(kind, 0.0) for run in runs), "s", 2) for runs in found.values()
        ]
        if any(one.median for one in figures):
            table.add(kind, *(str(one) if one.median else "" for one in figures))
    return table


def start_and_stop(place: Home, environment: Mapping[str, str]) -> Run:
    variables = {**environment, "PYTHONDONTWRITEBYTECODE": ""}
    with Watch(place.emulator.pid) as watch:
        began = time.perf_counter()
        place.ipcluster("start", "-n=1", "--daemonize", **variables)
        started = time.perf_counter()
        place.ipcluster("stop", **variables)
        stopped = time.perf_counter()
    by_kind: dict[str, float] = defaultdict(float)
    for words, cpu_s in watch.by_command:
        by_kind[kind_of(words)] += cpu_s
    return Run(started - began, stopped - started, watch.total_s, by_kind)


def kind_of(words: str) -> str:
    return next((kind for part, kind in KINDS.items() if part in words), OTHER)


if __name__ == "__main__":
    run_alone(measure)

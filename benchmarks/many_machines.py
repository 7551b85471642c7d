"""128 and 1,000 machines: until Azure has made them, what it takes of requests and of memory.

    python -m benchmarks.many_machines [--machines 32 128 1000] [--rounds 5] [--scale 0.2]
                                       [--no-unscaled]

The control plane alone, on an emulator without SSH servers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from azure_emulator.http_client import ask

from .clusters import WIDE, home
from .report import Goal, Section, Table, at_most, figure, in_turns, run_alone

QUICK = {"machines": (2, 4), "rounds": 1, "scale": 0.02, "unscaled": False}
OF_ITS_32, WRITES, MEMORY_MB = 1.3, 12, 250
WRITING = ("PUT", "PATCH", "POST", "DELETE")
HOW = """
The deployment's own steps (look for a site, request the controller, request the engines' scale
set), then a list of the machines with the pauses that the launcher makes, until each has an address
and its creation has succeeded. No SSH server and no engine: as many do not fit on one computer. The
longest boot is that of the scale set's operation, from its start to its end in Azure's own report:
its slowest machine and the scale set's own part, drawn from the recorded durations. At scale
{scale} Azure's times are multiplied by {scale}, this computer's work (the emulator's, too: it makes
and lists 1,000 machines) is not.

In the unscaled runs, one of the least and one of the greatest size, the emulator refuses too many
requests as Azure does. Writes are all requests but GET and HEAD; refused are those answered 429.

dask-cloudprovider is left out: it makes each machine by several requests, a few machines at a time,
and would need hours; no figure is made up from smaller ones.
"""


@dataclass(frozen=True)
class Run:
    made_s: float
    floor_s: float
    peak_mb: float
    writes: int
    reads: int
    refused: int


def measure(
    machines: tuple[int, ...] = (32, 128, 1000),
    rounds: int = 5,
    scale: float = 0.2,
    unscaled: bool = True,
) -> Section:
    tables = (
        Table(("machines", "scale", "all made", "longest boot", "over it", "to the smallest")),
        Table(("machines", "scale", "writes", "reads", "refused")),
        Table(("machines", "scale", "peak memory of the launching process")),
    )
    runs = [(scale, rounds, machines)]
    if unscaled:
        runs.append((1.0, 1, (machines[0], machines[-1])))
    for at_scale, times, sizes in runs:
        found = in_turns({str(n): partial(one, n, at_scale) for n in sizes}, times)
        smallest = figure(run.made_s for run in found[str(sizes[0])]).median
        for n in sizes:
            add(tables, n, at_scale, found[str(n)], smallest, judged=n == max(sizes))
    title = "Many machines: the control plane"
    return Section("many_machines", title, HOW.format(scale=scale), list(tables))


def add(
    tables: tuple[Table, Table, Table],
    n: int,
    scale: float,
    runs: list[Run],
    smallest_s: float,
    *,
    judged: bool,
) -> None:
    times, requests, memory = tables
    made, floor = figure(run.made_s for run in runs), figure(run.floor_s for run in runs)
    over = figure(run.made_s - run.floor_s for run in runs)
    ratio = made.median / smallest_s
    goal = at_most(ratio, OF_ITS_32, "times that of 32")
    times.add(n, scale, made, floor, over, f"{ratio:.2f}", goal=goal if judged else None)
    writes, refused = max(run.writes for run in runs), max(run.refused for run in runs)
    few = Goal(f"at most {WRITES} writes, none refused", writes <= WRITES and not refused)
    unscaled = few if scale == 1.0 else None
    requests.add(n, scale, writes, max(run.reads for run in runs), refused, goal=unscaled)
    peak = figure((run.peak_mb for run in runs), "MB", 0)
    memory.add(n, scale, peak, goal=at_most(peak.median, MEMORY_MB, "MB", 0) if judged else None)


def one(n: int, scale: float, seed: int) -> Run:
    throttle = scale == 1.0  # scaled, the limits would not be those of Azure
    options = {"machines": "none", "quota_cores": 1_000_000, "throttle": throttle}
    with home(time_scale=scale, seed=seed, **options) as place:
        place.configure(1, WIDE)
        with place.talking("our_machines", str(n)) as process:
            report = process.answer()
            asked = place.requests()
            path = urlsplit(report["operation"])
            operation = ask(place.emulator, "GET", f"{path.path}?{path.query}")
            process.go_on()
            process.answer()
    began, ended = (
        datetime.fromisoformat(f"{operation[name][:26]}+00:00").timestamp()
        for name in ("startTime", "endTime")
    )
    return Run(
        made_s=report["made_s"],
        floor_s=ended - began,
        peak_mb=report["peak_mb"],
        writes=sum(method in WRITING for method, _, _ in asked),
        reads=sum(method not in WRITING for method, _, _ in asked),
        refused=sum(status == 429 for _, _, status in asked),
    )


if __name__ == "__main__":
    run_alone(measure)

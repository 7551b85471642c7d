"""The launching process with up to 1,000 machines to log in to: time, CPU time, memory.

    python -m benchmarks.ssh_scale [--machines 32 1000] [--rounds 5]

Real SSH servers, but no engines: 1,000 of them do not fit on one computer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial

import psutil

from . import stand_in
from .clusters import WIDE, home
from .report import Section, Table, at_most, figure, in_turns, run_alone

QUICK = {"machines": (2, 4), "rounds": 1}
MEMORY_MB = 250
HOW = """
`Cluster.start_cluster` with one engine on each machine, on an emulator whose operations take no
time: a controller that is real, and SSH servers that are real (all in the emulator's one process),
on which a small script answers in place of engines as the agent would. So this is what the
launching process does by itself: requests, one login for each machine, one command, its events. The
emulator works as much as the launching process, on the same computer: with machines of their own
the time would be nearer to the launching process's CPU time.
"""


@dataclass(frozen=True)
class Run:
    took_s: float
    cpu_s: float
    peak_mb: float
    emulator_cpu_s: float


def measure(machines: tuple[int, ...] = (32, 1000), rounds: int = 5) -> Section:
    found = in_turns({str(n): partial(one, n) for n in machines}, rounds)
    table = Table(("machines", "start", "CPU time of it", "emulator's CPU time", "peak memory"))
    for n in machines:
        runs = found[str(n)]
        peak = figure((run.peak_mb for run in runs), "MB", 0)
        table.add(
            n,
            figure(run.took_s for run in runs),
            figure(run.cpu_s for run in runs),
            figure(run.emulator_cpu_s for run in runs),
            peak,
            goal=at_most(peak.median, MEMORY_MB, "MB", 0),
        )
    return Section("ssh_scale", "Many machines: the launching process", HOW, [table])


def one(n: int, seed: int) -> Run:
    with home(seed=seed, quota_cores=1_000_000) as place:
        place.configure(1, stand_in.setting(stand_in.write(place)) + WIDE)
        emulator = psutil.Process(place.emulator.pid)
        before = sum(emulator.cpu_times()[:2])
        report = json.loads(place.python("our_cluster", str(n), "--start-only").splitlines()[-1])
        used = sum(emulator.cpu_times()[:2]) - before
        return Run(report["took_s"], report["cpu_s"], report["peak_mb"], used)


if __name__ == "__main__":
    run_alone(measure)

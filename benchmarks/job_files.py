"""What it costs a start that its job files start a cluster by themselves.

    python -m benchmarks.job_files [--engines 8] [--rounds 7] [--scale 0.2]

A start as it is, against one whose job files make machines only: nothing is packed for them.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from functools import partial

from .clusters import run
from .report import Section, Table, at_most, figure, in_turns, run_alone

QUICK = {"engines": 2, "rounds": 1, "scale": 0.02}
NOISE = 1.05
HOW = """
A start of {engines} engines on as many machines, which boot with the recorded durations multiplied
by {scale}, and its stop. On one side the start packs programs and keys into its job files, in a
process beside the boot, on the other it doesn't: that is switched off in the benchmark alone.
Start: from the call until all engines are registered and the job files are written. The launcher's
processor time is that of its process and of those that it has waited for, up to then. All is the
processor time of every process up to the end of the stop: launcher, link, engines, and the emulator
with its machines.
"""


@dataclass(frozen=True)
class Run:
    """Seconds."""

    took_s: float
    launcher_cpu_s: float
    all_cpu_s: float


def measure(engines: int = 8, rounds: int = 7, scale: float = 0.2) -> Section:
    sides = {
        "start a cluster": partial(one, engines, scale, True),
        "make machines only": partial(one, engines, scale, False),
    }
    found = in_turns(sides, rounds)
    table = Table(("job files that", "start", "launcher, processor", "all, processor"))
    plain_s = figure(run.took_s for run in found["make machines only"]).median
    for name, runs in found.items():
        took = figure(run.took_s for run in runs)
        packs = name == "start a cluster"
        table.add(
            name,
            took,
            figure((run.launcher_cpu_s for run in runs), digits=2),
            figure(run.all_cpu_s for run in runs),
            goal=at_most(took.median / plain_s, NOISE, "times the other", 2) if packs else None,
        )
    packed, plain = found.values()
    pairs = list(zip(packed, plain, strict=True))
    longer = figure((a.took_s - b.took_s for a, b in pairs))
    more = figure((a.launcher_cpu_s - b.launcher_cpu_s for a, b in pairs), digits=2)
    note = f"The first less the second, within a round: {more} of the launcher's processor time, "
    note += f"and {longer} of the start."
    how = HOW.format(engines=engines, scale=scale)
    return Section("job_files", "Job files that start a cluster", how, [table], [note])


def one(engines: int, scale: float, packs: bool, seed: int) -> Run:
    options = [f"--engines={engines}", f"--scale={scale}", f"--seed={seed}"]
    options += [] if packs else ["--no-packing"]
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.job_files_side", *options]
    return Run(**json.loads(run(command, os.environ, stderr=None).splitlines()[-1]))


if __name__ == "__main__":
    run_alone(measure)

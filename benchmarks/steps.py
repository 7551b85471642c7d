"""The steps of a start beside the whole: `create` and `deploy`, against `ipcluster start`.

    python -m benchmarks.steps [--engines 32] [--rounds 5] [--scale 0.05]

Then what the steps are for: `deploy` once more, on the cluster that runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .clusters import BIN, PROFILE, Home, home, run
from .report import Section, Table, figure, in_turns, run_alone

QUICK = {"engines": 2, "rounds": 1, "scale": 0.02}
ON_EACH = 4
HOW = """
A cluster of {engines} engines, four on each machine, on the emulator, whose machines take the
recorded times to boot, multiplied by {scale}. Each figure is the time from the start of a command
to its end: `ipcluster start --daemonize` on the one side, `ipcluster-azure create` and then
`ipcluster-azure deploy` on the other, and `deploy` once more, which ends what runs first. `create`
returns once Azure has made the machines, which then still boot: `deploy` waits for that.
"""


@dataclass(frozen=True)
class Run:
    """Seconds."""

    start_s: float = 0.0
    create_s: float = 0.0
    deploy_s: float = 0.0
    again_s: float = 0.0


def measure(engines: int = 32, rounds: int = 5, scale: float = 0.05) -> Section:
    sides = {
        "whole": partial(whole, engines, scale),
        "steps": partial(in_steps, engines, scale),
    }
    found = in_turns(sides, rounds)
    steps = found["steps"]
    table = Table(("what is typed", "takes"))
    table.add("`ipcluster start`", figure(run.start_s for run in found["whole"]))
    table.add("`ipcluster-azure create`", figure(run.create_s for run in steps))
    table.add("`ipcluster-azure deploy`", figure(run.deploy_s for run in steps))
    table.add("both", figure(run.create_s + run.deploy_s for run in steps))
    table.add("`deploy` once more", figure(run.again_s for run in steps))
    how = HOW.format(engines=engines, scale=scale)
    return Section("steps", "Machines first, then what runs on them", how, [table])


def whole(engines: int, scale: float, seed: int) -> Run:
    with home(time_scale=scale, seed=seed) as place:
        place.configure(ON_EACH)
        taken_s = timed(lambda: place.ipcluster("start", f"-n={engines}", "--daemonize"))
        place.ipcluster("stop")
        return Run(start_s=taken_s)


def in_steps(engines: int, scale: float, seed: int) -> Run:
    with home(time_scale=scale, seed=seed) as place:
        place.configure(ON_EACH)
        create_s = timed(lambda: step(place, "create", f"-n={engines}"))
        deploy_s, again_s = (timed(lambda: step(place, "deploy")) for _ in range(2))
        step(place, "delete")
        return Run(create_s=create_s, deploy_s=deploy_s, again_s=again_s)


def step(place: Home, *words: str) -> str:
    command = [str(BIN / "ipcluster-azure"), *words, f"--profile={PROFILE}"]
    return run(command, place.environment)


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


if __name__ == "__main__":
    run_alone(measure)

"""Stopping: until accepted, until the deletion of every machine has begun, until all is gone.

    python -m benchmarks.stop [--engines 32] [--machines 1000] [--rounds 5] [--scale 0.05]

A cluster with real engines, and one of 1,000 machines without.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from azure_emulator import client

from .boots import COMPUTE
from .clusters import WIDE, Home, home
from .report import Section, Table, at_most, figure, in_turns, run_alone

QUICK = {"engines": 2, "machines": 5, "rounds": 1, "scale": 0.02}
ACCEPTED_S = 15.0
LOOK_S, LIMIT_S = 0.1, 900.0
SAID = re.compile(r"^(\d\S+ \d\S+) \[.*Azure has accepted the deletion of resource", re.MULTILINE)
HOW = """
The cluster of {engines} engines, on as many machines, is stopped by `ipcluster stop`, timed from
the start of the command, which also fetches logs and ends the tunnels. That of {machines} machines
exists in the control plane alone; it is stopped by the same step of the launchers, in the process
that made it, and has no logs. Accepted: the moment the launcher says so. Begun: Azure lists every
machine as `Deleting` or not at all. Returned: the stop waits a moment longer to see the group gone,
0.5 s on Azure and up to 5 s on the emulator. The times until all machines, and then the group, are
gone are Azure's own, drawn from the recorded ones and multiplied by {scale}: they say no more of
this project than that nothing is left.
"""


@dataclass(frozen=True)
class Deletion:
    """Seconds after the stop was asked for."""

    begun_s: float
    machines_gone_s: float
    gone_s: float


@dataclass(frozen=True)
class Run:
    accepted_s: float
    returned_s: float
    deletion: Deletion


def measure(
    engines: int = 32, machines: int = 1000, rounds: int = 5, scale: float = 0.05
) -> Section:
    sides = {
        f"{engines} engines": partial(with_engines, engines, scale),
        f"{machines} machines": partial(control_plane, machines, scale),
    }
    found = in_turns(sides, rounds)
    columns = (
        "cluster",
        "accepted",
        "begun for every machine",
        "returned",
        "machines gone",
        "gone",
    )
    table = Table(columns)
    for name, runs in found.items():
        accepted = figure(run.accepted_s for run in runs)
        table.add(
            name,
            accepted,
            figure(run.deletion.begun_s for run in runs),
            figure(run.returned_s for run in runs),
            figure(run.deletion.machines_gone_s for run in runs),
            figure(run.deletion.gone_s for run in runs),
            goal=at_most(accepted.median, ACCEPTED_S, "s until accepted", 0),
        )
    how = HOW.format(engines=engines, machines=machines, scale=scale)
    return Section("stop", "Stopping", how, [table])


def with_engines(engines: int, scale: float, seed: int) -> Run:
    with home(time_scale=scale, seed=seed) as place, ThreadPoolExecutor(1) as pool:
        place.configure(engines_per_vm=1)
        place.ipcluster("start", f"-n={engines}", "--daemonize")
        began = time.time()
        watching = pool.submit(watch, place, began)
        output = place.ipcluster("stop")
        returned_s = time.time() - began
        said = SAID.search(output)
        if said is None:
            raise SystemExit(f"ipcluster stop did not say that it was accepted:\n{output}")
        accepted = datetime.fromisoformat(said[1]).timestamp()
        return Run(accepted - began, returned_s, watching.result())


def control_plane(machines: int, scale: float, seed: int) -> Run:
    options = {"machines": "none", "quota_cores": 1_000_000}
    with (
        home(time_scale=scale, seed=seed, **options) as place,
        ThreadPoolExecutor(1) as pool,
    ):
        place.configure(1, WIDE)
        with place.talking("our_machines", str(machines)) as process:
            process.answer()
            began = time.time()
            watching = pool.submit(watch, place, began)
            process.go_on()
            stopped = process.answer()
            return Run(stopped["accepted_s"], stopped["returned_s"], watching.result())


def watch(place: Home, began: float) -> Deletion:
    """Ask Azure, from another connection than the stop's, until all is gone."""
    begun_s = machines_gone_s = 0.0
    while (now_s := time.time() - began) < LIMIT_S:
        if not begun_s or not machines_gone_s:
            states = [vm["properties"]["provisioningState"] for vm in place.arm(COMPUTE)["value"]]
            if not begun_s and all(state == "Deleting" for state in states):
                begun_s = time.time() - began
            if not states:
                machines_gone_s = now_s
        elif not client.status(place.emulator.state_dir)["resource_groups"]:
            return Deletion(begun_s, machines_gone_s, now_s)
        time.sleep(LOOK_S)
    raise SystemExit(f"not gone after {LIMIT_S:.0f} s")


if __name__ == "__main__":
    run_alone(measure)

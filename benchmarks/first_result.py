"""Time until N engines on N machines, booting as Azure's do, have each returned one result.

    python -m benchmarks.first_result [--engines 1 8] [--rounds 5] [--scale 0.2] [--no-dask]
                                      [--unscaled 32] [--unscaled-rounds 5] [--dask-rounds 3]

This project, dask-cloudprovider's AzureVMCluster on the same endpoint, and the longest single boot.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import dask_environment
from .boots import watched
from .clusters import home
from .report import Goal, Section, Table, at_least, figure, in_turns, run_alone

QUICK = {"engines": (1, 2), "rounds": 1, "scale": 0.05, "unscaled": 0, "dask": False}
OVER_FLOOR, FIXED_S, TIMES_FASTER = 1.15, 5.0, 4.0
JUDGED = 32
FOLDER = re.compile(r"/\S*/")  # of this run alone
HOW = """
One engine, or dask worker, on each machine, and one machine more for the controller or scheduler.
The machines are SSH servers and processes of this computer, and share its cores; they boot, and the
network is made, with the durations recorded on Azure, drawn anew for each run (with the same seed
for both sides of a round). The clock runs from the call of the cluster class, after all imports,
until each engine has returned one result. The floor is the longest boot of a single machine in the
same run, from its acceptance until it answers. Both sides find Python and all packages on the
image. dask-cloudprovider finds a network that exists already; this project makes one.

At scale {scale} all of Azure's times are multiplied by {scale}, but not those of this computer: the
work of starting {most} engines on its cores, and SSH connections, weigh {weight:.0f} times as much
as on Azure. So the goal, 1.15 times the floor and 5 s, is harder to meet than unscaled. The Azure
SDK, by which dask-cloudprovider waits, looks after 10 s and then every 30 s; when scaled the
emulator asks it to look every second, so it waits for less than it would on Azure. The unscaled run
has no such distortions.

dask-cloudprovider is unchanged but for the endpoint and the credential; `docker` on its machines is
a script that runs the command without a container. That is with `bootstrap=False`: by default it
would first install Docker on each machine and pull an image, which is not measured here. In the
unscaled runs it took part {dask_rounds} times only.
"""


@dataclass(frozen=True)
class Run:
    first_result_s: float
    floor_s: float
    said: tuple[tuple[float, str], ...] = ()

    @property
    def allowed_s(self) -> float:
        return OVER_FLOOR * self.floor_s + FIXED_S


def measure(
    engines: tuple[int, ...] = (1, 8),
    rounds: int = 5,
    scale: float = 0.2,
    unscaled: int = 32,
    unscaled_rounds: int = 5,
    dask_rounds: int = 3,
    dask: bool = True,
) -> Section:
    own = Table(("engines", "scale", "first result", "longest boot", "allowed"))
    others = Table(
        ("engines", "scale", "this project", "dask-cloudprovider", "its longest boot", "ratio")
    )
    notes: list[str] = []
    with contextlib.ExitStack() as stack:
        python = stack.enter_context(dask_environment.dask_python()) if dask else None
        for n in engines:
            found = in_turns(sides(n, scale, python), rounds)
            add(own, others, n, scale, found)
        if unscaled:
            both = dask_rounds if dask else 0
            found = in_turns(sides(unscaled, 1.0, python), both)
            more = in_turns(sides(unscaled, 1.0, None), unscaled_rounds, first=both)
            found["this project"] += more["this project"]
            add(own, others, unscaled, 1.0, found)
            notes = [*bound(found), *profile(found["this project"][0].said)]
    most = max(engines, default=0)
    how = HOW.format(scale=scale, weight=1 / scale, most=most, dask_rounds=dask_rounds)
    versions = dask_environment.VERSIONS if dask else ()
    tables = [own, others] if dask else [own]
    return Section("first_result", "Time to the first result", how, tables, notes, versions)


def sides(n: int, scale: float, python: Path | None) -> dict[str, Callable[[int], Run]]:
    found: dict[str, Callable[[int], Run]] = {"this project": partial(ours, n, scale)}
    if python is not None:
        found["dask-cloudprovider"] = partial(theirs, python, n, scale)
    return found


def ours(n: int, scale: float, seed: int) -> Run:
    with home(time_scale=scale, seed=seed) as place, watched(place) as boots:
        place.configure(engines_per_vm=1)
        report = json.loads(place.python("our_cluster", str(n)).splitlines()[-1])
        said = tuple((float(at_s), str(text)) for at_s, text in report["said"])
        return Run(report["took_s"], boots.longest_s(), said)


def theirs(python: Path, n: int, scale: float, seed: int) -> Run:
    with home(time_scale=scale, seed=seed) as place, watched(place) as boots:
        found_s = dask_environment.first_result_s(python, place.emulator, n)
        return Run(found_s, boots.longest_s())


def add(own: Table, others: Table, n: int, scale: float, found: dict[str, list[Run]]) -> None:
    mine = found["this project"]
    times = {name: figure(run.first_result_s for run in runs) for name, runs in found.items()}
    floors = {name: figure(run.floor_s for run in runs) for name, runs in found.items()}
    late = sorted(run.first_result_s - run.allowed_s for run in mine)
    goal = Goal("1.15 times the longest boot + 5 s", late[len(late) // 2] <= 0)
    allowed = figure(run.allowed_s for run in mine)
    judged = n == JUDGED
    ours_s = times["this project"]
    own.add(n, scale, ours_s, floors["this project"], allowed, goal=goal if judged else None)
    for name, theirs_s in list(times.items())[1:]:
        ratio = theirs_s.median / ours_s.median
        cells = (name.replace("dask-cloudprovider", str(theirs_s)), floors[name], f"{ratio:.2f}")
        standard = judged and name == "dask-cloudprovider"
        faster = at_least(ratio, TIMES_FASTER, "times faster") if standard else None
        others.add(n, scale, ours_s, *cells, goal=faster)


def bound(found: dict[str, list[Run]]) -> list[str]:
    """How much faster than dask-cloudprovider a cluster could be at all."""
    mine, theirs = found["this project"], found.get("dask-cloudprovider")
    if not theirs:
        return []
    longest = figure(run.floor_s for run in mine).median
    ratio = figure(run.first_result_s for run in theirs).median / longest
    return [
        "dask-cloudprovider boots the scheduler's machine first, and then all workers' at once; "
        "this project boots all at once. A start that took no time beyond its longest boot would "
        f"be {ratio:.1f} times as fast as dask-cloudprovider; none can be faster."
    ]


def profile(said: tuple[tuple[float, str], ...]) -> list[str]:
    """What the launchers said when, without repetitions of counts."""
    if not said:
        return []
    lines = [
        f"{at_s:7.1f} s  {FOLDER.sub('', text)}"
        for at_s, text in said
        if not text.startswith("Writing")
    ]
    return [
        "What the unscaled run of this project said, and when:",
        "\n".join(["```text", *lines, "```"]),
    ]


if __name__ == "__main__":
    run_alone(measure)

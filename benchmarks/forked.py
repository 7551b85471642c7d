"""Engines on one machine: forked by the agent, against as many `python -m ipyparallel.engine`.

    python -m benchmarks.forked [--rounds 5] [--engines 32]

Time until a client sees all engines, on a controller of its own each time, and their memory.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import psutil

from .agents import Agent, controller
from .report import Figure, Section, Table, at_least, figure, in_turns, run_alone

QUICK = {"rounds": 1, "engines": 8}
TIMES_FASTER = 2.3
HOW = """
An `ipcontroller` is started for each measurement, with the heartbeat that the launcher sets for
that many engines (it is the same for both sides). Then either `vm_agent.py engines` is run, which
imports ipyparallel once and forks, or as many `python -m ipyparallel.engine` are started at once.
The clock stops when a client of the controller sees all engines. A separate engine has a nanny, a
process of its own, unless that is switched off; both are shown. (Of forked ones the supervisor
takes care.) Memory is the proportional set size (PSS) of all processes that the side has started,
supervisor and nannies too, divided by the number of engines.
"""


Processes = Callable[[], list[psutil.Process]]
Start = Callable[[Agent, int], contextlib.AbstractContextManager[Processes]]


@dataclass(frozen=True)
class Run:
    registered_s: float
    pss_mb: float  # for each engine


def measure(rounds: int = 5, engines: int = 32) -> Section:
    bare: Start = partial(separate, arguments=("--IPEngine.enable_nanny=False",))
    sides: dict[str, Start] = {"forked": forked, "separate": separate, "without nannies": bare}
    found = in_turns({name: partial(one, engines, start) for name, start in sides.items()}, rounds)
    table = Table(("figure", "forked", "separate", "ratio", "separate, without nannies", "ratio"))
    times = [figure(run.registered_s for run in side) for side in found.values()]
    ratios = [side.median / times[0].median for side in times[1:]]
    goal = at_least(min(ratios), TIMES_FASTER, "times faster") if engines == 32 else None
    table.add(f"{engines} engines registered", *beside_ratios(times), goal=goal)
    memory = [figure((run.pss_mb for run in side), "MB") for side in found.values()]
    table.add("memory for each engine", *beside_ratios(memory))
    return Section("forked", "Engines on one machine: forked against separate", HOW, [table])


def beside_ratios(figures: list[Figure]) -> list[object]:
    first, *others = figures
    cells: list[object] = [first]
    for other in others:
        cells += [other, f"{other.median / first.median:.2f}"]
    return cells


def one(engines: int, start: Start, number: int) -> Run:
    with controller(engines) as agent, agent.client() as client:
        began = time.perf_counter()
        with start(agent, engines) as processes:
            client.wait_for_engines(engines, timeout=300, interactive=False)
            return Run(time.perf_counter() - began, pss_mb(processes()) / engines)


def pss_mb(processes: list[psutil.Process]) -> float:
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 1e6


@contextlib.contextmanager
def forked(agent: Agent, engines: int) -> Iterator[Processes]:
    agent.engines(engines)

    def processes() -> list[psutil.Process]:
        supervisor = psutil.Process(agent.run("status")["sets"][0]["supervisor"]["pid"])
        return [supervisor, *supervisor.children(recursive=True)]

    yield processes


@contextlib.contextmanager
def separate(agent: Agent, engines: int, arguments: tuple[str, ...] = ()) -> Iterator[Processes]:
    command = [sys.executable, "-m", "ipyparallel.engine", f"--profile-dir={agent.profile}"]
    command += [f"--IPEngine.url_file={agent.engine_file}", *arguments]
    started = [
        subprocess.Popen(
            command,
            env=agent.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(engines)
    ]

    def processes() -> list[psutil.Process]:
        roots = [psutil.Process(process.pid) for process in started]
        return [*roots, *(child for root in roots for child in root.children(recursive=True))]

    try:
        yield processes
    finally:
        everything = processes()
        for process in everything:
            with contextlib.suppress(psutil.Error):
                process.kill()
        for popen in started:
            popen.wait()


if __name__ == "__main__":
    run_alone(measure)

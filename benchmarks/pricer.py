"""The Monte Carlo pricer against the function it descends from, and on many engines.

python -m benchmarks.pricer --help
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import statistics
import time
import zlib
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from examples.monte_carlo_options.cluster import Engines
from examples.monte_carlo_options.model import PAYOFFS, Model
from examples.monte_carlo_options.paths import PATHS_PER_BLOCK
from examples.monte_carlo_options.surface import Surface, price_surface
from examples.monte_carlo_options.task import Task

from .agents import controller
from .pricer_original import price_option
from .report import Section, Table, at_least, figure, in_turns, run_alone, say

Grid = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]  # strikes, volatilities
ONE: Grid = np.array([100.0]), np.array([0.25])
GRIDS: dict[str, Grid] = {
    "one option": ONE,
    "6 x 5": (np.linspace(90, 110, 6), np.linspace(0.1, 0.4, 5)),
    "20 x 20": (np.linspace(90, 110, 20), np.linspace(0.1, 0.4, 20)),
}
LEAST_SPEED = {"one option": 3.5, "6 x 5": 40.0, "20 x 20": 220.0}
LEAST_EFFICIENCY = {32: 0.9, 128: 0.85}
ORIGINAL_PATHS = 10_000
WITHIN = 1e-4  # half of the 95 % interval, in the unit of the spot price, 100
TASK_EFFICIENCY = 0.9
# Linux, pay as you go, eastus; 8 for the engines' 32 vCPUs and one for the controller
USD_PER_HOUR = 9 * 0.192
BLOCK_S = 0.005  # that a waiting engine takes for a block
WAITING = """
import time
import numpy as np

def look(task):
    return "waiting", "here", task["maturity_years"]

def work(task, first, n_blocks):
    time.sleep(n_blocks * task["maturity_years"])
    return "waiting", np.zeros((2, 1, 1)), np.zeros((2, 1, 1))
"""


def original_s(grid: Grid) -> float:
    """Processor seconds for one path of all options, of which each has paths of its own."""
    begin_s = time.process_time()
    price_option()
    return grid[0].size * grid[1].size * (time.process_time() - begin_s) / ORIGINAL_PATHS


def pricer_s(grid: Grid, method: str, n_paths: int, kernel: str = "numpy") -> float:
    """Processor seconds for one path, which all options share."""
    begin_s = time.process_time()
    surface = price_surface(Model(), *grid, n_paths, method=method, kernel=kernel)
    return (time.process_time() - begin_s) / surface.n_paths


def kernels() -> list[str]:
    """numba's is compiled here and now."""
    if importlib.util.find_spec("numba") is None:
        return ["numpy"]
    pricer_s(ONE, "plain", 1, "numba")
    return ["numpy", "numba"]


def speeds(rounds: int, n_paths: int) -> Table:
    """Time for each path, of all sides in turns."""
    table = Table(["grid", "kernel", "original", "pricer, plain", "times as fast"])
    for name, grid in GRIDS.items():
        sides: dict[str, Callable[[int], float]] = {"original": partial(_original, grid)}
        for kernel in kernels():
            sides[kernel] = partial(_pricer, grid, kernel, n_paths)
        found = in_turns(sides, rounds)
        for kernel in kernels():
            ratios = [a / b for a, b in zip(found["original"], found[kernel], strict=True)]
            goal = at_least(statistics.median(ratios), LEAST_SPEED[name])
            table.add(
                name,
                kernel,
                *(figure((1e6 * s for s in found[side]), "µs", 2) for side in ("original", kernel)),
                figure(ratios, ""),
                goal=goal if kernel == "numpy" else None,
            )
    return table


def _original(grid: Grid, number: int) -> float:
    return original_s(grid)


def _pricer(grid: Grid, kernel: str, n_paths: int, number: int) -> float:
    return pricer_s(grid, "plain", n_paths, kernel)


def one_path(surface: Surface, payoff: str) -> npt.NDArray[np.float64]:
    """The variance of one path's worth of the estimate."""
    variance: npt.NDArray[np.float64] = surface.standard_errors[payoff] ** 2 * surface.n_paths
    return variance


def efficiencies(rounds: int, n_paths: int) -> Table:
    """Variance of a path's worth x time of a path, the original's by the pricer's."""
    table = Table(["what", "method", "variance ratio", "time ratio", "variance x time"])

    def row(what: str, grid: Grid, method: str, payoffs: tuple[str, ...], least: float) -> None:
        plain = price_surface(Model(), *grid, 4 * n_paths, method="plain", seed=1)
        ours = price_surface(Model(), *grid, n_paths, method=method, seed=2)
        times = [original_s(grid) / pricer_s(grid, method, n_paths) for _ in range(rounds)]
        ratios = [one_path(plain, payoff) / one_path(ours, payoff) for payoff in payoffs]
        worst = min(float(ratio.min()) for ratio in ratios)
        total = worst * statistics.median(times)
        table.add(
            what,
            method,
            f"{worst:,.0f}",
            figure(times, "", 1),
            f"{total:,.0f}",
            goal=at_least(total, least, digits=0),
        )

    row("Asian call at the money", ONE, "control", ("asian_call",), 1e3)
    row("Asian call at the money", ONE, "stratified", ("asian_call",), 2e5)
    row("6 x 5, worst cell, European", GRIDS["6 x 5"], "stratified", PAYOFFS[:2], 3e5)
    row("6 x 5, worst cell, Asian", GRIDS["6 x 5"], "stratified", PAYOFFS[2:], 3e5)
    return table


def headline() -> Table:
    """The 20 x 20 surface, every cell within 1e-4 of 100."""
    began = time.process_time()
    surface = price_surface(Model(), *GRIDS["20 x 20"], 1e9, standard_error=WITHIN / 1.97, seed=1)
    one_core_s = time.process_time() - began
    many_s = one_core_s / (32 * TASK_EFFICIENCY)
    widest = max(float(width.max()) for width in surface.half_widths().values())
    table = Table(["20 x 20 options, European and Asian, calls and puts", ""])
    table.add("paths, shared by all cells", f"{surface.n_paths:,}")
    table.add("widest 95 % interval", f"± {widest:.1e}")
    table.add(
        "largest distance from Black-Scholes", f"{surface.european_deviation():.1f} standard errors"
    )
    table.add("one core, measured", figure([one_core_s]))
    table.add(f"32 cores, at an efficiency of {TASK_EFFICIENCY}", figure([many_s], digits=2))
    table.add(
        "cost of these seconds on 9 Standard_D4s_v5",
        f"{100 * many_s * USD_PER_HOUR / 3600:.2f} cents",
    )
    return table


def _task() -> Task:
    """One that WAITING understands: a block takes as many seconds as the option has years."""
    return Task(
        method="plain",
        kernel="numpy",
        seed=0,
        carry=0.0,
        maturity_years=BLOCK_S,
        n_fixings=1,
        strikes=[1.0],
        volatilities=[0.2],
        betas=[],
    )


def scheduling(many: tuple[int, ...], seconds: float) -> Table:
    """Tasks that only wait, cut, sent and collected as those of a run are."""
    table = Table(
        ["engines", "a task's overhead", "a task", "all tasks on one engine", "took", "efficiency"]
    )
    for n_engines in many:
        say(f"starting {n_engines} engines")
        with controller(n_engines) as agent, agent.client() as client:
            # forked: twice as many processes of their own would be minutes of this computer's time
            agent.engines(n_engines, timeout_s=600)
            client.wait_for_engines(n_engines, timeout=60, interactive=False)
            source = zlib.compress(json.dumps({"block": WAITING}).encode())
            waiting = Engines(client, _task(), source=source)
            n_blocks = int(seconds * n_engines / BLOCK_S)
            begin_s = time.perf_counter()
            lengths = [done[2].n_blocks for done in waiting.run([(0, n_blocks)], n_blocks)]
            took_s = time.perf_counter() - begin_s
        work_s = n_blocks * BLOCK_S
        efficiency = work_s / (took_s * n_engines)
        table.add(
            n_engines,
            f"{1000 * waiting.overhead_s:.1f} ms",
            f"{max(lengths) * BLOCK_S:.2f} s",
            f"{work_s:.0f} s",
            f"{took_s:.1f} s",
            f"{efficiency:.2f}",
            goal=at_least(efficiency, LEAST_EFFICIENCY.get(n_engines, 0.0), digits=2),
        )
    return table


def measure(
    rounds: int = 9,
    n_paths: int = 20 * PATHS_PER_BLOCK,
    variance_paths: int = 200 * PATHS_PER_BLOCK,
    many: tuple[int, ...] = (32, 128),
    seconds: float = 40.0,
) -> Section:
    """`seconds`: how long each engine has to wait in all, in the runs that show the scheduling."""
    return Section(
        "pricer",
        "The Monte Carlo pricer",
        """Processor time of one core, of the pricer and of the function that it descends from, in
turns. At equal paths: the original's time for each of its paths, of all options one after the
other, by the pricer's, whose options share their paths. Variance x time: by how much sooner the
same standard error is reached; the ratio of variances is that of one path's worth. In the last
table the tasks only wait, so that a computer with few cores can have many engines; what is left
of efficiency is ipyparallel's schedulers, the client and the cutting into tasks.""",
        [
            speeds(rounds, n_paths),
            efficiencies(rounds, variance_paths),
            headline(),
            scheduling(many, seconds),
        ],
        ["32 cores are calculated from one core's time and that efficiency, not measured."],
        packages=[
            f"{name} {importlib.metadata.version(name)}" for name in ("numpy", *kernels()[1:])
        ],
    )


QUICK = {"rounds": 1, "variance_paths": 20 * PATHS_PER_BLOCK, "many": (4,), "seconds": 2.0}


if __name__ == "__main__":
    run_alone(measure)

"""The Monte Carlo pricer against the function it descends from, and on many engines.

python -m benchmarks.pricer --help
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from examples.monte_carlo_options.model import PAYOFFS, Model
from examples.monte_carlo_options.paths import PATHS_PER_BLOCK
from examples.monte_carlo_options.recursion import asian_by_recursion
from examples.monte_carlo_options.surface import Surface, price_surface
from examples.monte_carlo_options.textbook import price_option

from .pricer_peers import CELLS, VERSIONS, measure_peers
from .pricer_scheduling import scheduling
from .report import Section, Table, at_least, at_most, figure, in_turns, run_alone

Grid = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]  # strikes, volatilities
ONE: Grid = np.array([100.0]), np.array([0.25])
GRIDS: dict[str, Grid] = {
    "one option": ONE,
    "6 x 5": (np.linspace(90, 110, 6), np.linspace(0.1, 0.4, 5)),
    "20 x 20": (np.linspace(90, 110, 20), np.linspace(0.1, 0.4, 20)),
}
LEAST_SPEED = {"one option": 1.2, "6 x 5": 16.0, "20 x 20": 90.0}
ORIGINAL_PATHS = 10_000
MOST_S = {"numpy": 4.0, "numba": 2.0}  # of one core, for the 20 x 20 surface
# What the method before, with strata, had in the worst cell of 6 x 5; measured on 2026-11-22, by an
# original with numpy's older and slower generator
STRATA = 391_985
WITHIN = 1e-4  # half of the 95 % interval, in the unit of the spot price, 100


def original_s(grid: Grid) -> float:
    """Processor seconds for one path of all options, of which each has paths of its own."""
    begin_s = time.process_time()
    price_option(n_paths=ORIGINAL_PATHS)
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

    row("Asian call at the money", ONE, "control", ("asian_call",), 300)
    row("Asian call at the money", ONE, "preintegration", ("asian_call",), 2e6)
    row("6 x 5, worst cell, European", GRIDS["6 x 5"], "preintegration", PAYOFFS[:2], 3e5)
    row("6 x 5, worst cell, Asian", GRIDS["6 x 5"], "preintegration", PAYOFFS[2:], 12 * STRATA)
    return table


def headline() -> Table:
    """The 20 x 20 surface, every cell within 1e-4 of 100."""
    table = Table(
        [
            "kernel",
            "paths",
            "widest 95 % interval",
            "largest distance from exact prices",
            "one core",
        ]
    )
    for kernel in kernels():
        began = time.process_time()
        surface = price_surface(
            Model(), *GRIDS["20 x 20"], 1e9, standard_error=WITHIN / 2, seed=1, kernel=kernel
        )
        one_core_s = time.process_time() - began
        widest = max(float(width.max()) for width in surface.half_widths().values())
        exact, _ = asian_by_recursion(Model(), *GRIDS["20 x 20"])
        distance = float(np.abs(surface.prices["asian_call"] - exact).max())
        table.add(
            kernel,
            f"{surface.n_paths:,}",
            f"± {widest:.1e}",
            f"{distance:.1e} (Asian)",
            figure([one_core_s], digits=2),
            goal=at_most(one_core_s, MOST_S[kernel], "s"),
        )
    return table


def neighbours(n_seeds: int) -> Table:
    """How errors of Asian calls go together over many seeds, at a volatility of 25 %."""
    strikes = [100.0, 100.25, 101.0, 102.0, 105.0]
    prices = np.array(
        [
            price_surface(Model(), strikes, 0.25, 8 * PATHS_PER_BLOCK, seed=seed).prices[
                "asian_call"
            ][:, 0]
            for seed in range(n_seeds)
        ]
    )
    table = Table(["strike 100 with", "correlation of errors", "error of the difference by one's"])
    for i, strike in enumerate(strikes[1:], start=1):
        correlation = float(np.corrcoef(prices[:, 0], prices[:, i])[0, 1])
        difference = float((prices[:, i] - prices[:, 0]).std() / prices[:, 0].std())
        goal = at_least(correlation, 0.95, digits=2) if strike == 101 else None
        table.add(f"{strike:g}", f"{correlation:.3f}", f"{difference:.2f}", goal=goal)
    return table


def peers(n_paths: int, n_seeds: int) -> Table:
    """Their best Monte Carlo for Asian calls: control variate, with QuantLib antithetic as well."""
    ours_s = statistics.median(pricer_s(ONE, "preintegration", 20 * n_paths) for _ in range(3))
    one = price_surface(Model(), *ONE, 20 * n_paths, seed=2)
    ours = float(one_path(one, "asian_call").item()) * ours_s
    began = time.process_time()
    price_surface(Model(), *GRIDS["20 x 20"], 1e9, standard_error=WITHIN / 2, seed=1)
    surface_s = time.process_time() - began
    table = Table(
        ["library", "variance x time, at the money", "by the pricer's", "20 x 20 within 1e-4"]
    )
    table.add("this pricer, numpy", f"{ours:.1e} s", "1", f"{surface_s:.1f} s, measured")
    for peer in measure_peers(n_paths, n_seeds):
        needed_s = peer.surface_s(400, WITHIN / 1.96)
        table.add(
            peer.name,
            f"{peer.at_the_money:.1e} s",
            f"{peer.at_the_money / ours:,.0f}",
            f"{needed_s:,.0f} s, calculated",
        )
    return table


def measure(
    rounds: int = 9,
    n_paths: int = 20 * PATHS_PER_BLOCK,
    variance_paths: int = 200 * PATHS_PER_BLOCK,
    many: tuple[int, ...] = (32, 128),
    seconds: float = 40.0,
    n_seeds: int = 100,
    peer_paths: int = 4096,
) -> Section:
    """`seconds`: how long each engine has to wait in all, in the runs that show the scheduling."""
    return Section(
        "pricer",
        "The Monte Carlo pricer",
        """Processor time of one core, of the pricer and of the function that it descends from, in
turns. At equal paths: the original's time for each of its paths, of all options one after the
other, by the pricer's, whose options share their paths. Variance x time: by how much sooner the
same standard error is reached; the ratio of variances is that of one path's worth. The original
is the textbook's version of the example, with numpy's generator of today, which is more than twice
as fast as the example's own. QuantLib and FinancePy have an environment of their own.
In the last table the tasks only wait, so that a computer with few cores can have many engines; what
is left of efficiency is ipyparallel's schedulers, the client and the cutting into tasks.""",
        [
            speeds(rounds, n_paths),
            efficiencies(rounds, variance_paths),
            headline(),
            neighbours(n_seeds),
            peers(peer_paths, n_seeds),
            scheduling(many, seconds),
        ],
        [
            f"The peers' seconds for the surface are 400 times the mean of {len(CELLS)} cells' "
            "variance x time, of Asian calls alone: their Monte Carlo prices one option at a time.",
        ],
        packages=[
            *(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", *kernels()[1:])),
            *VERSIONS,
        ],
    )


QUICK = {
    "rounds": 1,
    "variance_paths": 20 * PATHS_PER_BLOCK,
    "many": (4,),
    "seconds": 2.0,
    "n_seeds": 10,
    "peer_paths": 1024,
}


if __name__ == "__main__":
    run_alone(measure)

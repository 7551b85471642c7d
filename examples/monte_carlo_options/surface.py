"""Price a grid of strikes and volatilities, in this process or on a cluster.

The plan is the same for both: blocks of paths with random numbers of their own, grouped into
tasks. The blocks' sums are added in the order of the blocks, so a price has the same bits
serially and on any number of engines (of one CPU family; 1e-6 apart across families, whose
exp and log differ in the last bit).
"""

import math
from collections.abc import Iterator, Mapping
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass
from typing import Any

import ipyparallel as ipp
import numpy as np
from tqdm import tqdm

from .model import (
    PATHS_PER_BLOCK,
    PAYOFFS,
    FloatArray,
    Model,
    Numbers,
    black_scholes,
    grid_axis,
    whole_number,
)
from .plain import simulate_blocks

Blocks = list[tuple[int, int]]  # (block number, number of paths)

# ipyparallel needs 3-5 ms per task, and its scheduler holds every task of a run.
TASK_S = 0.15
MAX_TASKS = 2000
# Seconds on a core of 2023; they decide how many blocks make a task, never a result.
S_PER_NORMAL = 12e-9
S_PER_STEP = 3e-9  # one path, one fixing, one volatility
S_PER_PAYOFF = 3e-9  # one path, one cell, one of the four payoffs

# How often a task lost with its engine is given to another one.
RETRIES = 3


@dataclass(frozen=True, eq=False)
class Surface:
    """Prices of a grid, and how they were made.

    `prices` and `standard_errors` map each name in PAYOFFS to a read-only float64 array of shape
    (n_strikes, n_volatilities), in units of the spot price. All cells are priced on the same
    paths: their errors are almost perfectly correlated, so differences between cells are far
    more accurate than the standard errors suggest, and all cells can be off in one direction.
    """

    model: Model
    strikes: FloatArray
    volatilities: FloatArray
    n_paths: int
    seed: int
    prices: Mapping[str, FloatArray]
    standard_errors: Mapping[str, FloatArray]

    def european_deviation(self) -> float:
        """Largest distance of a European price from Black-Scholes, in standard errors.

        A check of the run: the cells share their error, so more than 4 means that something is
        wrong. A cell without spread (zero volatility, or no path in the money) is left out.
        """
        closed_form = black_scholes(self.model, self.strikes, self.volatilities)
        deviations = [0.0]
        for name, exact in zip(("european_call", "european_put"), closed_form, strict=True):
            error = self.standard_errors[name]
            spread = error > 0
            deviations.extend(np.abs(self.prices[name] - exact)[spread] / error[spread])
        return float(max(deviations))


def price_surface(
    model: Model,
    strikes: Numbers,
    volatilities: Numbers,
    n_paths: float,
    *,
    seed: int = 0,
    client: "ipp.Client | None" = None,
    progress: bool = False,
) -> Surface:
    """Price European and Asian calls and puts for every strike and volatility by plain Monte Carlo.

    `volatilities` are per square root of a year (0.25 is 25 %); `n_paths` (2 or more, 1e5 is
    welcome) is the number of paths that all cells share. With a `client` the tasks are balanced
    over its engines, which need numpy only; without, this process does the work. `progress`
    shows a bar on stderr that counts paths.

    Raises ValueError, naming the parameter, for an impossible value; OverflowError if a price is
    beyond a float; ipyparallel's RemoteError for a failure on an engine, and NoEnginesRegistered
    if there is none. After an error or Ctrl-C the tasks that have not begun are called off.
    """
    strike_axis = grid_axis("strikes", strikes)
    volatility_axis = grid_axis("volatilities", volatilities, zero_allowed=True)
    paths = whole_number("n_paths", n_paths, least=2)
    seed = whole_number("seed", seed, least=0)
    grid = {
        **asdict(model),
        "strikes": strike_axis.tolist(),
        "volatilities": volatility_axis.tolist(),
        "seed": seed,
    }
    tasks = split_into_tasks(paths, model.n_fixings, strike_axis.size, volatility_axis.size)
    finished = _run_serially(grid, tasks) if client is None else _run_on(client, grid, tasks)

    sums_of_task: dict[int, FloatArray] = {}
    with tqdm(total=paths, unit="path", unit_scale=True, disable=not progress) as bar:
        for number, block_sums in finished:
            sums_of_task[number] = block_sums
            bar.update(sum(n for _, n in tasks[number]))
    totals = np.concatenate([sums_of_task[number] for number in range(len(tasks))]).sum(axis=0)

    prices, errors = _estimates(totals, paths, model.discount)
    return Surface(model, strike_axis, volatility_axis, paths, seed, prices, errors)


def split_into_tasks(
    n_paths: int, n_fixings: int, n_strikes: int, n_volatilities: int
) -> list[Blocks]:
    """Blocks 0, 1, 2... in groups worth about TASK_S seconds; the last block takes the rest."""
    blocks = [
        (block, min(PATHS_PER_BLOCK, n_paths - block * PATHS_PER_BLOCK))
        for block in range(math.ceil(n_paths / PATHS_PER_BLOCK))
    ]
    path_s = n_fixings * (S_PER_NORMAL + S_PER_STEP * n_volatilities)
    path_s += S_PER_PAYOFF * len(PAYOFFS) * n_strikes * n_volatilities
    worthwhile = math.ceil(TASK_S / (path_s * PATHS_PER_BLOCK))
    per_task = max(worthwhile, math.ceil(len(blocks) / MAX_TASKS))
    return [blocks[i : i + per_task] for i in range(0, len(blocks), per_task)]


def _run_serially(grid: dict[str, Any], tasks: list[Blocks]) -> Iterator[tuple[int, FloatArray]]:
    for number, blocks in enumerate(tasks):
        yield number, simulate_blocks(**grid, blocks=blocks)


def _run_on(
    client: "ipp.Client", grid: dict[str, Any], tasks: list[Blocks]
) -> Iterator[tuple[int, FloatArray]]:
    """Yield (task number, its sums) in the order of completion."""
    n_engines = len(client.ids)
    if n_engines == 0:  # the tasks would wait for an engine for ever
        raise ipp.error.NoEnginesRegistered()
    # interactive() makes the function travel by value: an engine doesn't have this package.
    by_value = ipp.interactive(simulate_blocks)
    # ipyparallel 9.2 never gives an engine a task that failed there: with a retry left after all
    # engines have failed (no numpy, say), the task would wait for a new one for ever.
    view = client.load_balanced_view(retries=min(RETRIES, n_engines - 1))
    numbers = {
        view.apply_async(by_value, **grid, blocks=blocks): number
        for number, blocks in enumerate(tasks)
    }
    try:
        for result in as_completed(numbers):
            yield numbers[result], result.result()
    finally:
        unfinished = [result for result in numbers if not result.done()]
        if unfinished:
            view.abort(unfinished, block=False)


def _estimates(
    totals: FloatArray, n_paths: int, discount: float
) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Prices and standard errors by payoff, from sums and sums of squares over all paths."""
    mean = totals[0] / n_paths
    # Rounding can take the variance of equal payoffs (zero volatility) just below zero.
    variance = np.maximum(totals[1] - n_paths * mean**2, 0.0) / (n_paths - 1)
    price = discount * mean
    error = discount * np.sqrt(variance / n_paths)
    if not (np.isfinite(price).all() and np.isfinite(error).all()):
        raise OverflowError("a price is too large for a float: check rate, maturity, volatilities")
    for array in (price, error):
        array.flags.writeable = False
    return dict(zip(PAYOFFS, price, strict=True)), dict(zip(PAYOFFS, error, strict=True))

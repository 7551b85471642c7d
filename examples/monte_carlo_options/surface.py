"""Price a grid of strikes and volatilities, in this process or on a cluster: the whole story.

The plan is the same for both: blocks of paths with random numbers of their own (block.py), joined
always in the same pairs (tree.py), on whichever engine (cluster.py), kept on disk if asked for
(checkpoint.py), and made prices of (estimates.py). run.py goes through these steps.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import ipyparallel as ipp
import numpy as np

from .block import METHODS
from .checkpoint import State
from .closed_form import black_scholes
from .estimates import student_quantile, without_volatility
from .model import (
    PAYOFFS,
    FloatArray,
    Model,
    Numbers,
    check_range,
    grid_axis,
    positive_number,
    whole_number,
)
from .paths import KERNELS, PATHS_PER_BLOCK
from .run import Run

# By how much float32 paths shift a price, in units of the spot; with preintegration, float64's sums
ROUNDING = {"plain": 1e-7, "control": 1e-7, "preintegration": 1e-14}
LEAST_BLOCKS = 8  # fewer tell too little of their spread


@dataclass(frozen=True, eq=False)
class Surface:
    """Prices of a grid, and how they were made.

    `prices` and `standard_errors` map each name in PAYOFFS to a read-only float64 array of shape
    (n_strikes, n_volatilities), in units of the spot price. All cells are priced on the same
    paths, so errors of neighbours go together, and all cells can be off in one direction.
    `difference_errors` says how far: standard errors of the next strike's price less this one's, of
    shape (n_strikes - 1, n_volatilities).

    `arithmetic`: what tells apart processors whose results differ in some bit. Runs that have one
    in common, and nothing else, have the same bits; a run with several can't be repeated exactly.
    """

    model: Model
    strikes: FloatArray
    volatilities: FloatArray
    method: str
    n_blocks: int
    seed: int
    prices: Mapping[str, FloatArray]
    standard_errors: Mapping[str, FloatArray]
    difference_errors: Mapping[str, FloatArray]
    arithmetic: tuple[str, ...]

    @property
    def n_paths(self) -> int:
        return self.n_blocks * PATHS_PER_BLOCK

    def worst_error(self) -> float:
        """The largest standard error of all cells and payoffs."""
        return max(float(error.max()) for error in self.standard_errors.values())

    def half_widths(self, level: float = 0.95) -> dict[str, FloatArray]:
        """By payoff: prices plus and minus these are the confidence intervals of that level.

        What rounding may do is added to what chance does.
        """
        if not 0 < level < 1:
            raise ValueError(f"level must be between 0 and 1, not {level!r}")
        factor = student_quantile((1 + level) / 2, self.n_blocks - 1)
        rounding = ROUNDING[self.method] * self.model.spot
        return {name: factor * error + rounding for name, error in self.standard_errors.items()}

    def european_deviation(self) -> float:
        """Largest distance of a European price from Black-Scholes, in halves of its 95 % interval.

        A check of the run: neighbours share their error, so more than 2 means that something is
        wrong. Zero volatility is left out.
        """
        closed_form = black_scholes(self.model, self.strikes, self.volatilities)
        moving, half_widths = self.volatilities > 0, self.half_widths()
        deviations = [0.0]
        for name, exact in zip(PAYOFFS[:2], closed_form, strict=True):
            found = np.abs(self.prices[name] - exact) / half_widths[name]
            deviations.extend(found[:, moving].flat)
        return float(max(deviations))


def price_surface(
    model: Model,
    strikes: Numbers,
    volatilities: Numbers,
    n_paths: float,
    *,
    method: str = "preintegration",
    kernel: str = "numpy",
    standard_error: float | None = None,
    seed: int = 0,
    client: "ipp.Client | None" = None,
    engines: "Collection[int] | None" = None,
    checkpoint: "Path | str | None" = None,
    mixed: bool = False,
    progress: bool = False,
) -> Surface:
    """Price European and Asian calls and puts for every strike and volatility by Monte Carlo.

    `volatilities` are per square root of a year (0.25 is 25 %). `n_paths` (1e6 is welcome) is
    rounded up to whole blocks of 1024, at least 8; all cells share the paths. With
    `standard_error`, in units of the spot price, they are the most: the run ends after the first
    of its fixed rounds in which no cell's standard error is larger.

    With a `client` the tasks are balanced over its engines, or those in `engines`, which need
    numpy only; without, this process does the work. `checkpoint` is a folder: finished blocks are
    kept there, so that the same call goes on after an interruption. `progress` shows a bar on
    stderr that counts paths.

    `kernel` "numba" is faster where numba is installed, which each engine needs then; it compiles
    for some seconds at the first run.

    Raises ValueError, naming the parameter, for an impossible value; ImportError (from an engine,
    RemoteError) without numba that is asked for; OverflowError if a price is
    beyond a float; MixedArithmetic, unless `mixed` allows it, if processors differ in their last
    bits; CheckpointError for a damaged checkpoint; ipyparallel's RemoteError for a failure on an
    engine, and NoEnginesRegistered if there is none. After an error or Ctrl-C the tasks that have
    not begun are called off.
    """
    strike_axis = grid_axis("strikes", strikes)
    volatility_axis = grid_axis("volatilities", volatilities, zero_allowed=True)
    check_range(model, strike_axis, volatility_axis)
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, not {kernel!r}")
    if standard_error is not None:
        standard_error = positive_number("standard_error", standard_error)
    n_blocks = max(LEAST_BLOCKS, -(-whole_number("n_paths", n_paths, least=1) // PATHS_PER_BLOCK))
    seed = whole_number("seed", seed, least=0)

    moving = volatility_axis > 0
    shape = (len(PAYOFFS), strike_axis.size, volatility_axis.size)
    prices, errors, differences = np.zeros((3, *shape))
    prices[:] = without_volatility(model, strike_axis)
    state = State(goal=n_blocks)
    if moving.any():
        run = Run(
            model,
            strike_axis,
            volatility_axis[moving],
            method,
            kernel,
            n_blocks,
            standard_error,
            seed,
        )
        state = run.to_the_end(client, engines, checkpoint, mixed, progress)
        found = run.estimator.prices(state.tree.total())
        for whole, part in zip((prices, errors, differences), found, strict=True):
            whole[:, :, moving] = part
    for array in (prices, errors, differences):
        array.flags.writeable = False
    return Surface(
        model,
        strike_axis,
        volatility_axis,
        method,
        state.goal,
        seed,
        dict(zip(PAYOFFS, prices, strict=True)),
        dict(zip(PAYOFFS, errors, strict=True)),
        dict(zip(PAYOFFS, differences[:, :-1], strict=True)),
        tuple(sorted(state.arithmetic)),
    )

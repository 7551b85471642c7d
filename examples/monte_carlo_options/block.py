"""What an engine computes: blocks of paths, to what is kept of them.

A block is PATHS_PER_BLOCK paths. Its random numbers depend on the seed and the block's index,
nothing else. Blocks are joined in pairs, pairs in pairs of pairs: the result of a given number of
blocks is the same to the last bit, however they were spread over tasks and engines.

Needs numpy alone; cluster.py sends this file, and those that it imports, to the engines. The unit
of all prices here is the spot, undiscounted: a task has no spot and no rate but the
carry, rate - dividend yield.
"""

import functools
import hashlib
import math
import platform
import time
from dataclasses import dataclass

import numpy as np

from .asian import asian_leg
from .normals import FloatArray, normal_quantile
from .paths import simulate
from .task import Task

ENDS_PER_BLOCK = 16 * 1024  # for European options: cheap, as no paths lead there


@dataclass(frozen=True)
class Moments:
    """Of the means of `n_blocks` blocks: their mean, and the sum of squared deviations from it."""

    n_blocks: int
    mean: FloatArray
    squares: FloatArray


def merge(left: Moments, right: Moments) -> Moments:
    """The moments of both together (Chan, Golub, LeVeque 1979). Not symmetric in the last bit."""
    n_blocks = left.n_blocks + right.n_blocks
    step = right.mean - left.mean
    return Moments(
        n_blocks,
        left.mean + step * (right.n_blocks / n_blocks),
        left.squares + right.squares + step * step * (left.n_blocks * right.n_blocks / n_blocks),
    )


def price_blocks(task: Task, first: int, n_blocks: int) -> Moments:
    """Blocks `first` to `first + n_blocks - 1`; n_blocks is a power of two that divides `first`."""
    if n_blocks == 1:
        mean = price_block(task, first)
        return Moments(1, mean, np.zeros_like(mean))
    half = n_blocks // 2
    return merge(price_blocks(task, first, half), price_blocks(task, first + half, half))


def price_block(task: Task, block: int) -> FloatArray:
    """Means over one block's paths, of shape (2 n_legs, n_strikes, n_volatilities).

    The legs of "plain": European call and put, Asian call and put. Of "control": the European
    call less beta times (terminal price - forward); the Asian call less the geometric one. Of
    "preintegration": the European option that is out of the money at the forward; the Asian call
    where the geometric average is below the strike. estimates.py makes prices of them.

    After the legs come as many differences: of the next strike's leg less this one's.
    """
    random = np.random.Generator(
        np.random.SFC64(np.random.SeedSequence(task["seed"], spawn_key=(block,)))
    )
    legs = METHODS[task["method"]](task, random)
    return np.concatenate([legs, np.diff(legs, axis=1, append=legs[:, -1:])])


def _plain(task: Task, random: np.random.Generator) -> FloatArray:
    paths = simulate(task, random)
    last = np.sort(paths.last)
    strikes = np.array(task["strikes"])
    legs = np.empty((4, len(task["strikes"]), len(task["volatilities"])))
    for i, average in enumerate(paths.average):
        for leg, value in ((0, _terminal(task, i, last)), (2, np.sort(average))):
            legs[leg, :, i], legs[leg + 1, :, i] = _payoffs(value, strikes)
    return legs


def _control(task: Task, random: np.random.Generator) -> FloatArray:
    paths = simulate(task, random)
    last, mean = np.sort(paths.last), np.sort(paths.mean)
    strikes, betas = np.array(task["strikes"]), np.array(task["betas"])
    forward = math.exp(task["carry"] * task["maturity_years"])
    legs = np.empty((2, len(task["strikes"]), len(task["volatilities"])))
    for i, average in enumerate(paths.average):
        terminal = _terminal(task, i, last)
        surplus = terminal.mean() - forward
        legs[0, :, i] = _payoffs(terminal, strikes)[0] - betas[:, i] * surplus
        arithmetic, _ = _payoffs(np.sort(average), strikes)
        legs[1, :, i] = arithmetic - _payoffs(_geometric(task, i, mean), strikes)[0]
    return legs


def _preintegration(task: Task, random: np.random.Generator) -> FloatArray:
    return np.stack([_european_leg(task, random), asian_leg(task, random)])


def _european_leg(task: Task, random: np.random.Generator) -> FloatArray:
    """From a stratified sample of the path's end, which is all that they need of a path."""
    rank, within = np.arange(ENDS_PER_BLOCK), random.random(ENDS_PER_BLOCK)
    below, above = rank + within, rank[::-1] + (1.0 - within)
    # The weight vanishes at both ends, where few points would otherwise decide: the intervals stay
    # honest. Either end's probability is computed on its own, as 1 less a tiny number is 1.
    tail = np.maximum(np.minimum(below, above) / ENDS_PER_BLOCK, 1e-12)
    weight = 6.0 * tail * (1.0 - tail) / ENDS_PER_BLOCK
    last = np.copysign(normal_quantile(tail * tail * (3.0 - 2.0 * tail)), below - above)
    last *= math.sqrt(task["maturity_years"])
    strikes = np.array(task["strikes"])
    is_put = strikes < math.exp(task["carry"] * task["maturity_years"])
    weight_below, weight_above = _running_sum(weight), _running_sum(weight[::-1])
    leg = np.empty((len(task["strikes"]), len(task["volatilities"])))
    for i in range(len(task["volatilities"])):
        terminal = _terminal(task, i, last)
        value = weight * terminal
        n_below = np.searchsorted(terminal, strikes)
        n_above = ENDS_PER_BLOCK - n_below
        puts = strikes * weight_below[n_below] - _running_sum(value)[n_below]
        calls = _running_sum(value[::-1])[n_above] - strikes * weight_above[n_above]
        leg[:, i] = np.where(is_put, puts, calls)
    return leg


METHODS = {"plain": _plain, "control": _control, "preintegration": _preintegration}


def _payoffs(values: FloatArray, strikes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean payoffs of calls and puts, one for each strike, on values in ascending order."""
    below = np.searchsorted(values, strikes)
    above = values.size - below
    calls = _running_sum(values[::-1])[above] - strikes * above
    puts = strikes * below - _running_sum(values)[below]
    return calls / values.size, puts / values.size


def _running_sum(values: FloatArray) -> FloatArray:
    """Sums of the first 0, 1, 2... values."""
    sums = np.zeros(values.size + 1)
    np.cumsum(values, out=sums[1:])
    return sums


def _terminal(task: Task, i: int, last: FloatArray) -> FloatArray:
    """Prices at maturity, from the Brownian motions' ends."""
    volatility = task["volatilities"][i]
    log_drift = (task["carry"] - volatility**2 / 2) * task["maturity_years"]
    return np.exp(volatility * last + log_drift)


def _geometric(task: Task, i: int, mean: FloatArray) -> FloatArray:
    """Geometric averages, from the Brownian motions' means over the fixings."""
    volatility, n = task["volatilities"][i], task["n_fixings"]
    mean_years = task["maturity_years"] * (n + 1) / (2 * n)
    return np.exp(volatility * mean + (task["carry"] - volatility**2 / 2) * mean_years)


@functools.cache
def arithmetic(kernel: str) -> str:
    """What tells apart processors, and versions of numpy, whose results differ in some bit.

    exp, log, sine and cosine differ in the last bit between AVX-512, AVX2 and none: in float64 for
    one number in twenty, within a narrow range for none. So this is a digest of what they make
    of numbers near and far, and of blocks, for the order of sums.
    """
    digest = hashlib.sha256()
    for method in METHODS:
        task = Task(
            method=method,
            kernel=kernel,
            seed=0,
            carry=0.03,
            maturity_years=0.7,
            n_fixings=13,
            strikes=[0.9, 1.1],
            volatilities=[0.2, 0.5],
            betas=[[0.5, 0.5], [0.5, 0.5]],
        )
        digest.update(price_block(task, 0).tobytes())
    numbers = normal_quantile(np.linspace(0.0, 1.0, 5001)[1:-1]) * 4.0
    for precise in (numbers, numbers.astype(np.float32)):
        for function in (np.exp, np.sin, np.cos):
            digest.update(function(precise).tobytes())
        digest.update(np.log(np.abs(precise) + 1e-3).tobytes())
    return digest.hexdigest()[:16]


def look(task: Task) -> tuple[str, str, float]:
    """This computer's arithmetic and name, and how many seconds a block takes here."""
    price_block(task, 0)
    begin_s = time.perf_counter()
    price_block(task, 0)
    return arithmetic(task["kernel"]), platform.node(), time.perf_counter() - begin_s


def work(task: Task, first: int, n_blocks: int) -> tuple[str, FloatArray, FloatArray]:
    """What an engine returns for a task: its arithmetic, and the members of Moments."""
    moments = price_blocks(task, first, n_blocks)
    return arithmetic(task["kernel"]), moments.mean, moments.squares

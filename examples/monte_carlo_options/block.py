"""What an engine computes. Needs numpy alone; cluster.py sends this file's source to the engines.

A block is PATHS_PER_BLOCK paths. Its random numbers depend on the seed and the block's index,
nothing else. Blocks are joined in pairs, pairs in pairs of pairs: the result of a given number of
blocks is the same to the last bit, however they were spread over tasks and engines.

The unit of all prices here is the spot, undiscounted: a task has no spot and no rate but the
carry, rate - dividend yield.
"""

import functools
import hashlib
import math
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

PATHS_PER_BLOCK = 1024  # 32 x 32 strata; with 260 fixings 1 MB in float32, for a core's L2 cache
STRATA = 32
VALUES_PER_BATCH = 300_000  # steps x paths that are worked on at a time


class Task(TypedDict):
    """All that the prices depend on, as plain values."""

    method: str  # of METHODS
    seed: int
    carry: float  # per year
    maturity_years: float
    n_fixings: int
    strikes: list[float]  # in units of the spot
    volatilities: list[float]  # positive, per square root of a year
    betas: list[list[float]]  # for each cell, see _control; empty for other methods


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
    """Means over one block's paths, of shape (n_legs, n_strikes, n_volatilities).

    The legs of "plain": European call and put, Asian call and put. Of "control": the European
    call less beta times (terminal price - forward); the Asian call less the geometric one. Of
    "stratified": the European put; the Asian call where the geometric average is below the
    strike. estimates.py makes prices of them.
    """
    random = np.random.Generator(
        np.random.SFC64(np.random.SeedSequence(task["seed"], spawn_key=(block,)))
    )
    return METHODS[task["method"]](task, random)


def _plain(task: Task, random: np.random.Generator) -> FloatArray:
    paths = _simulate(task, random)
    last = np.sort(paths.last)
    strikes = np.array(task["strikes"])
    legs = np.empty((4, len(task["strikes"]), len(task["volatilities"])))
    for i, average in enumerate(paths.average):
        for leg, value in ((0, _terminal(task, i, last)), (2, np.sort(average))):
            legs[leg, :, i], legs[leg + 1, :, i] = _payoffs(value, strikes)
    return legs


def _control(task: Task, random: np.random.Generator) -> FloatArray:
    paths = _simulate(task, random)
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


def _stratified(task: Task, random: np.random.Generator) -> FloatArray:
    # The European option needs the path's end alone, which has a sample of its own. Its weight
    # vanishes at both ends, where few points would otherwise decide: the intervals stay honest.
    at = (np.arange(PATHS_PER_BLOCK) + random.random(PATHS_PER_BLOCK)) / PATHS_PER_BLOCK
    weight = 6.0 * at * (1.0 - at) / PATHS_PER_BLOCK
    *ends, last = normal_quantile(np.vstack([_strata(random), at * at * (3.0 - 2.0 * at)]))
    last *= math.sqrt(task["maturity_years"])
    paths = _simulate(task, random, ends)
    by_mean = np.argsort(paths.mean)
    mean = paths.mean[by_mean]

    strikes = np.array(task["strikes"])
    # The weights' sum is 1 but for a small error, which should weigh on as little as possible.
    certain = np.maximum(strikes - math.exp(task["carry"] * task["maturity_years"]), 0.0)
    weight_below = _running_sum(weight)
    certain *= 1.0 - weight_below[-1]
    legs = np.empty((2, len(task["strikes"]), len(task["volatilities"])))
    for i, average in enumerate(paths.average):
        terminal = _terminal(task, i, last)
        below = np.searchsorted(terminal, strikes)
        paid = strikes * weight_below[below] - _running_sum(weight * terminal)[below]
        legs[0, :, i] = paid + certain
        # Where the geometric average exceeds the strike the arithmetic one does, too: what all
        # paths gain, less what those gain, is what the others gain.
        above = PATHS_PER_BLOCK - np.searchsorted(_geometric(task, i, mean), strikes)
        known = _running_sum(average[by_mean][::-1])[above] - strikes * above
        legs[1, :, i] = _payoffs(np.sort(average), strikes)[0] - known / PATHS_PER_BLOCK
    return legs


METHODS = {"plain": _plain, "control": _control, "stratified": _stratified}


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


@dataclass(frozen=True)
class Paths:
    """Of a block's Brownian motions, and of the prices they drive."""

    last: FloatArray  # at maturity, (n_paths,)
    mean: FloatArray  # over the fixings, (n_paths,)
    average: FloatArray  # of the price, (n_volatilities, n_paths)


def _simulate(
    task: Task, random: np.random.Generator, ends: Sequence[FloatArray] | None = None
) -> Paths:
    """One set of paths for all strikes and volatilities, in batches that fit a core's cache.

    `ends`: two standard normals for each path; then it has the mean, and given that
    the last value, that they say. Paths are float32, what is summed over paths is float64.
    """
    n, step_years = task["n_fixings"], task["maturity_years"] / task["n_fixings"]
    width = PATHS_PER_BLOCK
    while width > 32 and width * n > VALUES_PER_BATCH:
        width //= 2
    years = step_years * np.arange(1, n + 1)
    paths = Paths(
        np.empty(PATHS_PER_BLOCK),
        np.empty(PATHS_PER_BLOCK),
        np.empty((len(task["volatilities"]), PATHS_PER_BLOCK)),
    )
    walk, price = np.empty((2, n, width), dtype=np.float32)
    for begin in range(0, PATHS_PER_BLOCK, width):
        part = slice(begin, begin + width)
        _fill_with_normals(random, walk.reshape(-1))
        for j in range(1, n):
            np.add(walk[j], walk[j - 1], out=walk[j])
        if ends is None:
            last, mean = walk[-1], walk.sum(axis=0) / n
        else:
            last, mean = _tie(walk, price, ends[0][part], ends[1][part])
        paths.last[part] = last * math.sqrt(step_years)
        paths.mean[part] = mean * math.sqrt(step_years)
        for i, volatility in enumerate(task["volatilities"]):
            np.multiply(walk, np.float32(volatility * math.sqrt(step_years)), out=price)
            np.exp(price, out=price)
            growth = np.exp((task["carry"] - volatility**2 / 2) * years) / n
            # einsum, as BLAS would choose its order of summation by its number of threads
            paths.average[i, part] = np.einsum("j,jp->p", growth.astype(np.float32), price)
    return paths


def _fill_with_normals(random: np.random.Generator, out: Float32Array) -> None:
    """Standard normals by Box and Muller's transform, 32 random bits each.

    Five times as fast as Generator.standard_normal; at most 6.8 in size, which a true normal
    exceeds once in 1e11. `out` has an even length.
    """
    half = out.size // 2
    bits = random.bit_generator.random_raw(half).view(np.int32)
    radius, angle = out[:half], out[half:]
    np.copyto(radius, bits[:half], casting="unsafe")
    np.copyto(angle, bits[half:], casting="unsafe")
    np.abs(radius, out=radius)
    radius *= np.float32(2.0**-31)
    radius += np.float32(2.0**-33)
    np.log(radius, out=radius)
    radius *= np.float32(-2.0)
    np.sqrt(radius, out=radius)
    angle *= np.float32(math.pi * 2.0**-31)
    cosine = np.cos(angle)
    np.sin(angle, out=angle)
    angle *= radius
    radius *= cosine


def _strata(random: np.random.Generator) -> FloatArray:
    """Points of the unit square, one in each of 32 x 32 cells; shape (2, n_paths).

    Within the rows and columns of cells they are spread as well, so each coordinate alone has
    one value in each of 1024 strata (Tang, Orthogonal array-based Latin hypercubes, 1993).
    """
    order = np.tile(np.arange(STRATA), (STRATA, 1))
    coarse = np.arange(STRATA)[:, None] * STRATA
    first = coarse + random.permuted(order, axis=1)
    second = (coarse + random.permuted(order, axis=1)).T
    fine = np.stack([first.reshape(-1), second.reshape(-1)])
    return (fine + random.random(fine.shape)) / PATHS_PER_BLOCK


def _tie(
    walk: Float32Array, spare: Float32Array, mean: FloatArray, last_given_mean: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Shift random walks so that mean and last value are what two standard normals say.

    What is added is the difference of two conditional expectations, given mean and last value,
    so the walks stay random walks. Steps have variance 1. Returns last values and means.
    """
    n = len(walk)
    j = np.arange(1, n + 1)
    covariance = j * (2 * n + 1 - j) / (2 * n)  # of the j-th value with the mean
    on_mean = covariance / ((n + 1) * (2 * n + 1) / (6 * n))
    variance = max(n - on_mean[-1] * covariance[-1], 0.0)  # of the last value, given the mean
    on_last = (j - on_mean * covariance[-1]) / variance if n > 1 else np.zeros(1)

    mean = mean * math.sqrt((n + 1) * (2 * n + 1) / (6 * n))
    last = on_mean[-1] * mean + math.sqrt(variance) * last_given_mean
    off_mean = mean - walk.sum(axis=0) / n
    off_last = last - walk[-1] - on_mean[-1] * off_mean
    weights = np.stack([on_mean, on_last]).astype(np.float32)
    np.einsum("kj,kp->jp", weights, np.stack([off_mean, off_last]).astype(np.float32), out=spare)
    walk += spare
    return last, mean


# Coefficients of algorithm AS 241, PPND16 (Wichura, Applied Statistics 37, 1988), highest first.
_CENTRE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
     4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
     1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
     2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
     4.2313330701600911252e1, 1.0),
)  # fmt: skip
_MIDDLE = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
     1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
     4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
     2.05319162663775882187e0, 1.0),
)  # fmt: skip
_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
     2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
     5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
     7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
     5.99832206555887937690e-1, 1.0),
)  # fmt: skip


def normal_quantile(probability: FloatArray) -> FloatArray:
    """The standard normal's inverse distribution function, to 16 digits; 0 < probability < 1."""
    centred = probability - 0.5
    result = centred * _ratio(_CENTRE, 0.180625 - centred * centred)
    tail = np.minimum(probability, 1.0 - probability)
    outside = np.abs(centred) > 0.425
    root = np.sqrt(-np.log(tail[outside]))
    size = np.where(root <= 5.0, _ratio(_MIDDLE, root - 1.6), _ratio(_TAIL, root - 5.0))
    result[outside] = np.copysign(size, centred[outside])
    return result


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: FloatArray) -> FloatArray:
    above, below = (np.full_like(x, side[0]) for side in coefficients)
    for up, down in zip(coefficients[0][1:], coefficients[1][1:], strict=True):
        above = above * x + up
        below = below * x + down
    return above / below


@functools.cache
def arithmetic() -> str:
    """What tells apart processors, and versions of numpy, whose results differ in some bit.

    exp, log, sine and cosine differ in the last bit between AVX-512, AVX2 and none: in float64 for
    one number in twenty, within a narrow range for none. So this is a digest of what they make
    of numbers near and far, and of blocks, for the order of sums.
    """
    digest = hashlib.sha256()
    for method in METHODS:
        task = Task(
            method=method,
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
    return arithmetic(), platform.node(), time.perf_counter() - begin_s


def work(task: Task, first: int, n_blocks: int) -> tuple[str, FloatArray, FloatArray]:
    """What an engine returns for a task: its arithmetic, and the members of Moments."""
    moments = price_blocks(task, first, n_blocks)
    return arithmetic(), moments.mean, moments.squares

"""The paths of a block, and what is needed of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .compiled import Loops, loops
from .normals import STRATA, Float32Array, FloatArray, fill_with_normals
from .task import Task

PATHS_PER_BLOCK = STRATA**2  # with 260 fixings 1 MB in float32, for a core's L2 cache
KERNELS = ("numpy", "numba")
VALUES_PER_BATCH = 300_000  # steps x paths that are worked on at a time


@dataclass(frozen=True)
class Paths:
    """Of a block's Brownian motions, and of the prices they drive."""

    last: FloatArray  # at maturity, (n_paths,)
    mean: FloatArray  # over the fixings, (n_paths,)
    average: FloatArray  # of the price, (n_volatilities, n_paths)


def simulate(
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
    volatilities = np.array(task["volatilities"])
    scales = (volatilities * math.sqrt(step_years)).astype(np.float32)
    drift = task["carry"] - volatilities[:, None] ** 2 / 2
    growth = (np.exp(drift * years) / n).astype(np.float32)
    compiled = loops() if task["kernel"] == "numba" else None
    paths = Paths(
        np.empty(PATHS_PER_BLOCK),
        np.empty(PATHS_PER_BLOCK),
        np.empty((len(task["volatilities"]), PATHS_PER_BLOCK)),
    )
    walk, spare = np.empty((2, n, width), dtype=np.float32)
    for begin in range(0, PATHS_PER_BLOCK, width):
        part = slice(begin, begin + width)
        _fill_with_walks(walk, random, compiled)
        if ends is None:
            last, mean = walk[-1], walk.sum(axis=0) / n
        else:
            last, mean = _tie(walk, spare, ends[0][part], ends[1][part])
        paths.last[part] = last * math.sqrt(step_years)
        paths.mean[part] = mean * math.sqrt(step_years)
        paths.average[:, part] = _averages(walk, spare, scales, growth, compiled)
    return paths


def _fill_with_walks(
    walk: Float32Array, random: np.random.Generator, compiled: Loops | None
) -> None:
    """Random walks along the first axis, of steps with variance 1."""
    if compiled:
        bits = random.bit_generator.random_raw(walk.size // 2)
        compiled.normals(bits.view(np.uint32), walk.reshape(-1))
        compiled.accumulate(walk)
        return
    fill_with_normals(random, walk.reshape(-1))
    before = walk[0]
    for row in walk[1:]:  # cumsum along the first axis would take five times as long
        np.add(row, before, row)
        before = row


def _averages(
    walk: Float32Array,
    spare: Float32Array,
    scales: Float32Array,
    growth: Float32Array,
    compiled: Loops | None,
) -> Float32Array:
    """For each volatility, the sum over steps of growth exp(scale walk)."""
    sums = np.empty((len(scales), walk.shape[1]), dtype=np.float32)
    if compiled:
        compiled.averages(walk, scales, growth, sums)
        return sums
    for i in range(len(scales)):
        np.multiply(walk, scales[i], out=spare)
        np.exp(spare, out=spare)
        # einsum, as BLAS would choose its order of summation by its number of threads
        np.einsum("j,jp->p", growth[i], spare, out=sums[i])
    return sums


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

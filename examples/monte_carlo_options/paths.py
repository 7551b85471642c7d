"""The paths of a block, and what is needed of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .compiled import Loops, loops
from .normals import Float32Array, FloatArray, fill_with_normals
from .task import Task

PATHS_PER_BLOCK = 1024  # with 260 fixings 1 MB in float32, for a core's L2 cache
KERNELS = ("numpy", "numba")
VALUES_PER_BATCH = 300_000  # steps x paths that are worked on at a time
# The product is taken in pieces: no float32 sum has more terms than these steps; and a piece is so
# small (at most 2^18 multiplications) that OpenBLAS doesn't spread it over threads.
STEPS_PER_PIECE, PATHS_PER_PIECE, ROWS_PER_PIECE = 256, 64, 16


@dataclass(frozen=True)
class Paths:
    """Of a block's Brownian motions, and of the prices they drive."""

    last: FloatArray  # at maturity, (n_paths,)
    mean: FloatArray  # over the fixings, (n_paths,)
    average: FloatArray  # of the price, (n_volatilities, n_paths)


def simulate(task: Task, random: np.random.Generator) -> Paths:
    """One set of paths for all strikes and volatilities.

    Paths are float32; sums over many steps, or over paths, are float64.
    """
    volatilities = np.array(task["volatilities"])
    drift = task["carry"] - volatilities[:, None] ** 2 / 2
    growth = np.exp(drift * fixing_years(task)) / task["n_fixings"]
    parts = []
    for walk in walks(task, random):
        averages = [
            exponential_sums(task, walk, volatility, growth[i : i + 1])[0]
            for i, volatility in enumerate(volatilities)
        ]
        parts.append((walk[-1].astype(np.float64), mean(walk), np.stack(averages)))
    last, means, average = zip(*parts, strict=True)
    return Paths(np.concatenate(last), np.concatenate(means), np.concatenate(average, axis=1))


def walks(task: Task, random: np.random.Generator) -> Iterator[Float32Array]:
    """A block's Brownian motions at the fixings, (n_fixings, n_paths), in batches for the cache.

    A batch is overwritten by the next one.
    """
    n, width = task["n_fixings"], PATHS_PER_BLOCK
    while width > PATHS_PER_PIECE and width * n > VALUES_PER_BATCH:
        width //= 2
    walk = np.empty((n, width), dtype=np.float32)
    step_deviation = np.float32(math.sqrt(task["maturity_years"] / n))
    compiled = _loops(task)
    for _ in range(PATHS_PER_BLOCK // width):
        if compiled:
            bits = random.bit_generator.random_raw(walk.size // 2)
            compiled.normals(bits.view(np.uint32), walk.reshape(-1))
            compiled.accumulate(walk)
        else:
            fill_with_normals(random, walk.reshape(-1))
            before = walk[0]
            for row in walk[1:]:  # cumsum along the first axis would take five times as long
                np.add(row, before, row)
                before = row
        walk *= step_deviation
        yield walk


def exponential_sums(
    task: Task, motions: Float32Array, volatility: float, weights: FloatArray
) -> FloatArray:
    """Sums over steps of weights x exp(volatility x motion), (n_rows, n_paths).

    What exp differs by from 1 is summed, as float32 has more digits for that.
    """
    rows = weights.astype(np.float32)
    if compiled := _loops(task):
        sums = np.zeros((len(weights), motions.shape[1]))
        compiled.growth_sums(motions, np.float32(volatility), rows, sums)
    else:
        growth = motions * np.float32(volatility)
        np.exp(growth, out=growth)
        growth -= np.float32(1.0)
        sums = product(rows, growth)
    sums += weights.sum(axis=1)[:, None]
    return sums


def product(weights: Float32Array, values: Float32Array) -> FloatArray:
    """The matrix product of (n_rows, n_steps) and (n_steps, n_paths): float32, totals in float64.

    Its bits don't depend on how many threads BLAS may use.
    """
    n_steps, n_paths = values.shape
    totals = np.zeros((n_paths // PATHS_PER_PIECE, len(weights), PATHS_PER_PIECE))
    for first in range(0, n_steps, STEPS_PER_PIECE):
        steps = slice(first, first + STEPS_PER_PIECE)
        pieces = values[steps].reshape(-1, n_paths // PATHS_PER_PIECE, PATHS_PER_PIECE)
        for row in range(0, len(weights), ROWS_PER_PIECE):
            rows = slice(row, row + ROWS_PER_PIECE)
            totals[:, rows] += weights[rows, steps] @ pieces.transpose(1, 0, 2)
    result: FloatArray = totals.transpose(1, 0, 2).reshape(len(weights), n_paths)
    return result


def mean(values: Float32Array) -> FloatArray:
    """Over the steps, of each path."""
    result: FloatArray = product(np.ones((1, len(values)), np.float32), values)[0] / len(values)
    return result


def fixing_years(task: Task) -> FloatArray:
    n = task["n_fixings"]
    return task["maturity_years"] * np.arange(1, n + 1, dtype=np.float64) / n


def _loops(task: Task) -> Loops | None:
    return loops() if task["kernel"] == "numba" else None

"""The Asian leg of a block: integrals over the mean driver, less control variates.

All strikes and volatilities use the same remainders B of the paths, and what their integrals vary
by is nearly a polynomial of three numbers of each B, whose expectations are known.
"""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .normals import Float32Array, FloatArray
from .paths import mean, product, walks
from .preintegration import Driver, Slice, integrate, make_slice
from .task import Task

PILOT_BLOCKS = 4
N_CONTROLS = 9


def asian_leg(task: Task, random: np.random.Generator) -> FloatArray:
    """Means over a block's paths of the integrals less the controls, (n_strikes, n_volatilities).

    The controls' coefficients are fixed before, so that they cost no bias.
    """
    plan = _plan(_key(task))
    leg = np.zeros((len(task["strikes"]), len(task["volatilities"])))
    surplus, n_paths = np.zeros(N_CONTROLS), 0
    for motions in _bridges(plan.driver, task, random):
        controls = _controls(plan.driver, motions)
        surplus += controls.sum(axis=1) - motions.shape[1] * plan.expected
        n_paths += motions.shape[1]
        for i, part in enumerate(plan.slices):
            found = integrate(task, part, motions)
            leg[part.active, i] += found.sum(axis=1)
    leg -= np.einsum("k,ksv->sv", surplus, plan.betas)
    leg /= n_paths
    return leg


@dataclass(frozen=True)
class Plan:
    """What all blocks of a task have in common."""

    driver: Driver
    slices: list[Slice]
    expected: FloatArray  # of the controls, (N_CONTROLS,)
    betas: FloatArray  # (N_CONTROLS, n_strikes, n_volatilities)


def _key(task: Task) -> str:
    return json.dumps(task, sort_keys=True)


@functools.lru_cache(maxsize=2)
def _plan(key: str) -> Plan:
    task: Task = json.loads(key)
    driver = Driver.of(task)
    slices = [make_slice(task, driver, volatility) for volatility in task["volatilities"]]
    expected = _expected_controls(driver)
    return Plan(driver, slices, expected, _regress(task, driver, slices, expected))


def _bridges(driver: Driver, task: Task, random: np.random.Generator) -> Iterator[Float32Array]:
    """B of a block's paths, (n_fixings, n_paths), in batches, each overwritten by the next one."""
    on_mean = (driver.on_mean / driver.deviation).astype(np.float32)[:, None]
    for walk in walks(task, random):
        walk -= on_mean * mean(walk).astype(np.float32)
        yield walk


def _linear_weights(driver: Driver) -> FloatArray:
    """Of B, for the two linear controls: what multiplies z, and the drift, in the exponents."""
    result: FloatArray = np.stack([driver.on_mean, driver.years]) / driver.years.size
    return result


def _controls(driver: Driver, motions: Float32Array) -> FloatArray:
    """The mean of B squared, two weighted means of B, and all their squares and products."""
    first, second = product(_linear_weights(driver).astype(np.float32), motions)
    square = mean(motions * motions)
    one = np.stack([square, first, second])
    pairs = [one[i] * one[j] for i in range(3) for j in range(i, 3)]
    return np.concatenate([one, np.stack(pairs)])


def _expected_controls(driver: Driver) -> FloatArray:
    """The controls' expectations, from B's covariance matrix C: E[B'B] is its trace, and so on."""
    n, years, on_mean = driver.years.size, driver.years, driver.on_mean
    trace = (years - on_mean**2).sum()
    # The trace of C C, where C is min(t, t') less the product of on_mean
    later = np.arange(n, 0, -1)
    of_walk = (years**2 * (2 * later - 1)).sum()
    walk_on_mean = np.cumsum(np.cumsum(on_mean[::-1])[::-1]) * years[0]
    trace_of_square = of_walk - 2 * on_mean @ walk_on_mean + (on_mean @ on_mean) ** 2
    first, second = _linear_weights(driver)
    square_square = (trace**2 + 2 * trace_of_square) / n**2
    covariances = [
        w @ driver.covary(v) for w, v in ((first, first), (first, second), (second, second))
    ]
    return np.array([trace / n, 0.0, 0.0, square_square, 0.0, 0.0, *covariances])


def _regress(task: Task, driver: Driver, slices: list[Slice], expected: FloatArray) -> FloatArray:
    """The controls' coefficients, from paths of their own."""
    gram = np.zeros((N_CONTROLS + 1, N_CONTROLS + 1))
    products = np.zeros((N_CONTROLS + 1, len(task["strikes"]), len(slices)))
    for block in range(PILOT_BLOCKS):
        sequence = np.random.SeedSequence(task["seed"], spawn_key=(block, 1))
        random = np.random.Generator(np.random.SFC64(sequence))
        for motions in _bridges(driver, task, random):
            centred = _controls(driver, motions) - expected[:, None]
            regressors = np.concatenate([np.ones((1, motions.shape[1])), centred])
            gram += np.einsum("kp,lp->kl", regressors, regressors)
            for i, part in enumerate(slices):
                found = integrate(task, part, motions)
                products[:, part.active, i] += np.einsum("kp,sp->ks", regressors, found)
    scale = np.sqrt(np.maximum(np.diag(gram), np.finfo(np.float64).tiny))
    # With two fixings the controls depend on each other, with one there is no B at all.
    inverse = np.linalg.pinv(gram / np.outer(scale, scale), rcond=1e-9, hermitian=True)
    betas: FloatArray = np.einsum("kl,lsv->ksv", inverse / np.outer(scale, scale), products)[1:]
    return betas

"""Asian options with the mean driver integrated out, which is most of what their price depends on.

W, the asset's Brownian motion at the fixings, is a z + B: z is its mean over the fixings, in units
of that mean's standard deviation, and B is independent of z. The average price A grows with z, so
given B the payoff is integrated over z, by a quadrature between two bounds. The upper one is where
the geometric average equals the strike: what lies above has a formula, closed_form.curran_part. The
lower one is where A does. (Griewank, Kuo, Leövey, Sloan, High dimensional integration of kinks and
jumps - smoothing by preintegration, J. Comput. Appl. Math. 344, 2018; Curran 1994.)
"""

import math
from dataclasses import dataclass

import numpy as np

from .normals import Float32Array, FloatArray
from .paths import exponential_sums, fixing_years
from .task import Task

FARTHEST = 8.0  # z beyond has a probability of 1e-15
TINY = np.float32(1e-30)
ACCURACY = 8.0  # of the series, as a logarithm


@dataclass(frozen=True)
class Driver:
    """How the fixings depend on z: W = on_mean x z + B; `deviation` is the mean's, per z."""

    years: FloatArray
    on_mean: FloatArray
    deviation: float

    @classmethod
    def of(cls, task: Task) -> "Driver":
        n, years = task["n_fixings"], fixing_years(task)
        variance = task["maturity_years"] * (n + 1) * (2 * n + 1) / (6 * n**2)
        covariance = years * (2 * n + 1 - np.arange(1, n + 1)) / (2 * n)  # of W with its mean
        return cls(years, covariance / math.sqrt(variance), math.sqrt(variance))

    def covary(self, weights: FloatArray) -> FloatArray:
        """The covariance matrix of B, times weights: that of W is the earlier of two dates."""
        later = np.cumsum(weights[::-1])[::-1]  # sums over this and later fixings
        of_walk = np.cumsum(later) * self.years[0]
        result: FloatArray = of_walk - self.on_mean * (self.on_mean @ weights)
        return result


@dataclass(frozen=True)
class Slice:
    """What one volatility's integrals need, for the strikes whose integral is not zero.

    `weights` sum A / G of exp(volatility x B) at some points of z, where G is the geometric
    average. `local` makes of the logarithms there, for each strike, the coefficients of a Chebyshev
    series, whose t = -1 is `upper` and t = 1 is `reach` below it; (n_terms, n_active, n_points).
    """

    volatility: float
    strikes: FloatArray
    active: "np.ndarray[tuple[int], np.dtype[np.bool_]]"  # of all strikes
    upper: Float32Array  # bound of z, (n_active, 1)
    missing: Float32Array  # what log G lacks there to the strike's log; 0 but for far strikes
    log_g: Float32Array  # what it changes by along half the reach
    reach: Float32Array  # upper less the lower bound is not larger, but for one path in millions
    weights: FloatArray
    local: Float32Array
    n_chords: int
    nodes: list[tuple[float, float]]  # of the quadrature on 0 to 1, with weights


def make_slice(task: Task, driver: Driver, volatility: float) -> Slice:
    """Decide which strikes have an integral, over which z, and on how many points."""
    strikes, slope = np.array(task["strikes"]), volatility * driver.deviation
    drift = task["carry"] - volatility**2 / 2
    threshold = (np.log(strikes) - drift * driver.years.mean()) / slope

    def log_weights(z: FloatArray) -> FloatArray:
        spread = np.outer(z, volatility * (driver.on_mean - driver.deviation))
        result: FloatArray = drift * (driver.years - driver.years.mean()) + spread
        return result

    near = np.clip([threshold.min(), threshold.max()], -FARTHEST, FARTHEST)
    without_path = np.log(np.exp(log_weights(near)).mean(axis=1)).max() / slope
    reach = without_path + 3.0 * volatility * math.sqrt(task["maturity_years"])
    active = (threshold > -FARTHEST) & (threshold < FARTHEST + reach)
    upper = np.minimum(threshold[active], FARTHEST)
    high = upper.max(initial=-FARTHEST)
    low = max(upper.min(initial=FARTHEST) - reach, -FARTHEST - 1e-3)
    exponents = volatility * float(np.ptp(driver.on_mean))  # of A / G, by z
    points, transform = _chebyshev(low, high, _n_terms(exponents * (high - low)))
    reaches = np.minimum(reach, upper - low)
    n_terms = min(_n_terms(exponents * reach), len(points))
    local = [
        _interpolate(low, high, transform, bound - depth, bound, n_terms)
        for bound, depth in zip(upper, reaches, strict=True)
    ]
    nodes, weights = np.polynomial.legendre.leggauss(2 + math.ceil(min(reach, 2 * FARTHEST) / 2))
    return Slice(
        volatility,
        strikes[active],
        active,
        upper.astype(np.float32)[:, None],
        (slope * (upper - threshold[active])).astype(np.float32)[:, None],
        (slope * reaches / 2).astype(np.float32)[:, None],
        reaches.astype(np.float32)[:, None],
        np.exp(log_weights(points)) / task["n_fixings"],
        np.array(local, np.float32).reshape(-1, n_terms, len(points)).transpose(1, 0, 2),
        1 if reach < 2 else 8 if reach < 6 else 24,
        list(zip(((nodes + 1) / 2).tolist(), (weights / 2).tolist(), strict=True)),
    )


def _n_terms(exponents: float) -> int:
    """How many terms of a series log(A / G) needs, where exponents of A differ by so much.

    It is analytic but for the zeros of A, which lie pi / exponents of the interval away at least.
    """
    return min(200, 3 + math.floor(ACCURACY / math.asinh(math.pi / max(exponents, 1e-3))))


def _chebyshev(low: float, high: float, n: int) -> tuple[FloatArray, FloatArray]:
    """Points from high to low; and what makes a series' coefficients of the values there."""
    angles = math.pi * (np.arange(n) + 0.5) / n
    transform = np.cos(np.outer(np.arange(n), angles)) * (2 / n)
    transform[0] /= 2
    return (high + low) / 2 + (high - low) / 2 * np.cos(angles), transform


def _interpolate(
    low: float, high: float, transform: FloatArray, bottom: float, top: float, n: int
) -> FloatArray:
    """From values at the points between low and high to the n coefficients of a part of it.

    The part's series begins at the top: t is -1 there.
    """
    points, inner = _chebyshev(bottom, top, n)
    t = np.clip((2 * points - high - low) / max(high - low, 1e-300), -1.0, 1.0)
    at_points = np.cos(np.outer(np.arccos(t), np.arange(len(transform))))
    signs = (-1.0) ** np.arange(n)  # t runs the other way
    result: FloatArray = signs[:, None] * np.einsum(
        "kq,ql,lp->kp", inner, at_points, transform, optimize=False
    )
    return result


def integrate(task: Task, part: Slice, motions: Float32Array) -> FloatArray:
    """For each strike that is active, and each path B: the integral, (n_active, n_paths)."""
    ratios = exponential_sums(task, motions, part.volatility, part.weights)
    # No arithmetic average is below the geometric one, but for rounding far out
    logarithms = np.log(np.maximum(ratios, 1.0))
    series = np.einsum("ksm,mp->ksp", part.local, logarithms.astype(np.float32))
    series[0] += part.missing - part.log_g
    series[1] -= part.log_g

    # The lower bound, by chords from the upper one: log A is nearly linear
    at_upper = np.maximum(_sum_series(series, np.zeros((len(part.strikes), 1), np.float32)), TINY)
    depth = at_upper / part.log_g
    for _ in range(part.n_chords):
        np.clip(depth, 0.0, 2.0, out=depth)
        depth *= at_upper / np.maximum(at_upper - _sum_series(series, depth), TINY)
    np.clip(depth, 0.0, 2.0, out=depth)

    total = np.zeros(depth.shape)
    for node, weight in part.nodes:
        at = depth * np.float32(node)
        # float64, as float32's exp is off by a few 1e-9 here, always to the same side
        gain = np.exp(_sum_series(series, at), dtype=np.float64)
        gain -= 1.0
        at *= part.reach / 2
        at -= part.upper
        at *= at
        at *= np.float32(-0.5)
        gain *= np.exp(at, out=at)
        gain *= weight
        total += gain
    total *= depth
    total *= part.reach * part.strikes[:, None] / math.sqrt(8 * math.pi)
    return total


def _sum_series(series: Float32Array, depth: Float32Array) -> Float32Array:
    """Chebyshev series at t = depth - 1, by Clenshaw's recurrence."""
    t = depth - np.float32(1.0)
    twice = t + t
    last, now = series[-1], twice * series[-1]
    now += series[-2]
    for row in series[-3:0:-1]:
        following = twice * now
        following -= last
        following += row
        last, now = now, following
    result: Float32Array = t * now
    result -= last
    result += series[0]
    return result

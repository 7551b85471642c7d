"""From textbook.py to the fast pricer in three steps, each a function that can be read at once.

1. `share_the_paths`: one set of paths for all strikes and volatilities.
2. `control_variate`: the geometric average, whose price has a formula, takes most of the noise.
3. `integrate_the_mean_driver_out`: what the price depends on most is integrated, not drawn.

Each prices Asian calls for all strikes and volatilities, and returns prices and standard errors of
shape (n_strikes, n_volatilities). They are plain float64; what the package does beyond is in
paths.py (float32), preintegration.py (a root and a quadrature, controls) and block.py.
"""

import math

import numpy as np

from .closed_form import carry, curran_parts, fixing_years, geometric_asian, mean_variance
from .model import FloatArray, Model

Prices = tuple[FloatArray, FloatArray]


def brownian_motions(model: Model, n_paths: int, seed: int) -> FloatArray:
    """W at the fixings, (n_fixings, n_paths)."""
    steps = np.random.default_rng(seed).standard_normal((model.n_fixings, n_paths))
    steps *= math.sqrt(model.maturity_years / model.n_fixings)
    return np.cumsum(steps, axis=0)


def share_the_paths(
    model: Model, strikes: FloatArray, volatilities: FloatArray, n_paths: int, seed: int = 0
) -> Prices:
    """The normals are most of the work, and the same ones do for every cell."""
    motions, years = brownian_motions(model, n_paths, seed), fixing_years(model)[:, None]
    payoffs = np.empty((strikes.size, volatilities.size, n_paths))
    for i, volatility in enumerate(volatilities):
        drift = (carry(model) - volatility**2 / 2) * years
        average = model.spot * np.exp(drift + volatility * motions).mean(axis=0)
        payoffs[:, i] = np.maximum(average - strikes[:, None], 0)
    return _mean(model, payoffs)


def control_variate(
    model: Model, strikes: FloatArray, volatilities: FloatArray, n_paths: int, seed: int = 0
) -> Prices:
    """Only how much more the arithmetic average pays than the geometric one is simulated."""
    motions, years = brownian_motions(model, n_paths, seed), fixing_years(model)[:, None]
    payoffs = np.empty((strikes.size, volatilities.size, n_paths))
    for i, volatility in enumerate(volatilities):
        logarithms = (carry(model) - volatility**2 / 2) * years + volatility * motions
        average = model.spot * np.exp(logarithms).mean(axis=0)
        geometric = model.spot * np.exp(logarithms.mean(axis=0))
        payoffs[:, i] = np.maximum(average - strikes[:, None], 0)
        payoffs[:, i] -= np.maximum(geometric - strikes[:, None], 0)
    prices, errors = _mean(model, payoffs)
    return prices + geometric_asian(model, strikes, volatilities)[0], errors


def integrate_the_mean_driver_out(
    model: Model, strikes: FloatArray, volatilities: FloatArray, n_paths: int, seed: int = 0
) -> Prices:
    """W = z x (how it varies with its mean) + B: z is summed over, and only B is drawn.

    Where the geometric average exceeds the strike there is a formula (Curran's). What lies below,
    in `depth` from there, is a sum for each B; here is no thought of speed.
    """
    motions, years = brownian_motions(model, n_paths, seed), fixing_years(model)[:, None]
    deviation = math.sqrt(mean_variance(model))
    on_mean = np.minimum(years, years.T).mean(axis=1, keepdims=True) / deviation
    rest = motions - on_mean * motions.mean(axis=0) / deviation  # B
    root = (np.arange(60) + 0.5) / 60
    depth, spacing = 4 * root**2, 8 * root / 60
    payoffs = np.zeros((strikes.size, volatilities.size, n_paths))
    for i, volatility in enumerate(volatilities):
        drift = (carry(model) - volatility**2 / 2) * years
        growth = np.exp(volatility * rest) / model.n_fixings
        for k, strike in enumerate(strikes):
            threshold = (math.log(strike / model.spot) - drift.mean()) / (volatility * deviation)
            z = threshold - depth
            weights = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * spacing
            average = model.spot * np.exp(drift + volatility * on_mean * z).T @ growth
            payoffs[k, i] = weights @ np.maximum(average - strike, 0)
    prices, errors = _mean(model, payoffs)
    return prices + curran_parts(model, strikes, volatilities)[0], errors


def _mean(model: Model, payoffs: FloatArray) -> Prices:
    n_paths = payoffs.shape[-1]
    errors = payoffs.std(axis=-1) / math.sqrt(n_paths)
    return model.discount * payoffs.mean(axis=-1), model.discount * errors

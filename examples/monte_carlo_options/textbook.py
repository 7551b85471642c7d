"""One option by plain Monte Carlo, as a textbook has it; three_steps.py makes it fast.

The arithmetic is that of IPython's and ipyparallel's example since 2009, of which all this
descends, with three things mended: a maturity, a seed (of numpy's newer, faster generator), and
standard errors.
"""

import numpy as np


def price_option(
    spot: float = 100.0,
    strike: float = 100.0,
    volatility: float = 0.25,
    rate: float = 0.05,
    maturity_years: float = 1.0,
    n_fixings: int = 260,
    n_paths: int = 10_000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """By payoff: price and standard error; the average is over the prices at the fixings."""
    random = np.random.default_rng(seed)
    step_years = maturity_years / n_fixings
    drift = (rate - volatility**2 / 2) * step_years
    price, total = np.full(n_paths, float(spot)), np.zeros(n_paths)
    for _ in range(n_fixings):
        normals = random.standard_normal(n_paths)
        price *= np.exp(drift + volatility * np.sqrt(step_years) * normals)
        total += price
    payoffs = {
        "european_call": np.maximum(price - strike, 0),
        "european_put": np.maximum(strike - price, 0),
        "asian_call": np.maximum(total / n_fixings - strike, 0),
        "asian_put": np.maximum(strike - total / n_fixings, 0),
    }
    discount = np.exp(-rate * maturity_years)
    return {
        name: (float(discount * payoff.mean()), float(discount * payoff.std() / np.sqrt(n_paths)))
        for name, payoff in payoffs.items()
    }

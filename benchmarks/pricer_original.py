"""The function that the pricer is compared with, as in IPython's and ipyparallel's documentation.

Its arithmetic is that of the original, line for line: one option, fresh normals for each step.
"""

from math import exp, sqrt

import numpy as np


def price_option(
    spot: float = 100.0,
    strike: float = 100.0,
    sigma: float = 0.25,
    rate: float = 0.05,
    days: int = 260,
    paths: int = 10000,
) -> tuple[float, float, float, float]:
    """European call and put, Asian call and put."""
    h = 1.0 / days
    const1 = exp((rate - 0.5 * sigma**2) * h)
    const2 = sigma * sqrt(h)
    stock_price = spot * np.ones(paths, dtype="float64")
    stock_price_sum = np.zeros(paths, dtype="float64")
    for _ in range(days):
        growth_factor = const1 * np.exp(const2 * np.random.standard_normal(paths))
        stock_price = stock_price * growth_factor
        stock_price_sum = stock_price_sum + stock_price
    average_price = stock_price_sum / days
    zeros = np.zeros(paths, dtype="float64")
    r_factor = exp(-rate * h * days)
    euro_put = r_factor * np.mean(np.maximum(zeros, strike - stock_price))
    asian_put = r_factor * np.mean(np.maximum(zeros, strike - average_price))
    euro_call = r_factor * np.mean(np.maximum(zeros, stock_price - strike))
    asian_call = r_factor * np.mean(np.maximum(zeros, average_price - strike))
    return (float(euro_call), float(euro_put), float(asian_call), float(asian_put))

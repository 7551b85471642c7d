"""What is known without simulation: the formulas that the estimates are built on and checked by.

All prices are today's, of shape (n_strikes, n_volatilities), in the currency of the spot; strikes
and volatilities are arrays as `model.grid_axis` returns them.

S is the asset's price, W its Brownian motion; M is the mean of W over the fixings. The geometric
average of S is the exponential of a multiple of M and a drift, so its options are as easy as
European ones.
"""

import math

import numpy as np

from .model import FloatArray, Model, Numbers, grid_axis

_erfc = np.vectorize(math.erfc, otypes=[float])


def _normal_cdf(x: FloatArray) -> FloatArray:
    result: FloatArray = _erfc(x / -math.sqrt(2.0)) / 2.0
    return result


def black_scholes(
    model: Model, strikes: Numbers, volatilities: Numbers
) -> tuple[FloatArray, FloatArray]:
    """Prices of the European call and put.

    Merton's formula with a continuous dividend yield (Theory of Rational Option Pricing, 1973).
    At volatility zero the option is worth its discounted payoff at the forward. Raises ValueError
    for an impossible strike or volatility.
    """
    strike = grid_axis("strikes", strikes)[:, None]
    volatility = grid_axis("volatilities", volatilities, zero_allowed=True)[None, :]
    return lognormal(model, strike, forward(model), volatility * math.sqrt(model.maturity_years))


def geometric_asian(
    model: Model, strikes: FloatArray, volatilities: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Prices of the call and put on the geometric average (Kemna and Vorst, 1990)."""
    volatility = volatilities[None, :]
    deviation = volatility * math.sqrt(mean_variance(model))
    log_mean = (carry(model) - volatility**2 / 2) * mean_years(model) + deviation**2 / 2
    return lognormal(model, strikes[:, None], model.spot * np.exp(log_mean), deviation)


def lognormal(
    model: Model, strike: FloatArray, expected: FloatArray | float, deviation: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Call and put on a lognormal price of that expectation and standard deviation of its log."""
    # The smallest normal number stands in for zero: d1 and d2 become huge, or zero at the money.
    scale = np.maximum(deviation, np.finfo(np.float64).tiny)
    with np.errstate(over="ignore"):
        d1 = np.log(expected / strike) / scale + deviation / 2
    d2 = d1 - deviation
    call = model.discount * (expected * _normal_cdf(d1) - strike * _normal_cdf(d2))
    put = model.discount * (strike * _normal_cdf(-d2) - expected * _normal_cdf(-d1))
    return call, put


def curran_parts(
    model: Model, strikes: FloatArray, volatilities: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Value of (arithmetic average - strike) where the geometric average exceeds the strike; and
    of (strike - arithmetic average) where it does not.

    The first is nearly all of an Asian call, as the geometric average is a lower bound of the
    arithmetic one (Curran, Valuing Asian and Portfolio Options by Conditioning on the Geometric
    Mean Price, Management Science 40, 1994); the second is more than the put. Volatilities must be
    positive.
    """
    years, deviation = fixing_years(model), math.sqrt(mean_variance(model))
    j = np.arange(1, model.n_fixings + 1)
    # of W at each fixing with M
    covariance = years * (2 * model.n_fixings + 1 - j) / (2 * model.n_fixings)
    growth = np.exp(carry(model) * years) / model.n_fixings
    log_strikes = np.log(strikes / model.spot)
    above, below = np.empty((2, strikes.size, volatilities.size))
    for i, volatility in enumerate(volatilities):
        drift = (carry(model) - volatility**2 / 2) * mean_years(model)
        threshold = (log_strikes - drift) / volatility  # of M
        shifted = (volatility * covariance[:, None] - threshold) / deviation
        for part, sign in ((above, 1.0), (below, -1.0)):
            average = np.einsum("j,jk->k", growth, _normal_cdf(sign * shifted))
            exceeding = _normal_cdf(-sign * threshold / deviation)
            part[:, i] = sign * (model.spot * average - strikes * exceeding)
    return model.discount * above, model.discount * below


def european_beta(model: Model, strikes: FloatArray, volatilities: FloatArray) -> FloatArray:
    """Regression coefficient of the European call's payoff on the terminal price.

    Known, not estimated from the paths, so that it costs no bias. Volatilities must be positive.
    """
    deviation = volatilities[None, :] * math.sqrt(model.maturity_years)
    d1 = np.log(forward(model) / strikes[:, None]) / deviation + deviation / 2
    moneyness = strikes[:, None] / forward(model)
    # Covariance and variance in units of the squared forward; under the measures weighted by the
    # price, and by its square, the log's mean is shifted by one and two variances.
    product = np.exp(deviation**2) * _normal_cdf(d1 + deviation) - moneyness * _normal_cdf(d1)
    payoff = _normal_cdf(d1) - moneyness * _normal_cdf(d1 - deviation)
    # With a tiny volatility rounding would take it out of its bounds.
    result: FloatArray = np.clip((product - payoff) / np.expm1(deviation**2), 0.0, 1.0)
    return result


def european_parity(model: Model, strikes: FloatArray) -> FloatArray:
    """Value of a European call less that of the put, of shape (n_strikes, 1)."""
    return model.discount * (forward(model) - strikes)[:, None]


def asian_parity(model: Model, strikes: FloatArray) -> FloatArray:
    """Value of an Asian call less that of the put, of shape (n_strikes, 1)."""
    average = model.spot * np.exp(carry(model) * fixing_years(model)).mean()
    value: FloatArray = model.discount * (average - strikes)[:, None]
    return value


def carry(model: Model) -> float:
    """What the expected price grows by, per year."""
    return model.rate - model.dividend_yield


def forward(model: Model) -> float:
    """The expected price at maturity."""
    return model.spot * math.exp(carry(model) * model.maturity_years)


def fixing_years(model: Model) -> FloatArray:
    years = model.maturity_years * np.arange(1, model.n_fixings + 1) / model.n_fixings
    return years.astype(np.float64)


def mean_years(model: Model) -> float:
    """The fixings' mean date."""
    return model.maturity_years * (model.n_fixings + 1) / (2 * model.n_fixings)


def mean_variance(model: Model) -> float:
    """The variance of M."""
    n = model.n_fixings
    return model.maturity_years * (n + 1) * (2 * n + 1) / (6 * n**2)

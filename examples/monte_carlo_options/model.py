"""What is priced: the model, the four payoffs, the grid of cells and the closed form.

Every impossible value is refused here, with its name and the value, before any work starts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Numbers = float | Sequence[float] | FloatArray

PAYOFFS = ("european_call", "european_put", "asian_call", "asian_put")
"""Names of the four prices, in the order in which the engines return their sums."""

# Small enough for a step's arrays to stay in a core's L2 cache, large enough for numpy's cost per
# call not to matter. A change is a change of results: other paths get other random numbers.
PATHS_PER_BLOCK = 4096

_normal_cdf = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0)), otypes=[float])


@dataclass(frozen=True)
class Model:
    """Black-Scholes dynamics of one asset, and the dates of the options on it.

    `rate` and `dividend_yield` are continuously compounded, per year (0.05 is 5 % a year).
    The average of the Asian options is the arithmetic mean of the asset's price at `n_fixings`
    equally spaced dates, the last at maturity; the price today is not among them.

    Raises ValueError, naming the parameter, for a value that is not finite or impossible.
    """

    spot: float = 100.0
    rate: float = 0.05
    dividend_yield: float = 0.0
    maturity_years: float = 1.0
    n_fixings: int = 260

    def __post_init__(self) -> None:
        for name in ("spot", "rate", "dividend_yield", "maturity_years"):
            object.__setattr__(self, name, _finite(name, getattr(self, name)))
        for name in ("spot", "maturity_years"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)!r}")
        object.__setattr__(self, "n_fixings", whole_number("n_fixings", self.n_fixings, least=1))

    @property
    def discount(self) -> float:
        """Value today of 1 paid at maturity."""
        return math.exp(-self.rate * self.maturity_years)


def _finite(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value!r}")
    return float(value)


def whole_number(name: str, value: float, least: int) -> int:
    """`value` as an int; 1e5 is welcome. Raises ValueError if it is below `least` or not whole."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or value % 1 != 0 or value < least:  # infinity % 1 and nan % 1 are nan
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return int(value)


def grid_axis(name: str, values: Numbers, *, zero_allowed: bool = False) -> FloatArray:
    """`values` as a one-dimensional array of float64 (a single number makes an axis of one).

    Raises ValueError if there is none, or if any is not finite, negative, or zero where zero is
    not allowed.
    """
    try:
        axis = np.atleast_1d(np.array(values, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers, not {values!r}") from error
    if axis.ndim != 1 or axis.size == 0:
        raise ValueError(f"{name} must be a non-empty list of numbers, not {values!r}")
    bad = axis[~np.isfinite(axis) | (axis < 0) | (not zero_allowed and axis == 0)]
    if bad.size:
        kind = "finite and not negative" if zero_allowed else "finite and positive"
        raise ValueError(f"{name} must be {kind}; {float(bad[0])!r} is not")
    return axis


def black_scholes(
    model: Model, strikes: Numbers, volatilities: Numbers
) -> tuple[FloatArray, FloatArray]:
    """Closed-form prices of the European call and put, each of shape (n_strikes, n_volatilities).

    Merton's formula with a continuous dividend yield (Theory of Rational Option Pricing, 1973).
    `volatilities` are per square root of a year (0.25 is 25 %); at zero the option is worth its
    discounted payoff at the forward. Raises ValueError for an impossible strike or volatility.
    """
    strike = grid_axis("strikes", strikes)[:, None]
    volatility = grid_axis("volatilities", volatilities, zero_allowed=True)[None, :]
    forward = model.spot * math.exp((model.rate - model.dividend_yield) * model.maturity_years)
    deviation = volatility * math.sqrt(model.maturity_years)
    # The smallest normal number stands in for zero: d1 and d2 become huge, or zero at the money.
    scale = np.maximum(deviation, np.finfo(np.float64).tiny)
    with np.errstate(over="ignore"):
        d1 = np.log(forward / strike) / scale + deviation / 2
    d2 = d1 - deviation
    call = model.discount * (forward * _normal_cdf(d1) - strike * _normal_cdf(d2))
    put = model.discount * (strike * _normal_cdf(-d2) - forward * _normal_cdf(-d1))
    return call, put

"""What is priced: the model, the four payoffs, the grid of cells.

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
"""Names of the four prices, in the order of all tables."""

MOST_FIXINGS = 10_000  # of which float32 paths are right, and fit a core's cache nearly
# The engines work with float32, which ends at exp(88); and long before, hardly any path decides
# the price.
LARGEST_EXPONENT = 80.0
WIDEST_NORMAL = 7.0


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
            positive_number(name, getattr(self, name))
        object.__setattr__(self, "n_fixings", whole_number("n_fixings", self.n_fixings, least=1))
        if self.n_fixings > MOST_FIXINGS:
            raise ValueError(f"n_fixings must be at most {MOST_FIXINGS}, not {self.n_fixings}")

    @property
    def discount(self) -> float:
        """Value today of 1 paid at maturity."""
        return math.exp(-self.rate * self.maturity_years)


def _finite(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value!r}")
    return float(value)


def positive_number(name: str, value: object) -> float:
    """`value` as a float. Raises ValueError if it is not finite and positive."""
    number = _finite(name, value)
    if number <= 0:
        raise ValueError(f"{name} must be positive, not {value!r}")
    return number


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


def check_range(model: Model, strikes: FloatArray, volatilities: FloatArray) -> None:
    """Raises ValueError, naming the parameter, for what is finite but beyond the arithmetic."""
    years = model.maturity_years
    drift = (model.rate - model.dividend_yield) * years
    if abs(drift) > LARGEST_EXPONENT / 2 or abs(model.rate * years) > LARGEST_EXPONENT / 2:
        raise ValueError(
            f"rate or dividend_yield: {max(model.rate, abs(drift) / years):g} a year over "
            f"{years:g} years is beyond the arithmetic"
        )
    largest = float(volatilities.max())
    deviation = largest * math.sqrt(years)
    if WIDEST_NORMAL * deviation + deviation**2 / 2 > LARGEST_EXPONENT / 2:
        raise ValueError(
            f"volatilities: {largest:g} over {years:g} years is beyond what paths can price"
        )
    for strike in strikes:
        if not 1e-9 <= strike / model.spot <= 1e9:
            raise ValueError(f"strikes: {strike:g} is too far from the spot, {model.spot:g}")

"""From the blocks' moments to prices, and what is known without any path."""

import math
from statistics import NormalDist

import numpy as np

from .block import Moments
from .closed_form import (
    asian_parity,
    black_scholes,
    carry,
    curran_parts,
    european_parity,
    fixing_years,
    geometric_asian,
)
from .model import FloatArray, Model


class Estimator:
    """Turns moments into prices; the closed forms that this needs are computed once."""

    def __init__(
        self, model: Model, strikes: FloatArray, volatilities: FloatArray, method: str
    ) -> None:
        self._method = method
        self._scale = model.spot * model.discount
        self._parities = np.stack([european_parity(model, strikes), asian_parity(model, strikes)])
        self._known = np.zeros((2, strikes.size, volatilities.size))
        if method == "control":
            self._known[1], _ = geometric_asian(model, strikes, volatilities)
        elif method == "preintegration":
            above, below = curran_parts(model, strikes, volatilities)
            self._known[1] = np.where(self._parities[1] > 0, below, above)

    def prices(self, moments: Moments) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Prices, standard errors, and those of the next strike's price less this one's.

        Each of shape (4, n_strikes, n_volatilities). The errors come from the spread between
        blocks, which are independent; within a block paths are not. Raises OverflowError if a price
        is beyond a float.
        """
        n = moments.n_blocks
        legs, _ = np.split(self._scale * moments.mean, 2)
        errors, differences = np.split(self._scale * np.sqrt(moments.squares / (n * (n - 1))), 2)
        if self._method != "plain":
            legs = np.stack(
                [
                    leg + gain
                    for leg, parity in zip(self._known + legs, self._parities, strict=True)
                    for gain in self._gains(parity)
                ]
            )
            errors, differences = errors[[0, 0, 1, 1]], differences[[0, 0, 1, 1]]
        if not (np.isfinite(legs).all() and np.isfinite(errors).all()):
            raise OverflowError("a price is beyond a float: check spot, rate, maturity, strikes")
        return legs, errors, differences

    def _gains(self, parity: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What a leg lacks of the call and of the put, of which one is what was estimated.

        That is the call, or with "preintegration" the one that is out of the money: so no price is
        the small difference of large numbers.
        """
        if self._method == "control":
            return np.zeros_like(parity), -parity
        return np.maximum(parity, 0.0), np.maximum(-parity, 0.0)


def without_volatility(model: Model, strikes: FloatArray) -> FloatArray:
    """The four prices at volatility zero, where there is one path; shape (4, n_strikes, 1)."""
    european = black_scholes(model, strikes, 0.0)
    average = model.spot * np.exp(carry(model) * fixing_years(model)).mean()
    gain = model.discount * (average - strikes)[:, None]
    return np.stack([*european, np.maximum(gain, 0.0), np.maximum(-gain, 0.0)])


def student_quantile(probability: float, degrees: int) -> float:
    """Of Student's distribution (Abramowitz and Stegun 26.7.5); to 0.002 from 7 degrees on."""
    x = NormalDist().inv_cdf(probability)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + math.fsum(term / degrees**power for power, term in enumerate(terms, start=1))

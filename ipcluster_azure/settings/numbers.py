"""Traits for numbers: finite, within bounds that each of them has, and neither True nor False.

traitlets' own take NaN, for which every comparison is false, so that a limit of NaN is none; take
infinity, which no date and no JSON can express; and take True for 1.
"""

from numbers import Integral, Real
from typing import Any

from traitlets import Float, Integer


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


class BoundedFloat(Float[float, Any]):
    """A number from `min` to `max`. Minus zero becomes zero, which means "off" in most settings."""

    min: float
    max: float

    def __init__(self, default_value: float, *, min: float, max: float, **more: Any) -> None:
        super().__init__(default_value, min=min, max=max, **more)

    def validate(self, obj: Any, value: Any) -> float:
        # in this order: a whole number of 400 digits can be compared, but is no float
        if not _is_number(value, Real) or not self.min <= value <= self.max:
            self.error(obj, value)
        return float(value) + 0.0

    def info(self) -> str:
        return f"a number from {self.min:,.10g} to {self.max:,.10g}"


class BoundedInteger(Integer[int, Any]):
    """A whole number from `min` to `max`."""

    min: int
    max: int

    def __init__(self, default_value: int, *, min: int, max: int, **more: Any) -> None:
        super().__init__(default_value, min=min, max=max, **more)

    def validate(self, obj: Any, value: Any) -> int:
        if not _is_number(value, Integral) or not self.min <= value <= self.max:
            self.error(obj, value)
        return int(value)

    def info(self) -> str:
        return f"a whole number from {self.min:,} to {self.max:,}"

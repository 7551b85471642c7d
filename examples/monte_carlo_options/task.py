"""What an engine is told."""

from typing import TypedDict


class Task(TypedDict):
    """All that the prices depend on, as plain values."""

    method: str  # of METHODS
    kernel: str  # of paths.KERNELS
    seed: int
    carry: float  # per year
    maturity_years: float
    n_fixings: int
    strikes: list[float]  # in units of the spot
    volatilities: list[float]  # positive, per square root of a year
    betas: list[list[float]]  # for each cell, see _control; empty for other methods

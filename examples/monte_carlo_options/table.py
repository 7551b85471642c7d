"""The prices with their standard errors as text, as CSV, and as NPZ."""

import csv
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .model import PAYOFFS, FloatArray
from .surface import ROUNDING, Surface

_COLUMN = 24
_MOST_DECIMALS = 8


def decimals(values: FloatArray) -> int:
    """How many of them, at least 2, show the values as they are, or else tell them apart."""
    for number in range(2, _MOST_DECIMALS):
        if np.allclose(np.round(values, number), values, rtol=1e-12, atol=0):
            return number
    for number in range(2, _MOST_DECIMALS):
        rounded = np.round(values, number)
        if np.unique(rounded).size == values.size and np.allclose(rounded, values, rtol=1e-4):
            return number
    return _MOST_DECIMALS


def format_table(surface: Surface) -> str:
    """Aligned text: one line per cell, each price followed by its standard error."""
    model = surface.model
    titles = "".join(f"{name.replace('_', ' '):>{_COLUMN}}" for name in PAYOFFS)
    strike_decimals, percent_decimals = (
        decimals(values) for values in (surface.strikes, 100 * surface.volatilities)
    )
    lines = [
        f"spot {model.spot:g}, rate {model.rate:.2%}, dividend yield {model.dividend_yield:.2%}, "
        f"maturity {model.maturity_years:g} years, {model.n_fixings} fixings",
        f"method {surface.method}, {surface.n_paths:,} paths shared by all cells, "
        f"seed {surface.seed}; price ± standard error",
        "",
        f"{'strike':>9}{'volatility':>12}{titles}",
    ]
    for i, strike in enumerate(surface.strikes):
        for j, volatility in enumerate(surface.volatilities):
            cells = "".join(
                f"{surface.prices[name][i, j]:{_COLUMN - 10}.6f} ± "
                f"{surface.standard_errors[name][i, j]:.1e}"
                for name in PAYOFFS
            )
            lines.append(
                f"{strike:>9.{strike_decimals}f}{volatility:>12.{percent_decimals}%}{cells}"
            )
    deviation = surface.european_deviation()
    origin = ", ".join(surface.arithmetic) or "none: nothing was simulated"
    lines += [
        "",
        f"The largest standard error is {surface.worst_error():.2g}. European prices are within "
        f"{deviation:.1f} half-widths of their 95 % intervals from Black-Scholes.",
        f"Processors' arithmetic: {origin}.",
    ]
    rounding = ROUNDING[surface.method] * model.spot
    if rounding > surface.worst_error() / 1000:
        lines.append(f"float32 paths may shift each price by another {rounding:.0e}.")
    if len(surface.arithmetic) > 1:
        lines.append("It differs in the last bits: another run would agree to some 1e-6 only.")
    return "\n".join(lines)


def write_csv(surface: Surface, path: Path) -> None:
    """One line per cell with all digits; volatility as a fraction (0.25 is 25 %)."""
    errors = [f"{name}_standard_error" for name in PAYOFFS]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["strike", "volatility", *PAYOFFS, *errors])
        for i, strike in enumerate(surface.strikes.tolist()):
            for j, volatility in enumerate(surface.volatilities.tolist()):
                prices = [float(surface.prices[name][i, j]) for name in PAYOFFS]
                spreads = [float(surface.standard_errors[name][i, j]) for name in PAYOFFS]
                writer.writerow([strike, volatility, *prices, *spreads])


def write_npz(surface: Surface, path: Path) -> None:
    """All of the surface as arrays; those of prices have strikes as rows, volatilities as columns.

    Their names: strikes, volatilities, each payoff, each payoff_standard_error, each parameter of
    the model, method, n_paths, seed, arithmetic.
    """
    arrays: dict[str, Any] = {
        "strikes": surface.strikes,
        "volatilities": surface.volatilities,
        "method": surface.method,
        "n_paths": surface.n_paths,
        "seed": str(surface.seed),  # it may be longer than 64 bits
        "arithmetic": np.array(surface.arithmetic, dtype=np.str_),
        **asdict(surface.model),
        **surface.prices,
        **{f"{name}_standard_error": surface.standard_errors[name] for name in PAYOFFS},
    }
    np.savez_compressed(path, **arrays)

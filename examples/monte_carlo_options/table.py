"""The prices with their standard errors as text, and as CSV."""

import csv
from pathlib import Path

from .model import PAYOFFS
from .surface import Surface

_COLUMN = 20


def format_table(surface: Surface) -> str:
    """Aligned text: one line per cell, each price followed by its standard error."""
    model = surface.model
    titles = "".join(f"{name.replace('_', ' '):>{_COLUMN}}" for name in PAYOFFS)
    lines = [
        f"spot {model.spot:g}, rate {model.rate:.2%}, dividend yield {model.dividend_yield:.2%}, "
        f"maturity {model.maturity_years:g} years, {model.n_fixings} fixings",
        f"{surface.n_paths:,} paths, shared by all cells, seed {surface.seed}; "
        "price ± standard error",
        "",
        f"{'strike':>9}{'volatility':>12}{titles}",
    ]
    for i, strike in enumerate(surface.strikes):
        for j, volatility in enumerate(surface.volatilities):
            cells = "".join(
                f"{surface.prices[name][i, j]:{_COLUMN - 9}.4f} ± "
                f"{surface.standard_errors[name][i, j]:.4f}"
                for name in PAYOFFS
            )
            lines.append(f"{strike:>9.2f}{volatility:>12.2%}{cells}")
    deviation = surface.european_deviation()
    lines += ["", f"European prices are within {deviation:.1f} standard errors of Black-Scholes."]
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

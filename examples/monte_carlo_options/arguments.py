"""The words of the command line."""

import argparse
from pathlib import Path

import numpy as np

from .block import METHODS
from .model import Model
from .paths import KERNELS


def _axis(text: str) -> list[float]:
    """'90:110:6' (first:last:count, both ends included) or '90,100,110' as numbers."""
    try:
        if ":" not in text:
            return [float(part) for part in text.split(",")]
        first, last, count = text.split(":")
        return [float(value) for value in np.linspace(float(first), float(last), int(count))]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither first:last:count nor numbers with commas"
        ) from None


def make_parser() -> argparse.ArgumentParser:
    default = Model()
    parser = argparse.ArgumentParser(
        prog="python -m ipcluster_azure.examples.monte_carlo_options",
        description="Price European and Asian options on a grid of strikes and volatilities by "
        "Monte Carlo, on the engines of a running cluster. Prints prices with standard errors; all "
        "cells share their paths, so errors of neighbours go together. Money is in the currency of "
        "the spot. Ends with status 3 if a wanted standard error was not reached.",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--profile", default="default", help="IPython profile of the cluster (%(default)s)"
    )
    where.add_argument("--serial", action="store_true", help="work in this process, no cluster")
    add = parser.add_argument
    add(
        "--strikes",
        type=_axis,
        default="90:110:6",
        metavar="AXIS",
        help="first:last:count or a list with commas, in the currency of the spot (%(default)s)",
    )
    add(
        "--vols",
        type=_axis,
        default=".1:.4:5",
        metavar="AXIS",
        help="volatilities, likewise, per square root of a year: .25 is 25 %% (%(default)s)",
    )
    add(
        "--method",
        choices=list(METHODS),
        default="preintegration",
        help="plain: averages of the payoffs; control: the geometric average as control variate; "
        "preintegration: the mean of each path is integrated over, not drawn (%(default)s)",
    )
    add(
        "--kernel",
        choices=list(KERNELS),
        default="numpy",
        help="numba is faster, and compiles for some seconds first; all engines need it "
        "(%(default)s)",
    )
    add(
        "--paths",
        type=float,
        default=1e5,
        help="number of simulated paths, rounded up to blocks of 1024 (%(default)g)",
    )
    add(
        "--standard-error",
        type=float,
        metavar="MONEY",
        help="end as soon as no price's standard error is larger; --paths is then the most",
    )
    add(
        "--fixings",
        type=float,
        default=default.n_fixings,
        help="dates averaged by the Asian options, equally spaced (%(default)s)",
    )
    add(
        "--maturity",
        type=float,
        default=default.maturity_years,
        metavar="YEARS",
        help="time to maturity in years (%(default)s)",
    )
    add(
        "--rate",
        type=float,
        default=default.rate,
        help="interest rate per year, continuously compounded: .05 is 5 %% (%(default)s)",
    )
    add(
        "--dividend-yield",
        type=float,
        default=default.dividend_yield,
        metavar="YIELD",
        help="per year, continuously compounded (%(default)s)",
    )
    add("--spot", type=float, default=default.spot, help="price of the asset today (%(default)s)")
    add("--seed", type=int, default=0, help="the same seed gives the same prices (%(default)s)")
    add(
        "--output",
        type=Path,
        metavar="DIR",
        help="also write prices.csv, prices.npz and plots (PNG) into this folder",
    )
    add(
        "--checkpoint",
        type=Path,
        metavar="DIR",
        help="keep finished blocks in this folder: the same command goes on after an interruption",
    )
    add(
        "--mixed",
        action="store_true",
        help="allow processors that differ in the last bits; the result can't be repeated exactly",
    )
    return parser

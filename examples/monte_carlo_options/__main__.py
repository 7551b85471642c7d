"""Command line: python -m ipcluster_azure.examples.monte_carlo_options --help"""

import argparse
import sys
import time
from pathlib import Path

import ipyparallel as ipp
import numpy as np

from .model import Model
from .surface import Surface, price_surface
from .table import format_table, write_csv


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


def _parser() -> argparse.ArgumentParser:
    default = Model()
    parser = argparse.ArgumentParser(
        prog="python -m ipcluster_azure.examples.monte_carlo_options",
        description="Price European and Asian options on a grid of strikes and volatilities by "
        "plain Monte Carlo, on the engines of a running cluster. Prints prices with standard "
        "errors; all cells share their paths, and so one error.",
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
    add("--paths", type=float, default=1e5, help="number of simulated paths (%(default)g)")
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
        help="also write prices.csv and four contour plots (PNG) into this folder",
    )
    return parser


def _price(options: argparse.Namespace) -> Surface:
    model = Model(
        spot=options.spot,
        rate=options.rate,
        dividend_yield=options.dividend_yield,
        maturity_years=options.maturity,
        n_fixings=options.fixings,
    )
    arguments = (model, options.strikes, options.vols, options.paths)
    if options.serial:
        return price_surface(*arguments, seed=options.seed, progress=True)
    with ipp.Client(profile=options.profile) as client:
        return price_surface(*arguments, seed=options.seed, client=client, progress=True)


def _write_files(surface: Surface, folder: Path) -> None:
    from .plots import write_plots  # matplotlib is needed here only

    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "prices.csv"
    write_csv(surface, table)
    for path in [table, *write_plots(surface, folder)]:
        print(f"wrote {path}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 2 for an impossible value, 1 for a failure."""
    parser = _parser()
    options = parser.parse_args(arguments)
    begin_s = time.perf_counter()
    try:
        surface = _price(options)
        elapsed_s = time.perf_counter() - begin_s
        print(format_table(surface))
        print(f"{elapsed_s:.2f} s")
        if options.output:
            _write_files(surface, options.output)
    except ValueError as error:
        parser.error(str(error))
    except (OSError, OverflowError, ipp.error.IPythonError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        if not options.serial:
            start = f"ipcluster start --profile={options.profile} -n 4"
            print(f"Is a cluster running? {start}   (or use --serial)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

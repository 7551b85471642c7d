"""Command line: python -m ipcluster_azure.examples.monte_carlo_options --help"""

import argparse
import importlib
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import ipyparallel as ipp
import numpy as np

from .block import METHODS
from .checkpoint import CheckpointError
from .model import Model
from .paths import KERNELS
from .run import MixedArithmetic
from .surface import Surface, price_surface
from .table import format_table, write_csv, write_npz


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
        "Monte Carlo, on the engines of a running cluster. Prints prices with standard errors; all "
        "cells share their paths, and so one error. Money is in the unit of the spot price.",
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
        default="stratified",
        help="plain: averages of the payoffs; control: the geometric average as control variate; "
        "stratified: strata of the average and the end, and a closed form for most of the Asian "
        "price (%(default)s)",
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


def _price(options: argparse.Namespace) -> Surface:
    model = Model(
        spot=options.spot,
        rate=options.rate,
        dividend_yield=options.dividend_yield,
        maturity_years=options.maturity,
        n_fixings=options.fixings,
    )
    with ExitStack() as stack:
        client = None
        if not options.serial:
            client = stack.enter_context(ipp.Client(profile=options.profile))
        return price_surface(
            model,
            options.strikes,
            options.vols,
            options.paths,
            method=options.method,
            kernel=options.kernel,
            standard_error=options.standard_error,
            seed=options.seed,
            client=client,
            checkpoint=options.checkpoint,
            mixed=options.mixed,
            progress=True,
        )


def _write_files(surface: Surface, folder: Path) -> None:
    from .plots import write_plots

    folder.mkdir(parents=True, exist_ok=True)
    table, arrays = folder / "prices.csv", folder / "prices.npz"
    write_csv(surface, table)
    write_npz(surface, arrays)
    for path in [table, arrays, *write_plots(surface, folder)]:
        print(f"wrote {path}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 2 for an impossible value, 1 for a failure, 130."""
    parser = _parser()
    options = parser.parse_args(arguments)
    begin_s = time.perf_counter()
    try:
        if options.output:  # without matplotlib it fails here, before the work
            importlib.import_module(".plots", __package__)
        surface = _price(options)
        elapsed_s = time.perf_counter() - begin_s
        print(format_table(surface))
        print(f"{elapsed_s:.2f} s")
        if options.output:
            _write_files(surface, options.output)
    except ValueError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print(f"\n{parser.prog}: interrupted", file=sys.stderr)
        if options.checkpoint:
            print(
                f"{options.checkpoint} has what is done; the same command goes on.", file=sys.stderr
            )
        return 130
    except ImportError as error:
        extra = "numba" if error.name == "numba" else "examples"
        print(f"{parser.prog}: {error}; pip install 'ipcluster-azure[{extra}]'", file=sys.stderr)
        return 1
    except (OverflowError, MixedArithmetic, CheckpointError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except (OSError, ipp.error.IPythonError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        if not options.serial:
            start = f"ipcluster start --profile={options.profile} -n 4"
            print(f"Is a cluster running? {start}   (or use --serial)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

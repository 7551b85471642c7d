"""Command line: python -m ipcluster_azure.examples.monte_carlo_options --help"""

import argparse
import importlib
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import ipyparallel as ipp

from .arguments import make_parser
from .checkpoint import CheckpointError
from .model import Model
from .run import MixedArithmetic
from .surface import Surface, price_surface
from .table import format_table, write_csv, write_npz


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
            client = stack.enter_context(_connect(options.profile))
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


class NoClusterError(Exception):
    """There is no cluster of that profile, or it has no engine."""


def _connect(profile: str) -> ipp.Client:
    try:
        return ipp.Client(profile=profile)
    except (OSError, ipp.error.IPythonError) as error:
        raise NoClusterError(str(error)) from error


def _check_output(folder: Path) -> None:
    """Before the work. Raises ImportError without matplotlib, ValueError if it can't be written."""
    importlib.import_module(".plots", __package__)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"--output {folder} can't be written: {error}") from error


def _write_files(surface: Surface, folder: Path) -> None:
    from .plots import can_be_drawn, write_plots

    table, arrays = folder / "prices.csv", folder / "prices.npz"
    write_csv(surface, table)
    write_npz(surface, arrays)
    drawn = can_be_drawn(surface)
    for path in [table, arrays, *(write_plots(surface, folder) if drawn else [])]:
        print(f"wrote {path}")
    if not drawn:
        print("no pictures: they need two strikes and two volatilities")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status.

    2 for an impossible value, 1 for a failure, 130 for Ctrl-C, 3 if the wanted standard error was
    not reached.
    """
    parser = make_parser()
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except ValueError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print(f"\n{parser.prog}: interrupted", file=sys.stderr)
        if options.checkpoint:
            print(
                f"{options.checkpoint} has what is done; the same command goes on.", file=sys.stderr
            )
        return 130
    except (
        *(ImportError, OverflowError, OSError, MixedArithmetic, CheckpointError),
        *(NoClusterError, ipp.error.IPythonError),
    ) as error:
        print(f"{parser.prog}: {_explain(error, options.profile)}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    begin_s = time.perf_counter()
    if options.output:
        _check_output(options.output)
    surface = _price(options)
    elapsed_s = time.perf_counter() - begin_s
    print(format_table(surface))
    print(f"{elapsed_s:.2f} s")
    if options.output:
        _write_files(surface, options.output)
    wanted = options.standard_error
    if wanted is not None and surface.worst_error() > wanted:
        print(
            f"The wanted standard error, {wanted:g}, was not reached with {surface.n_paths:,} "
            f"paths: the largest is {surface.worst_error():.2g}. Raise --paths.",
            file=sys.stderr,
        )
        return 3
    return 0


def _explain(error: Exception, profile: str) -> str:
    """What happened, and what to type next."""
    if isinstance(error, ImportError):
        extra = "numba" if error.name == "numba" else "examples"
        return f"{error}; pip install 'ipcluster-azure[{extra}]'"
    if isinstance(error, ipp.error.RemoteError):
        said = f"an engine failed: {error.ename}: {error.evalue}"
        if error.ename not in ("ImportError", "ModuleNotFoundError"):
            return said
        return f"{said}; install it where the engines run, or choose another --kernel"
    if isinstance(error, (NoClusterError, ipp.error.NoEnginesRegistered)):
        start = f"ipcluster start --profile={profile} -n 4"
        return f"{error}\nIs a cluster running? {start}   (or use --serial)"
    return str(error)


if __name__ == "__main__":
    sys.exit(main())

"""Runs benchmarks and puts their sections into docs/benchmarks.md.

    make bench                              all of them, about 96 minutes
    make bench BENCH="forked tunnel"        only these; the other sections stay as they are
    make bench BENCH=endurance              an hour of load, which is only run by name
    make soak                               3,000 starts and stops, also only by name
    python -m benchmarks --quick --page=/tmp/page.md [NAME ...]     only to see that they work
    python -m benchmarks.forked --help      one alone, with its options; prints its section

Nothing else should run on the computer meanwhile.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from .report import Section, replaced, say

# In the page's order, with about how many minutes each takes.
MINUTES = {
    "first_result": 23,
    "many_machines": 11,
    "ssh_scale": 7,
    "ssh_hosts": 15,
    "environments": 12,
    "forked": 3,
    "many_engines": 1,
    "tunnel": 2,
    "stop": 7,
    "steps": 3,
    "job_files": 6,
    "far_away": 5,
    "overhead": 5,
    "import_time": 1,
    "emulator": 3,
    "pricer": 6,
    "endurance": 61,
    "soak": 60,
}
ONLY_BY_NAME = {"endurance", "soak"}
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MINUTES)}")
    parser.add_argument("--page", type=Path, default=PAGE, help="the file to write")
    parser.add_argument("--quick", action="store_true", help="few rounds and small numbers")
    values = parser.parse_args(arguments)
    if unknown := set(values.names) - set(MINUTES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(MINUTES)}")
    return values


def write(page: Path, section: Section) -> None:
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    page.write_text(replaced(old, section, list(MINUTES)), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """1 if one could not be measured; its section stays as it was."""
    values = parse(arguments)
    names = values.names or [name for name in MINUTES if name not in ONLY_BY_NAME]
    failed = []
    for name in names:
        module = importlib.import_module(f"benchmarks.{name}")
        say(f"{name}, about {MINUTES[name]} min")
        began = time.monotonic()
        try:
            section = module.measure(**(module.QUICK if values.quick else {}))
        except (Exception, SystemExit):
            traceback.print_exc()
            failed.append(name)
            continue
        write(values.page, section)
        print(section.markdown(), flush=True)
        missed = f", missed: {'; '.join(section.missed)}" if section.missed else ""
        say(f"{name} took {(time.monotonic() - began) / 60:.1f} min{missed}")
    if failed:
        say(f"not measured: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

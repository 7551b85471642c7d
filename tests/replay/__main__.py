"""python -m tests.replay PATH ... [--only TEXT] [--examples N]"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from azure_emulator import client
from tests.azure_emulator.cloud import Cloud

from .player import Player, Result
from .sessions import load


def play(paths: list[Path], only: str) -> list[Result]:
    with tempfile.TemporaryDirectory() as directory:
        info = client.start(
            directory,
            machines="none",
            clock="virtual",
            seed=1,
            quota_cores=100_000,
            end_with_pid=os.getpid(),
        )
        cloud = Cloud(info)
        try:
            player = Player(cloud)
            return [
                result
                for path in paths
                for session in load(path)
                if only.lower() in session[0].source.lower()
                for result in player.play(session)
            ]
        finally:
            cloud.close()
            client.stop(directory)


def report(results: list[Result], kind: str, examples: int) -> None:
    """For each kind of request: how many are alike, and the most frequent differences."""
    total: Counter[str] = Counter()
    alike: Counter[str] = Counter()
    found: dict[str, Counter[str]] = defaultdict(Counter)
    where: dict[tuple[str, str], str] = {}
    for result in results:
        what = result.exchange.what
        total[what] += 1
        alike[what] += not result.differences
        for difference in result.differences:
            found[what][difference] += 1
            where.setdefault((what, difference), result.exchange.source)
    for what, count in total.most_common():
        if kind.lower() not in what:
            continue
        print(f"{alike[what]:6d} of {count:6d}  {what}")
        for difference, times in found[what].most_common(examples):
            print(f"            {times:6d}  {difference}   [{where[what, difference]}]")
    print(f"{sum(alike.values())} of {sum(total.values())} exchanges are alike")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--only", default="", help="sessions whose source contains this")
    parser.add_argument("--kind", default="", help="requests whose kind contains this")
    parser.add_argument("--examples", type=int, default=8)
    options = parser.parse_args()
    report(play(options.paths, options.only), options.kind, options.examples)


if __name__ == "__main__":
    main()

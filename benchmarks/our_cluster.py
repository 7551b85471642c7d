"""Run by other benchmarks, in a process of its own: a cluster from the start to its end.

    python -m benchmarks.our_cluster N [--start-only]

Prints one JSON line: seconds from the call until N engines have each returned one `apply`, or with
--start-only until the start has returned; when the launchers said what; what this process has used.
Then it stops the cluster.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import time

import ipyparallel as ipp

from .clusters import PROFILE


class Said(logging.Handler):
    """What the launchers said, with the seconds since the beginning."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.began = time.time()
        self.lines: list[tuple[float, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.created - self.began, record.getMessage()))


def measure(n: int, said: Said, *, with_result: bool) -> None:
    log = logging.getLogger("bench")
    log.setLevel(logging.INFO)
    log.addHandler(said)
    cluster = ipp.Cluster(profile=PROFILE, cluster_id="", n=n, log=log)
    if with_result:
        client = cluster.start_and_connect_sync(n=n)
        answers = client[:].apply_sync(pow, 2, 10)
        if answers != [1024] * n:
            raise SystemExit(f"{answers} is not what {n} engines should answer")
    else:
        cluster.start_cluster_sync()
    took_s = time.time() - said.began
    used = resource.getrusage(resource.RUSAGE_SELF)
    report = {"took_s": took_s, "peak_mb": used.ru_maxrss * 1024 / 1e6, "said": said.lines}
    print(json.dumps({**report, "cpu_s": used.ru_utime + used.ru_stime}), flush=True)
    cluster.stop_cluster_sync()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("n", type=int)
    parser.add_argument("--start-only", action="store_true")
    values = parser.parse_args()
    measure(values.n, Said(), with_result=not values.start_only)


if __name__ == "__main__":
    main()

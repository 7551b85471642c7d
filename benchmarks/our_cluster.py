"""Run by other benchmarks, in a process of its own: a cluster from the start to its end.

    python -m benchmarks.our_cluster N [--start-only] [--no-packing]

Prints one JSON line: seconds from the call until N engines have each returned one `apply`, or with
--start-only until the start has returned; when the launchers said what; what this process has used,
and those that it has waited for. Then it stops the cluster. With --no-packing the job files of the
start make machines only, as nothing is packed that they could start a cluster with.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import time
from unittest import mock

import ipyparallel as ipp

from ipcluster_azure.start import submitted_files

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
    used, of_others = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    report = {
        "took_s": took_s,
        "peak_mb": used.ru_maxrss * 1024 / 1e6,
        "said": said.lines,
        "cpu_s": used.ru_utime + used.ru_stime,
        "children_cpu_s": of_others.ru_utime + of_others.ru_stime,
    }
    print(json.dumps(report), flush=True)
    cluster.stop_cluster_sync()


def pack_nothing(packing: submitted_files.Packing, *_: object) -> None:
    packing._packed = None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("n", type=int)
    parser.add_argument("--start-only", action="store_true")
    parser.add_argument("--no-packing", action="store_true")
    values = parser.parse_args()
    if values.no_packing:
        mock.patch.object(submitted_files.Packing, "__init__", pack_nothing).start()
    measure(values.n, Said(), with_result=not values.start_only)


if __name__ == "__main__":
    main()

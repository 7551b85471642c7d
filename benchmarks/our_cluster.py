"""Run by other benchmarks, in a process of its own: a cluster from the start to its end.

    python -m benchmarks.our_cluster N

Prints one JSON line: seconds from the call until N engines have each returned one `apply`, and when
the launchers said what; then stops the cluster.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
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


def main() -> None:
    n = int(sys.argv[1])
    log = logging.getLogger("bench")
    log.setLevel(logging.INFO)
    said = Said()
    log.addHandler(said)
    cluster = ipp.Cluster(profile=PROFILE, cluster_id="", n=n, log=log)
    client = cluster.start_and_connect_sync(n=n)
    answers = client[:].apply_sync(pow, 2, 10)
    first_result_s = time.time() - said.began
    if answers != [1024] * n:
        raise SystemExit(f"{answers} is not what {n} engines should answer")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    report = {"first_result_s": first_result_s, "peak_mb": peak_mb, "said": said.lines}
    print(json.dumps(report), flush=True)
    client.close()
    cluster.stop_cluster_sync()


if __name__ == "__main__":
    main()

"""Run by ssh_hosts.py, in a process of its own: engine sets started again and again.

    python -m benchmarks.our_engines N

Starts a cluster of N engines on N machines. For each line on its input it starts a second set of as
many, prints the seconds until they were registered, and stops that set; at the end of the input it
stops the cluster.
"""

from __future__ import annotations

import json
import logging
import sys
import time

import ipyparallel as ipp

from .clusters import PROFILE


def main() -> None:
    n = int(sys.argv[1])
    cluster = ipp.Cluster(profile=PROFILE, cluster_id="", n=n, log=logging.getLogger("bench"))
    cluster.start_cluster_sync()
    print(json.dumps({"engine_sets": list(cluster.engines)}), flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        second = cluster.start_engines_sync(n)
        print(json.dumps({"took_s": time.perf_counter() - began}), flush=True)
        cluster.stop_engines_sync(second)
        print(json.dumps({"stopped": second}), flush=True)
    cluster.stop_cluster_sync()


if __name__ == "__main__":
    main()

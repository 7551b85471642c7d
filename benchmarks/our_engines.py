"""Run by ssh_hosts.py, in a process of its own: engine sets started again and again.

    python -m benchmarks.our_engines N

Starts a cluster of N engines on N machines. For each line on its input it starts a second set of as
many, prints the seconds until they were registered and the CPU time that they had used by then, and
stops that set; at the end of the input it stops the cluster.
"""

from __future__ import annotations

import json
import logging
import sys
import time

import ipyparallel as ipp

from .clusters import PROFILE


def cpu_s() -> float:
    """On an engine: what it and the supervisor that it was forked from have used."""
    import os

    import psutil

    processes = psutil.Process(os.getpid()), psutil.Process(os.getppid())
    return float(sum(sum(process.cpu_times()[:2]) for process in processes))


def main() -> None:
    n = int(sys.argv[1])
    cluster = ipp.Cluster(profile=PROFILE, cluster_id="", n=n, log=logging.getLogger("bench"))
    cluster.start_cluster_sync()
    print(json.dumps({"engine_sets": list(cluster.engines)}), flush=True)
    with cluster.connect_client_sync() as client:
        for _ in sys.stdin:
            before = set(client.ids)
            began = time.perf_counter()
            second = cluster.start_engines_sync(n)
            took_s = time.perf_counter() - began
            new = sorted(set(client.ids) - before)
            used_s = sum(client[new].apply_sync(cpu_s)) if new else 0.0
            print(json.dumps({"took_s": took_s, "cpu_s": used_s}), flush=True)
            cluster.stop_engines_sync(second)
            print(json.dumps({"stopped": second}), flush=True)
    cluster.stop_cluster_sync()


if __name__ == "__main__":
    main()

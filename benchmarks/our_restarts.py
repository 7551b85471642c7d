"""Run by ssh_hosts.py, in a process of its own: engines started again and again on kept machines.

    python -m benchmarks.our_restarts N

Starts a cluster of N engines on N machines. For each line on its input it restarts the engines, as
`Cluster.restart_engines` does, and prints the seconds that the start alone took; at the end of the
input it stops the cluster.
"""

from __future__ import annotations

import json
import logging
import sys
import time

import ipyparallel as ipp

from ipcluster_azure.launchers import AzureVMEngineSetLauncher

from .clusters import PROFILE


class TimedLauncher(AzureVMEngineSetLauncher):
    """Notes how long its starts took; they return when all engines are registered."""

    took_s = 0.0

    async def start(self, n: int) -> None:
        began = time.perf_counter()
        await super().start(n)
        type(self).took_s = time.perf_counter() - began


def main() -> None:
    n = int(sys.argv[1])
    log = logging.getLogger("bench")
    cluster = ipp.Cluster(profile=PROFILE, cluster_id="", n=n, log=log, engines=TimedLauncher)
    cluster.start_cluster_sync()
    print(json.dumps({"engine_sets": list(cluster.engines)}), flush=True)
    for _ in sys.stdin:
        cluster.restart_engines_sync()
        print(json.dumps({"took_s": TimedLauncher.took_s}), flush=True)
    cluster.stop_cluster_sync()


if __name__ == "__main__":
    main()

"""One run of job_files.py, in a process of its own, that adopts all that the run has started.

So, on Linux, the processor time of daemons counts, too: they are waited for when they have ended.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import resource

from .clusters import home

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engines", type=int, required=True)
    parser.add_argument("--scale", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--no-packing", action="store_true")
    values = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with home(time_scale=values.scale, seed=values.seed) as place:
        place.configure(engines_per_vm=1)
        options = ["--no-packing"] if values.no_packing else []
        said = place.python("our_cluster", str(values.engines), "--start-only", *options)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = json.loads(said.splitlines()[-1])
    found = {
        "took_s": report["took_s"],
        "launcher_cpu_s": report["cpu_s"] + report["children_cpu_s"],
        "all_cpu_s": used.ru_utime + used.ru_stime,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()

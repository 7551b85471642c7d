"""What ipcluster_azure.launchers adds to the start of every `ipcluster` command.

    python benchmarks/import_time.py [ROUNDS]

Fresh processes take turns, so that both sides meet the same load; medians are shown.
"""

import os
import statistics
import subprocess
import sys

ALONE = "ipyparallel.cluster.launcher"
WITH_OURS = f"{ALONE}, ipcluster_azure.launchers"
CODE = """
import time
started = time.perf_counter()
import {}
print(time.perf_counter() - started)
"""


def seconds(modules: str) -> float:
    command = [sys.executable, "-c", CODE.format(modules)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    for modules in (ALONE, WITH_OURS):
        seconds(modules)  # once for the compiler and the disk cache
    pairs = [(seconds(ALONE), seconds(WITH_OURS)) for _ in range(rounds)]
    alone, with_ours = (statistics.median(side) * 1000 for side in zip(*pairs, strict=True))
    print(f"{ALONE}: {alone:.0f} ms")
    print(f"with ipcluster_azure.launchers: {with_ours:.0f} ms")
    print(f"difference {with_ours - alone:.0f} ms, ratio {with_ours / alone:.2f}, {rounds} rounds")


if __name__ == "__main__":
    main()

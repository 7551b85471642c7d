"""Starting a cluster in a cloud that is far away, against one next door.

    python benchmarks/far_away.py [ENGINES] [ROUNDS]

`ipcluster start` for ENGINES (32) engines on VMs of one vCPU each, on the emulator, plainly and
through relay.py with a round trip of 150 ms, 1 % loss and 20 Mbit/s; the sides take turns, ROUNDS
(5) times. Medians, and what went over the line.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from relay import Line, Relay, far_away

from ipcluster_azure.emulator import client

LINE = Line(round_trip_s=0.150, loss=0.01, mbit_s=20.0)
CONFIG = """
c = get_config()
c.Cluster.controller_launcher_class = "azurevm"
c.Cluster.engine_launcher_class = "azurevm"
c.AzureVMLauncher.endpoint = "emulator"
c.AzureVMEngineSetLauncher.engines_per_vm = 1
c.AzureVMLauncher.python_environment = "image"
c.AzureVMLauncher.image_python = {python!r}
c.Cluster.delay = 0
"""


def start_and_stop(home: Path, engines: int, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds until `ipcluster start --daemonize` returned, and until `ipcluster stop` did."""
    times = []
    for words in (["start", f"-n={engines}", "--daemonize"], ["stop"]):
        began = time.perf_counter()
        done = subprocess.run(
            [str(Path(sys.executable).parent / "ipcluster"), *words, "--profile=far"],
            env={**os.environ, "IPYTHONDIR": str(home), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stderr[-4000:])
        times.append(time.perf_counter() - began)
    return times[0], times[1]


def measure(engines: int, rounds: int, home: Path) -> None:
    profile = home / "profile_far"
    profile.mkdir(parents=True)
    (profile / "ipcluster_config.py").write_text(CONFIG.format(python=sys.executable))
    state = str(home / "emulator")
    os.environ[client.STATE_DIR_VARIABLE] = state
    client.start(state)
    near, far, relays = [], [], list[Relay]()
    try:
        start_and_stop(home, engines, {})  # once for caches
        for _ in range(rounds):
            near.append(start_and_stop(home, engines, {}))
            with far_away(LINE) as (relay, environment):
                far.append(start_and_stop(home, engines, environment))
                relays.append(relay)
    finally:
        client.stop(state)
    for number, what in enumerate(("start", "stop")):
        here, there = (statistics.median(item[number] for item in side) for side in (near, far))
        print(f"{what}: near {here:.1f} s, far {there:.1f} s, difference {there - here:+.1f} s")
    for what in ("bytes_up", "bytes_down", "connections"):
        print(f"{what}: {statistics.median(getattr(relay, what) for relay in relays):.0f}")


def main() -> None:
    words = (*sys.argv[1:], *("32", "5")[len(sys.argv) - 1 :])
    home = Path(tempfile.mkdtemp())
    try:
        measure(int(words[0]), int(words[1]), home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()

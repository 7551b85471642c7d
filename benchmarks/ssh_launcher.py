"""Run by ssh_hosts.py, in a process of its own: ipyparallel's SSHEngineSetLauncher.

    python -m benchmarks.ssh_launcher CONFIGURATION HOST ...

CONFIGURATION is one for `ssh`. Starts an engine on each host, for the controller whose connection
files are in the profile, and prints the seconds until a client sees them all; then ends them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from pathlib import Path

import ipyparallel as ipp
from ipyparallel.cluster.launcher import SSHEngineSetLauncher

from .clusters import PROFILE


async def main() -> None:
    configuration, *hosts = sys.argv[1:]
    profile_dir = str(Path(os.environ["IPYTHONDIR"], f"profile_{PROFILE}"))
    client = ipp.Client(str(Path(profile_dir, "security", "ipcontroller-client.json")))
    before = set(client.ids)
    launcher = SSHEngineSetLauncher(
        profile_dir=profile_dir,
        remote_profile_dir="profile_ssh",  # below the home: these machines share one file system
        cluster_id="",
        engines=dict.fromkeys(hosts, 1),
        ssh_args=["-F", configuration],
        # by the older protocol: the emulator's SFTP ends without an exit status, which scp minds
        scp_args=["-O", "-F", configuration],
        remote_python=sys.executable,
        log=logging.getLogger("bench"),
    )
    began = time.perf_counter()
    launcher.start(len(hosts))
    started_s = time.perf_counter() - began
    client.wait_for_engines(len(before) + len(hosts), timeout=300, interactive=False)
    took_s = time.perf_counter() - began
    print(json.dumps({"took_s": took_s, "started_s": started_s}), flush=True)
    client.shutdown(sorted(set(client.ids) - before), block=True)
    os._exit(0)  # its threads would wait for the engines' end by one ssh command each


if __name__ == "__main__":
    asyncio.run(main())

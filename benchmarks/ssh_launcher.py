"""Run by ssh_hosts.py, in a process of its own: ipyparallel's SSHEngineSetLauncher.

    python -m benchmarks.ssh_launcher CONFIGURATION PYTHON HOST ...

CONFIGURATION is one for `ssh`, PYTHON the hosts' interpreter. Starts an engine on each host, for
the controller whose connection files are in the profile, and prints the seconds until all are
started, and until a client sees them all (not if PYTHON is stand_in.py's: it has no engines). Then
it ends them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import ipyparallel as ipp
from ipyparallel.cluster.launcher import SSHEngineSetLauncher

from .clusters import PROFILE

LOOK_S, LIMIT_S, END_LIMIT_S = 0.05, 300.0, 20.0


def launcher(profile_dir: str, configuration: str, python: str, hosts: list[str]) -> Any:
    return SSHEngineSetLauncher(
        profile_dir=profile_dir,
        remote_profile_dir="profile_ssh",  # below the home: these machines share one file system
        cluster_id="",
        engines=dict.fromkeys(hosts, 1),
        ssh_args=["-F", configuration],
        # by the older protocol: the emulator's SFTP ends without an exit status, which scp minds
        scp_args=["-O", "-F", configuration],
        remote_python=python,
        log=logging.getLogger("bench"),
    )


async def main() -> None:
    configuration, python, *hosts = sys.argv[1:]
    profile_dir = str(Path(os.environ["IPYTHONDIR"], f"profile_{PROFILE}"))
    engines = launcher(profile_dir, configuration, python, hosts)
    client = ipp.Client(str(Path(profile_dir, "security", "ipcontroller-client.json")))
    before = set(client.ids)
    began = time.perf_counter()
    engines.start(len(hosts))
    report = {"started_s": time.perf_counter() - began}
    if python == sys.executable:
        while len(set(client.ids) - before) < len(hosts):
            if time.perf_counter() - began > LIMIT_S:
                print(f"only {set(client.ids) - before} of {len(hosts)} are there", file=sys.stderr)
                os._exit(1)
            await asyncio.sleep(LOOK_S)
        report["registered_s"] = time.perf_counter() - began
        end(client, sorted(set(client.ids) - before))
    print(json.dumps(report), flush=True)
    os._exit(0)  # its threads would wait for the engines' end by one ssh command each


def end(client: Any, ours: list[int]) -> None:
    """Shut engines down. With block=True it now and then waits for ever."""
    client.shutdown(ours, block=False)
    deadline = time.perf_counter() + END_LIMIT_S
    while set(ours) & set(client.ids) and time.perf_counter() < deadline:
        time.sleep(LOOK_S)


if __name__ == "__main__":
    asyncio.run(main())

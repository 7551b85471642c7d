"""Run by other benchmarks, in a process of its own: a cluster's machines, without SSH.

    python -m benchmarks.our_machines N

Requests a controller and N machines as the launchers do, and waits until Azure has made them all.
Prints one JSON line then; after a line on its input it deletes the cluster and prints another.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from traitlets.config.loader import PyFileConfigLoader

from ipcluster_azure.launchers import AzureVMControllerLauncher, AzureVMEngineSetLauncher
from ipcluster_azure.progress import Progress
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi, bridge
from ipcluster_azure.resource_manager.waiting import Looks
from ipcluster_azure.ssh.keys import make_login_key
from ipcluster_azure.start import deployment, planning
from ipcluster_azure.start.controller_request import request_until_network, rest_of_request
from ipcluster_azure.start.request import JobFile, ProcessSpec, StartContext
from ipcluster_azure.stop import teardown

from .clusters import PROFILE
from .our_cluster import Said

SET_ID = "bench"


async def make(context: StartContext, settings: tuple[Any, Any], n: int) -> float:
    """Seconds until every machine has an address and its creation has succeeded."""
    began = time.perf_counter()
    ours, engines = settings

    file = context.file
    path = file.profile_dir / "job.json"
    job = JobFile(path, lambda template: path.write_text(json.dumps(template)))
    login_key = await bridge(make_login_key)
    site = await deployment.find_site(file, ours, engines, n)

    def request(on_network: Callable[[], None]) -> Coroutine[Any, Any, None]:
        return deployment.request_controller(
            context,
            site,
            job,
            ProcessSpec(),
            login_key=login_key,
            announce=lambda: None,
            on_network=on_network,
        )

    await request_until_network(site.names.base, request, engines_follow=True)
    plans = await planning.plan_engines(file, engines, SET_ID, n)
    await deployment.request_engines(context, plans, job)
    await rest_of_request(site.names.base)
    record = file.require()
    scale_set_id, looks = record.engine_sets[SET_ID].scale_set_id, Looks()
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        while True:
            machines = await bridge(api.machines, scale_set_id)
            ready = [m for m in machines if m.address and m.provisioning_state == "Succeeded"]
            if len(ready) == n:
                return time.perf_counter() - began
            await looks.pause()


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    n = int(sys.argv[1])
    profile_dir = str(Path(os.environ["IPYTHONDIR"], f"profile_{PROFILE}"))
    config = PyFileConfigLoader("ipcluster_config.py", path=profile_dir).load_config()
    kinds = AzureVMControllerLauncher, AzureVMEngineSetLauncher
    settings = [kind(config=config, profile_dir=profile_dir).settings() for kind in kinds]
    log = logging.getLogger("bench")
    log.setLevel(logging.INFO)
    file = RecordFile.of(profile_dir, "")
    file.path.parent.mkdir(parents=True, exist_ok=True)
    context = StartContext(file, Progress(log))
    made_s = asyncio.run(make(context, (settings[0], settings[1]), n))
    operation = file.require().engine_sets[SET_ID].operation
    report = {"made_s": made_s, "peak_mb": peak_mb(), "operation": operation}
    print(json.dumps(report), flush=True)
    sys.stdin.readline()
    said = Said()
    log.addHandler(said)
    asyncio.run(teardown.delete_cluster(file, Progress(log)))
    returned_s = time.time() - said.began
    accepted = [at_s for at_s, text in said.lines if "accepted the deletion" in text]
    print(json.dumps({"accepted_s": accepted[0], "returned_s": returned_s, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()

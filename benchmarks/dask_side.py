"""Run by dask_environment.py with a Python that has dask-cloudprovider: its own cluster class.

    python dask_side.py EMULATOR_JSON WORKERS PROBES

PROBES is the folder of the tests' dask_cluster.py, whose network, `docker` and credential are used.
Prints one JSON line once each worker has returned a result; the emulator's end ends the cluster.
"""

import json
import os
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def main() -> None:
    info, workers = json.loads(sys.argv[1]), int(sys.argv[2])
    sys.path.insert(0, sys.argv[3])
    import dask_cluster as probe  # type: ignore[import-not-found]
    from distributed import Client

    arm = probe.Arm(info)
    arm.make_network()
    probe.point_at(info, arm.token)
    directory = tempfile.mkdtemp(dir=info["state_dir"])
    docker = Path(directory, "docker")
    docker.write_text(probe.DOCKER)
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    began = time.monotonic()
    cluster = probe.AzureVMCluster(**options(probe, info, directory), n_workers=workers)
    client = Client(cluster)
    client.wait_for_workers(workers)
    answers = client.run(lambda: 6 * 7)
    ready_s = time.monotonic() - began
    print(json.dumps({"answers": sorted(answers.values()), "ready_s": ready_s}), flush=True)
    os._exit(0)  # else it deletes one machine after the other, for minutes


def options(probe: Any, info: dict[str, str], directory: str) -> dict[str, Any]:
    return {
        "resource_group": probe.GROUP,
        "location": probe.LOCATION,
        "vnet": "vnet",
        "security_group": "nsg",
        "subscription_id": info["subscription_id"],
        "vm_size": "Standard_D2s_v5",
        "docker_image": probe.IMAGE,
        "bootstrap": False,
        "auto_shutdown": False,
        "extra_bootstrap": [f"export PATH={directory}:$PATH"],
    }


if __name__ == "__main__":
    main()
